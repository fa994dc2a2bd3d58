from typing import List, Optional


class Node:
    def __del__(self):
        print("deleted, though a cache knows its class")


def first(nodes: List[Node]) -> Optional[Node]:
    return nodes[0] if nodes else None


root = first([Node()])

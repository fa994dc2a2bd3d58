from typing import Dict


class Writer:
    def __init__(self):
        self.out = open(1, "w", closefd=False)


writers: Dict[str, Writer] = {"a": Writer()}
Names = Dict[str, Writer]
writers["a"].out.write("flushed though a cache knows the class\n")

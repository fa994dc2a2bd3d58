import gc


class Node:
    def __init__(self, name):
        self.name, self.me = name, self

    def __del__(self):
        print("deleted", self.name)


gc.disable()
kept = Node("kept")
Node("garbage")
print("end")

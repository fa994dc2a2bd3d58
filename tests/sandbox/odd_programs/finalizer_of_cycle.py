class Node:
    def __init__(self, name):
        self.name, self.other = name, self

    def __del__(self):
        print("deleted", self.name)


for name in "abc":
    Node(name)
kept = Node("kept")
print("end")

import os


class Thing:
    def __del__(self):
        print("deleted in", "child" if child == 0 else "parent")


thing = Thing()
child = os.fork()
if child:
    os.waitpid(child, 0)

import sys


class Thing:
    def __del__(self):
        print("deleted")


thing = Thing()
del sys.modules["__main__"]
print("still", __name__)

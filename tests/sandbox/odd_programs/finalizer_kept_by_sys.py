import sys


class Thing:
    def __del__(self):
        print("is anybody there?")


sys.thing = Thing()

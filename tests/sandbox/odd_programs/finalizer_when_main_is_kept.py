import sys

import __main__


class Thing:
    def __init__(self, name):
        self.name = name

    def __del__(self):
        print("deleted", self.name)


public, _private = Thing("public"), Thing("private")
sys.kept = __main__

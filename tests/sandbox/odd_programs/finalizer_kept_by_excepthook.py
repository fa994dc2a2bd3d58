import sys


class Thing:
    def __del__(self):
        print("deleted with the hook")


thing = Thing()


def hook(kind, error, trace):
    print("hook", kind.__name__)


sys.excepthook = hook

import sys


def hook(kind, error, trace):
    raise RuntimeError("the hook is broken")


sys.excepthook = hook
raise ValueError("original")

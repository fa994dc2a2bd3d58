import sys


def hook(kind, error, trace):
    print("hook", kind.__name__)
    sys.exit(3)


sys.excepthook = hook
raise KeyboardInterrupt

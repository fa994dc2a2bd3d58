import sys

out = open(1, "w", closefd=False)
out.write("flushed in the very end\n")


def hook(kind, error, trace):
    out.write("error\n")


sys.excepthook = hook

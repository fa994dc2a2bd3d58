import sys

write = sys.stdout.write


def clear(write=write):
    globals().clear()
    write("cleared\n")


clear()

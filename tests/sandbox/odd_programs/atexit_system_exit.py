import atexit
import sys


def leave():
    print("leaving with 7")
    sys.exit(7)


atexit.register(print, "the next one")
atexit.register(leave)

import atexit
import os
import sys


def leave():
    print("lost")
    sys.stdout.buffer.flush()
    os._exit(5)


atexit.register(leave)
print("also lost")

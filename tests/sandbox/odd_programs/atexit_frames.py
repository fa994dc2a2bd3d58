import atexit
import sys


def depth():
    frame, number = sys._getframe(), 0
    while frame is not None:
        frame, number = frame.f_back, number + 1
    print("frames", number)


atexit.register(depth)
depth()

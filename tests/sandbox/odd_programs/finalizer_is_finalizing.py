import atexit
import sys


class Thing:
    def __del__(self):
        print("finalizer", sys.is_finalizing())


atexit.register(lambda: print("callback", sys.is_finalizing()))
thing = Thing()
print("main", sys.is_finalizing())

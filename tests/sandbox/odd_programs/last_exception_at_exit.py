import atexit
import sys

atexit.register(lambda: print(repr(sys.last_value)))
raise ValueError("remembered")

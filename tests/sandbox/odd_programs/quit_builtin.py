import atexit
import sys

atexit.register(lambda: print("stdin closed:", sys.stdin.closed))
quit()

import atexit
import sys

atexit.register(print, "file known:", "__file__" in globals())
atexit.register(lambda: print("file still known:", "__file__" in globals()))
sys.exit(3)

import atexit

atexit.register(lambda: print("file still known:", "__file__" in globals(), "__cached__" in globals()))

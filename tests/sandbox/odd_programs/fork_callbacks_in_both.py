import atexit
import os

atexit.register(lambda: print("callback in", "child" if child == 0 else "parent"))
child = os.fork()
if child:
    os.waitpid(child, 0)

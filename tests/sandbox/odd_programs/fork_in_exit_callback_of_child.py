import atexit
import os

child = os.fork()
if child == 0:
    atexit.register(print, "only the child's")
else:
    os.waitpid(child, 0)
    atexit.register(print, "only the parent's")

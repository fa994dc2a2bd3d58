import os
import sys

child = os.fork()
if child:
    os.waitpid(child, 0)
print("child" if child == 0 else "parent")

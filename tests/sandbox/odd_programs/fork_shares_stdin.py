import os
import sys

child = os.fork()
if child == 0:
    print("child reads", os.read(0, 4))
    sys.exit()
os.waitpid(child, 0)
print("parent reads", os.read(0, 100))

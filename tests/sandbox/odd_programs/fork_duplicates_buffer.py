import os

print("printed before the fork")
child = os.fork()
if child:
    os.waitpid(child, 0)
    print("parent")

import os

depth = 0
while depth < 3:
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        break
    depth += 1
print("depth", depth)

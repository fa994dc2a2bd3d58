import os
import random

reading, writing = os.pipe()
child = os.fork()
if child == 0:
    os.write(writing, str(random.random()).encode())
    os._exit(0)
os.waitpid(child, 0)
print(os.read(reading, 100).decode() != str(random.random()))

import os

print(input(), os.read(0, 100))

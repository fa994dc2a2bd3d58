import sys

first = next(sys.stdin)
print(repr(first), sys.stdin.readlines())

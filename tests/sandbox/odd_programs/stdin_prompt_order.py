import sys

print("a", end="")
input("b")
print("c", file=sys.stderr)
input("d")

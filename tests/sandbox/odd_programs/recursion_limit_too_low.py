import sys

try:
    sys.setrecursionlimit(1)
except RecursionError as error:
    print("too low")
sys.setrecursionlimit(60)
print(sys.getrecursionlimit())

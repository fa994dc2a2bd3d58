import sys

sys.setrecursionlimit(10**7)
nested = []
for _ in range(10**6):
    nested = [nested]
print(len(repr(nested)))

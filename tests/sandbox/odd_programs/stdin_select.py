import select
import sys

readable, _, _ = select.select([sys.stdin], [], [], 10)
print(len(readable), sys.stdin.readline())

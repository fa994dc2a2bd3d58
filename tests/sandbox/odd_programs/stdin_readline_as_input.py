import sys

input = sys.stdin.readline
count = int(input())
print(sum(int(input()) for _ in range(count)), repr(input()))

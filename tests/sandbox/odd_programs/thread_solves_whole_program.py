import sys
import threading


def main():
    print(sum(map(int, sys.stdin.read().split())))


sys.setrecursionlimit(1 << 20)
threading.stack_size(32 << 20)
threading.Thread(target=main).start()

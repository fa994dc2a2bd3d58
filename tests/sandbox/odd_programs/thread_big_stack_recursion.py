import sys
import threading

sys.setrecursionlimit(10**6)
threading.stack_size(64 << 20)


def depth(number):
    return number if number == 0 else 1 + depth(number - 1)


thread = threading.Thread(target=lambda: print(depth(30_000)))
thread.start()
thread.join()

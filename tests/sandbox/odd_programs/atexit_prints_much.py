import atexit

atexit.register(lambda: print("x" * 200_000))
print("y" * 200_000)

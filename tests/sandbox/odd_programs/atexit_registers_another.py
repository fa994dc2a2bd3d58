import atexit


def first():
    print("first")
    atexit.register(print, "registered at exit")


atexit.register(print, "last")
atexit.register(first)

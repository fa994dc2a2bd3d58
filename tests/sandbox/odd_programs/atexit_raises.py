import atexit


def fails():
    print("about to fail")
    raise ValueError("in a callback")


atexit.register(print, "runs all the same")
atexit.register(fails)

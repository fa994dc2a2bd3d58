import atexit


def callback():
    print("never")


atexit.register(callback)
atexit.register(print, "once")
atexit.unregister(callback)

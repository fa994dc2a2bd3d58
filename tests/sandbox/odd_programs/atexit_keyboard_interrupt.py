import atexit


def interrupt():
    raise KeyboardInterrupt


atexit.register(interrupt)
print("main")

import atexit


@atexit.register
def goodbye():
    print("goodbye", globals()["__name__"])


goodbye()

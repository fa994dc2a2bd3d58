import signal


class Thing:
    def __del__(self):
        print("deleted, though a handler refers to it")


thing = Thing()


def handler(number, frame):
    print(thing)


signal.signal(signal.SIGUSR1, handler)

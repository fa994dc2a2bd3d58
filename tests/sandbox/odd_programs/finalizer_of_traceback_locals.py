class Thing:
    def __del__(self):
        print("deleted after the traceback")


def fails():
    thing = Thing()
    raise ValueError(str(thing is None))


fails()

import sys


def hook(unraisable):
    print("ignored:", unraisable.exc_type.__name__, unraisable.exc_value, unraisable.err_msg)


class Thing:
    def __del__(self):
        raise ValueError("in a finalizer")


sys.unraisablehook = hook
Thing()
print("end")

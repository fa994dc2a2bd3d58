import warnings


class Thing:
    def __del__(self):
        warnings.warn("too late", stacklevel=2)


thing = Thing()

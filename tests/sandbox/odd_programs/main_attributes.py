for name, value in list(globals().items()):
    if name in ("__name__", "__doc__", "__package__", "__spec__", "__annotations__", "__cached__"):
        print(name, repr(value))
    else:
        print(name, type(value).__name__)

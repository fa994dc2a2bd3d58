def __getattr__(name):
    return f"made up {name}"


import __main__

print(__main__.anything)

import contextlib


@contextlib.contextmanager
def managed():
    print("enter")
    try:
        yield
    finally:
        print("exit")


manager = managed()
manager.__enter__()
print("main")

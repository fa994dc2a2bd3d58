import inspect


def function(a, b=2):
    """Add."""
    return a + b  # the sum


print(inspect.getsource(function))
print(inspect.getsourcefile(function) == __file__, inspect.getmodule(function).__name__, inspect.signature(function))

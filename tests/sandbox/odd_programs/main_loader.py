import os

print(type(__loader__).__name__, __loader__.name, __loader__.path == __file__)
print(__loader__.get_source("__main__").count("\n"), __loader__.is_package("__main__"))

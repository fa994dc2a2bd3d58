import atexit

atexit.register(print, "after the exception")
print("before")
raise LookupError("not here")

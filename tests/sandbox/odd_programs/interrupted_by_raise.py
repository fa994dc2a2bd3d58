import atexit

atexit.register(print, "callback")
print("before")
raise KeyboardInterrupt("by hand")

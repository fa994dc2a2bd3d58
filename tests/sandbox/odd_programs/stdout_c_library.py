import ctypes

print("Python's own buffer")
libc = ctypes.CDLL(None)
libc.printf(b"C's own buffer %d\n", 42)

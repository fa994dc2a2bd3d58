import sys

out = open(1, "wb", 0)
print("buffered until the end")
out.write(b"at once\n")

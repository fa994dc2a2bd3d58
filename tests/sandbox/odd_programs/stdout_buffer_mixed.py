import sys

print("text")
sys.stdout.buffer.write(b"bytes\n")
sys.stdout.flush()
sys.stdout.buffer.write(b"more bytes\n")
print("more text")

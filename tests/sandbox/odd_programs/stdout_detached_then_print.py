import sys

buffer = sys.stdout.detach()
buffer.write(b"bytes\n")
print("no text any more")

import sys

buffer = sys.stdout.detach()
buffer.write(b"bytes only\n")

import sys

sys.stdout.write("a\0b\n")
sys.stdout.buffer.write(bytes(range(256)))

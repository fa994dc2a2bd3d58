import sys

print(sys.stdout.write("text\n"), sys.stdout.writelines(["a\n", "b\n"]), sys.stdout.buffer.write(b"bytes\n"))

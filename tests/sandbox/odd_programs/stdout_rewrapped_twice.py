import io
import sys

original = sys.stdout
sys.stdout = io.TextIOWrapper(original.buffer, write_through=True)
print("one")
original.write("two\n")
print("three")

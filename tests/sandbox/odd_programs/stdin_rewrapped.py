import io
import sys

sys.stdin = io.TextIOWrapper(sys.stdin.buffer, encoding="latin-1")
print(ascii(input()))

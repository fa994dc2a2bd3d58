import io
import sys

sys.stdout = io.TextIOWrapper(sys.stdout.buffer, encoding="latin-1")
print("grün")

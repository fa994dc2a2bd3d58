import os
import sys

sys.stdout.reconfigure(line_buffering=True)
print("first, as lines are flushed")
os.write(1, b"second\n")
sys.stdout.reconfigure(encoding="latin-1", errors="replace", newline="\r\n")
print("grün ∞")

import os
import sys

print("kept")
sys.stdout.flush()
print("lost")
os.abort()

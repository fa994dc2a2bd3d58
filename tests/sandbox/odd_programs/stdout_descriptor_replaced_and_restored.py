import os
import sys

kept = os.dup(1)
descriptor = os.open("captured.txt", os.O_RDWR | os.O_CREAT)
os.dup2(descriptor, 1)
print("captured", flush=True)
os.dup2(kept, 1)
print("restored:", os.pread(descriptor, 100, 0))

import sys

print("written before")
sys.stdout.detach()

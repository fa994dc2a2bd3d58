import sys

print("number")
sys.exit(17)

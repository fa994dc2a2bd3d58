import os
import sys

os.close(2)
print("into nothing", file=sys.stderr)
print("output")

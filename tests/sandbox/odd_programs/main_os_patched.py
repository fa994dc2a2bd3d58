import gc
import os
import sys

os._exit = sys.exit = gc.collect = os.getpid = None
print("patched")

import subprocess
import sys

process = subprocess.Popen(
    [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
)
print("not waited for")

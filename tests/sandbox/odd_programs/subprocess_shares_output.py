import subprocess
import sys

print("first", flush=True)
subprocess.run([sys.executable, "-c", "print('second')"], check=True)
print("third")

import subprocess
import sys

subprocess.run([sys.executable, "-c", "print(input().upper())"], check=True)

import subprocess
import sys

done = subprocess.run(
    [sys.executable, "-c", "print(input()[::-1])"], input="abc", capture_output=True, text=True, check=True
)
print(done.stdout.strip(), done.returncode)

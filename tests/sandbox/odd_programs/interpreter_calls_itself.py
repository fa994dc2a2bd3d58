import subprocess
import sys

if len(sys.argv) > 1:
    print("child", sys.argv[1], flush=True)
    sys.exit(int(sys.argv[1]))
codes = [subprocess.run([sys.executable, __file__, str(number)]).returncode for number in range(3)]
print(codes)

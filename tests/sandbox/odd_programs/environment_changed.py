import os
import subprocess
import sys

os.environ["ODD"] = "set here"
subprocess.run([sys.executable, "-c", "import os; print(os.environ['ODD'])"], check=True)
print(os.environ.get("NOT_SET"), os.environb[b"ODD"])

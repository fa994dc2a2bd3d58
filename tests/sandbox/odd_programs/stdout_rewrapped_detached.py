import io
import sys

sys.stdout = io.TextIOWrapper(sys.stdout.detach(), encoding="utf-16-le", line_buffering=True)
print("wide")

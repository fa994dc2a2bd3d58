import sys

try:
    sys.exit(1)
except SystemExit as leaving:
    print("caught", leaving.code)
print("end")

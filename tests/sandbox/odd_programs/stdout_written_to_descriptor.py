import os

print("last, as it is buffered")
os.write(1, b"first\n")

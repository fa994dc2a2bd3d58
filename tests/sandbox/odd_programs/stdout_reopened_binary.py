import sys

out = open(1, "wb", closefd=False)
print("text first", flush=True)
out.write(b"then bytes\n")

import sys

out = open(1, "w", closefd=False)
out.write("through a file of its own\n")
print("through print")
sys.stdout.flush()

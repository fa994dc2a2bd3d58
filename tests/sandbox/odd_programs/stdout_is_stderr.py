import os

os.dup2(2, 1)
print("to the error output")

import os

print("lost in the file")
descriptor = os.open("captured.txt", os.O_WRONLY | os.O_CREAT)
os.dup2(descriptor, 1)
print("lost as well")

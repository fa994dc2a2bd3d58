import os

reading, writing = os.pipe()
os.dup2(writing, 1)
os.close(writing)
os.close(reading)
print("into a broken pipe")

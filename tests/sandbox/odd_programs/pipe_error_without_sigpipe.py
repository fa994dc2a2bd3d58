import os

reading, writing = os.pipe()
os.close(reading)
try:
    os.write(writing, b"into nothing")
except BrokenPipeError as error:
    print(error)

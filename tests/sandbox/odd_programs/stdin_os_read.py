import os

data = b""
while part := os.read(0, 3):
    data += part
print(data)

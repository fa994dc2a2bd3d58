import tempfile

file = tempfile.NamedTemporaryFile("w+", dir=".")
file.write("text")
file.seek(0)
print(file.read())

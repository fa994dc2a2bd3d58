import tempfile

folder = tempfile.TemporaryDirectory(dir=".")
with open(f"{folder.name}/file.txt", "w") as file:
    file.write("text")
print("left to its finalizer")

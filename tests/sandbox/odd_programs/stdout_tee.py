import sys


class Tee:
    def __init__(self, *files):
        self.files = files

    def write(self, text):
        for file in self.files:
            file.write(text)

    def flush(self):
        for file in self.files:
            file.flush()


sys.stdout = Tee(sys.stdout, open("copy.txt", "w"))
print("to both")

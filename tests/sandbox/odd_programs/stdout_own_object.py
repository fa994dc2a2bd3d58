import sys


class Shouting:
    def __init__(self, file):
        self.file = file

    def write(self, text):
        self.file.write(text.upper())


sys.stdout = Shouting(sys.stdout)
print("no flush method")

import sys


class Counting:
    def __init__(self, file):
        self.file, self.count = file, 0

    def write(self, text):
        self.file.write(text)

    def flush(self):
        self.count += 1
        self.file.write(f"flush {self.count}\n")


sys.stdout = Counting(sys.stdout)
print("counted")

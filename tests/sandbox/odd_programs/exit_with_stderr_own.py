import sys


class Loud:
    def write(self, text):
        sys.stdout.write(text.upper())

    def flush(self):
        sys.stdout.write("[flush]")


sys.stderr = Loud()
sys.exit("quiet words")

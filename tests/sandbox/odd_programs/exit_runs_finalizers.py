import sys


class Thing:
    def __del__(self):
        print("deleted")


def main():
    thing = Thing()
    sys.exit(int(thing is None))


main()

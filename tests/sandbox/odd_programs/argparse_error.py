import argparse

parser = argparse.ArgumentParser(description="Adds.")
parser.add_argument("numbers", type=int, nargs="+")
print(parser.parse_args())

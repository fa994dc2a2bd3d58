import sys

print("grün ∞ \udcff", file=sys.stderr)

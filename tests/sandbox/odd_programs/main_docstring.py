"""The documentation of the program."""

print(__doc__)

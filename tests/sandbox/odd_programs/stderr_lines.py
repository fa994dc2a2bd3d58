import sys

sys.stderr.write("no newline yet")
sys.stderr.write(", now\n")
sys.stderr.write("the last without one")

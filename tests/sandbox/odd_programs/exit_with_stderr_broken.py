import sys

sys.stderr = object()
sys.exit("nobody hears me?")

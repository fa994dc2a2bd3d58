import sys

sys.exit("größer als ∞ \udc80")

import sys

print("output")
sys.exit("this is the message")

import sys

text = input()
print(ascii(text), text.encode("utf-8", "surrogateescape"))
sys.stdout.write(text)

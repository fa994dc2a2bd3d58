import sys

try:
    1 // 0
except ZeroDivisionError as error:
    kept = error
sys.stdout.write("raise again\n")
raise kept

import io
import sys

sys.stdin = io.StringIO("from a string\n")
print(input("prompt "))
sys.stdin = sys.__stdin__
print(input())

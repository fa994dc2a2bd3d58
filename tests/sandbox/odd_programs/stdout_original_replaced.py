import io
import sys


class Thing:
    def __del__(self):
        print("into the replaced original")


thing = Thing()
sys.__stdout__ = io.StringIO()
print("shown")

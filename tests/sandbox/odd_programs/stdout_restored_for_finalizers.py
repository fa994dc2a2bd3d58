import io
import sys


class Thing:
    def __del__(self):
        print("shown, as sys.stdout is the original again")


thing = Thing()
sys.stdout = io.StringIO()
print("never seen")

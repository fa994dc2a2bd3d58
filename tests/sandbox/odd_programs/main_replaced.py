import sys
import types

fake = types.ModuleType("fake")
fake.value = 5
sys.modules["__main__"] = fake
import __main__

print(__main__.value, __name__)


class Thing:
    def __del__(self):
        print("deleted")


thing = Thing()

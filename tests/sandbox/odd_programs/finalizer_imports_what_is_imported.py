import math


class Thing:
    def __del__(self):
        print("importing", math.pi)
        import math as again

        print("imported", again.__name__)


thing = Thing()

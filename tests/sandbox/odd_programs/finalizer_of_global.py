class Thing:
    def __init__(self, name):
        self.name = name

    def __del__(self):
        print("deleted", self.name)


first, second, _third = Thing("first"), Thing("second"), Thing("third")
print("end")

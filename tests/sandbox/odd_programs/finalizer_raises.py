class Thing:
    def __del__(self):
        print("deleted")
        raise ValueError("in a finalizer")


thing = Thing()

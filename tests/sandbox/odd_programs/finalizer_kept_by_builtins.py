import builtins


class Thing:
    def __del__(self):
        print("deleted with builtins")


builtins.thing = Thing()
print(thing is builtins.thing)

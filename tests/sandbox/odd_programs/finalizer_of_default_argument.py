class Thing:
    def __del__(self):
        print("deleted with the function")


def function(thing=Thing()):
    return thing


print(function() is function())

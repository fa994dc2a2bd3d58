class Thing:
    def __del__(self):
        print("deleted with the class")


class Holder:
    thing = Thing()


print(Holder.thing is Holder().thing)

class Meta(type):
    def __new__(mcs, name, bases, namespace):
        print("making", name)
        return super().__new__(mcs, name, bases, namespace)

    def __del__(cls):
        print("unmaking", cls.__name__)


class Made(metaclass=Meta):
    pass


print(type(Made).__name__)

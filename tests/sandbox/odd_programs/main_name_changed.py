__name__ = "other"


class Thing:
    pass


print(Thing.__module__, __name__ == "__main__")

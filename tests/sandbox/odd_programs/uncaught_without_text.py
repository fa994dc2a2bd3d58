class Silent(Exception):
    def __str__(self):
        raise RuntimeError("no words")


raise Silent

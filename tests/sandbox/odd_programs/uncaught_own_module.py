class Odd(Exception):
    __module__ = "somewhere.else"


raise Odd("from afar")

try:
    int("x")
except ValueError:
    {}["y"]

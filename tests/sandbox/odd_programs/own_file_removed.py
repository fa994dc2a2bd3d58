import os


def fails():
    raise ValueError("without a source line")


os.remove(__file__)
fails()

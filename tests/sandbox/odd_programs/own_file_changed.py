import pathlib


def fails():
    raise ValueError("the line of the changed file is shown")


pathlib.Path(__file__).write_text("# changed\n" * 20)
fails()

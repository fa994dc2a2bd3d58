raise ValueError("first line\nsecond line\n" + "x" * 5000)

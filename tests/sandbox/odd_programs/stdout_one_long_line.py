print("x" * 300_000, end="")

with open(0, "rb") as file:
    print(file.read(5), file.readline())

global counter
counter = 1


def count():
    global counter
    counter += 1


count()
print(counter)

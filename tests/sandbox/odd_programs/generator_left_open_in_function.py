def numbers():
    try:
        while True:
            yield 1
    finally:
        print("closed early")


def use():
    generator = numbers()
    next(generator)


use()
print("end")

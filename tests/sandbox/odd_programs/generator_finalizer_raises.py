def numbers():
    try:
        yield 1
    finally:
        print(missing_name)


generator = numbers()
next(generator)

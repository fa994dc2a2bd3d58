def numbers():
    try:
        yield from range(10)
    finally:
        print("closed")


generator = numbers()
print(next(generator), next(generator))

for number in range(50_000):
    print(number)

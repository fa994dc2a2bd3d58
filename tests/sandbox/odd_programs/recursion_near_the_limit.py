def depth(number):
    return number if number == 0 else 1 + depth(number - 1)


print(depth(950))

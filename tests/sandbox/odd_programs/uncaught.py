def fails(number):
    return 1 // number


print("before")
fails(0)

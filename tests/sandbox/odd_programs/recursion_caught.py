def forever(number):
    return forever(number + 1)


try:
    forever(0)
except RecursionError as error:
    print(error)

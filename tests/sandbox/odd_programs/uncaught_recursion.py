def forever():
    return forever()


forever()

async def work():
    print("never")


def drop():
    work()


drop()
print("end")

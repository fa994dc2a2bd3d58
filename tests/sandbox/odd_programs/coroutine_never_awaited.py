async def work():
    print("never")


coroutine = work()
print("end")

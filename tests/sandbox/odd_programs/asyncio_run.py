import asyncio


async def work(number):
    await asyncio.sleep(0)
    return number * number


async def main():
    print(await asyncio.gather(*(work(number) for number in range(5))))
    print(asyncio.current_task().get_name())


asyncio.run(main())

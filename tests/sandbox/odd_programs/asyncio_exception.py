import asyncio


async def main():
    async with asyncio.TaskGroup() as group:
        group.create_task(asyncio.sleep(0))
        group.create_task(fails())


async def fails():
    raise ValueError("in a task")


asyncio.run(main())

import asyncio
import sys


async def main():
    try:
        sys.exit(4)
    finally:
        print("finally")


asyncio.run(main())

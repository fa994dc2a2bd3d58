import asyncio
import threading


def work():
    print(asyncio.run(asyncio.sleep(0, "from the thread")))


thread = threading.Thread(target=work)
thread.start()
thread.join()
print(asyncio.run(asyncio.to_thread(lambda: threading.current_thread() is threading.main_thread())))

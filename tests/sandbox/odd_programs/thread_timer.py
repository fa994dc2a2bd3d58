import threading


def tick():
    threading.main_thread().join()
    print("tick")


threading.Timer(0.01, tick).start()
cancelled = threading.Timer(60, print, ["never"])
cancelled.start()
cancelled.cancel()
print("main")

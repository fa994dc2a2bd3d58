import atexit
import threading


def work():
    threading.main_thread().join()
    print("thread")


atexit.register(print, "callback")
threading.Thread(target=work).start()
print("main")

import threading


def work():
    threading.main_thread().join()
    print("thread ends last")


threading.Thread(target=work).start()
raise ValueError("main fails")

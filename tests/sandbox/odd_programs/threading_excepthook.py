import threading


def hook(arguments):
    print("hook:", arguments.exc_type.__name__, arguments.exc_value, arguments.thread.name)


def work():
    raise ValueError("in a thread")


threading.excepthook = hook
thread = threading.Thread(target=work, name="worker")
thread.start()
thread.join()

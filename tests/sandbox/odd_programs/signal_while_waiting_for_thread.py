import os
import signal
import threading

gate = threading.Event()


def handler(number, frame):
    print("handled", flush=True)
    gate.set()


def work():
    os.kill(os.getpid(), signal.SIGUSR1)
    gate.wait()
    print("thread ends")


signal.signal(signal.SIGUSR1, handler)
threading.Thread(target=work).start()

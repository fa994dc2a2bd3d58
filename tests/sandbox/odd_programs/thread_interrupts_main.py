import _thread
import threading

gate = threading.Event()


def work():
    gate.wait()
    _thread.interrupt_main()


thread = threading.Thread(target=work)
thread.start()
try:
    gate.set()
    while True:
        pass
except KeyboardInterrupt:
    print("interrupted")

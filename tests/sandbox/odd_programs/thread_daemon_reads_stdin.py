import sys
import threading

started = threading.Event()


def work():
    started.set()
    threading.Event().wait()
    sys.stdin.read()


threading.Thread(target=work, daemon=True).start()
started.wait()
print("end")

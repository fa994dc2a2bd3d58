import sys
import threading


def work():
    print("thread leaves")
    sys.exit(5)


thread = threading.Thread(target=work)
thread.start()
thread.join()
print("main goes on")

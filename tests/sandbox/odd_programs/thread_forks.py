import os
import sys
import threading


def work():
    child = os.fork()
    if child == 0:
        print("child of a thread", threading.current_thread() is threading.main_thread())
        sys.stdout.flush()
        os._exit(6)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


thread = threading.Thread(target=work)
thread.start()
thread.join()

import atexit
import os
import signal

atexit.register(os.kill, os.getpid(), signal.SIGUSR1)
signal.signal(signal.SIGUSR1, lambda number, frame: print("handled at exit"))
print("end")

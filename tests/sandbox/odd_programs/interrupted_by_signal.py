import os
import signal

print("before")
os.kill(os.getpid(), signal.SIGINT)
signal.pause()
print("never")

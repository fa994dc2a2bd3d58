import os
import signal

signal.signal(signal.SIGCHLD, lambda number, frame: print("a child ended"))
child = os.fork()
if child == 0:
    os._exit(3)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))

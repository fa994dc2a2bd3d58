import os

child = os.fork()
if child == 0:
    raise KeyboardInterrupt
print("status", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))

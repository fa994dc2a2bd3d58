import os
import sys

child = os.fork()
if child == 0:
    print("child")
    sys.exit(12)
print("status", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))

import os
import sys

if len(sys.argv) == 1:
    child = os.posix_spawn(sys.executable, [sys.executable, __file__, "child"], os.environ)
    print("status", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
else:
    print("child", sys.argv[1:], flush=True)
    sys.exit(21)

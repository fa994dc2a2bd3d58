import os
import sys

print(os.path.isabs(__file__), os.path.samefile(__file__, sys.argv[0]), len(sys.argv))
print(sys.path[0] == os.path.dirname(__file__) == os.getcwd(), os.path.basename(__file__) in os.listdir())
print(sys.orig_argv[1:] == sys.argv, os.path.samefile(sys.orig_argv[0], sys.executable))

import gc
import sys

print(sys.getrecursionlimit(), sys.getswitchinterval(), sys.get_int_max_str_digits(), sys.gettrace(), sys.getprofile())
print(gc.isenabled(), gc.get_threshold(), gc.get_debug(), gc.callbacks, gc.garbage)
print(sys.getdefaultencoding(), sys.getfilesystemencoding(), sys.getfilesystemencodeerrors(), sys.warnoptions)
print(sys.get_asyncgen_hooks(), sys.get_coroutine_origin_tracking_depth(), sys.dont_write_bytecode, sys._xoptions)

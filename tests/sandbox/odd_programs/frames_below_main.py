import inspect
import sys

print([frame.function for frame in inspect.stack()], sys._getframe().f_back)
try:
    sys._getframe(1)
except ValueError as error:
    print(error)
print(sys.exc_info(), len(sys._current_frames()))

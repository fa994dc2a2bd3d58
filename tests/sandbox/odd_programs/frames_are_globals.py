import sys

frame = sys._getframe()
print(frame.f_globals is globals(), frame.f_locals is globals(), frame.f_code.co_name, frame.f_trace)

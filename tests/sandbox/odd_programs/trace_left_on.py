import sys

calls = []


def trace(frame, event, argument):
    calls.append(frame.f_code.co_name)
    return trace


def function():
    return 1


sys.settrace(trace)
function()
print(calls)

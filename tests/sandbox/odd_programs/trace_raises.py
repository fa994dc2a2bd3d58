import sys


def trace(frame, event, argument):
    raise ValueError("in the tracer")


def function():
    return 1


sys.settrace(trace)
function()

import sys
import traceback


def hook(kind, error, trace):
    print("".join(traceback.format_exception(error)).count("File"))
    print(sys.last_value is error, sys.last_type is kind, sys.last_traceback is trace)
    print(sys.exc_info())


sys.excepthook = hook
raise ValueError("original")

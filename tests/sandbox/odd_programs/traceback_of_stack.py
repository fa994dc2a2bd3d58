import sys
import traceback


def inner():
    for frame in traceback.extract_stack():
        print(frame.name, frame.lineno, frame.line)


inner()
traceback.print_stack(file=sys.stderr)

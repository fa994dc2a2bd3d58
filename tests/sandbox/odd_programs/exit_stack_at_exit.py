import atexit
import contextlib

stack = contextlib.ExitStack()
atexit.register(stack.close)
stack.callback(print, "first in, last out")
stack.enter_context(contextlib.closing(open("left_open.txt", "w")))
stack.callback(print, "last in")

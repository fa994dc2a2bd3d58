import builtins

for name in ("print", "getattr", "isinstance", "issubclass", "str", "type", "open", "vars", "BaseException"):
    builtins.__dict__[name] = None
import sys

sys.stdout.write("written\n")

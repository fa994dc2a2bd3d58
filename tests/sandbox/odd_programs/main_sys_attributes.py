import sys

for name in sorted(vars(sys)):
    value = getattr(sys, name)
    if type(value) in (int, float, str, bool, type(None)) and name not in ("executable", "_base_executable"):
        print(name, repr(value))
    elif name not in ("modules", "flags"):
        print(name, type(value).__name__)

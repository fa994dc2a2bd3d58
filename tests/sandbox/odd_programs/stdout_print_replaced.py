import builtins
import functools
import sys

print = functools.partial(print, flush=True)
print("flushed")
builtins.print = lambda *words: sys.stdout.write(" ".join(map(str, words)) + "!\n")
del print
print("replaced", "everywhere")

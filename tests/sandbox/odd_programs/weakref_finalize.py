import weakref


class Thing:
    pass


thing = Thing()
weakref.finalize(thing, print, "finalized at exit")
weakref.finalize(thing, print, "never").atexit = False
temporary = Thing()
weakref.finalize(temporary, print, "finalized early")
del temporary

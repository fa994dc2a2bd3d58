import weakref


class Thing:
    pass


thing = Thing()
reference = weakref.ref(thing, lambda dead: print("gone", dead is reference))
del thing
other = Thing()
late = weakref.ref(other, lambda dead: print("gone late"))

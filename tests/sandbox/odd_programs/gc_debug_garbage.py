import gc


class Node:
    def __init__(self):
        self.me = self


gc.set_debug(gc.DEBUG_SAVEALL)
Node()
gc.collect()
print(len(gc.garbage) > 0)
gc.set_debug(0)
gc.garbage.clear()

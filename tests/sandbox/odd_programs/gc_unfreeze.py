import gc


class Node:
    def __init__(self):
        self.me = self

    def __del__(self):
        print("collected")


Node()
gc.unfreeze()
print(gc.collect() > 0, gc.get_freeze_count())

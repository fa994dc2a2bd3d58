import threading


class Thing:
    def __init__(self, name):
        self.name = name

    def __del__(self):
        print("deleted", self.name)


local = threading.local()
local.thing = Thing("main")


def work():
    local.thing = Thing("thread")


thread = threading.Thread(target=work)
thread.start()
thread.join()
print("end")

import faulthandler
import os
import signal

faulthandler.enable()


def crash():
    os.kill(os.getpid(), signal.SIGABRT)


crash()

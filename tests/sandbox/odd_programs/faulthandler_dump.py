import faulthandler


def inner():
    faulthandler.dump_traceback()


inner()

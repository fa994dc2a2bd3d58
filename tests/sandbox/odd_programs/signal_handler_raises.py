import signal


class TooLate(Exception):
    pass


def handler(number, frame):
    raise TooLate("time is up")


signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.01)
while True:
    pass

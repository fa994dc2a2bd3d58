import signal

for number in sorted(signal.valid_signals()):
    handler = signal.getsignal(number)
    if handler is not signal.SIG_DFL:
        print(signal.Signals(number).name, getattr(handler, "__name__", handler))
print(sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])))
print(signal.set_wakeup_fd(-1), signal.getitimer(signal.ITIMER_REAL))

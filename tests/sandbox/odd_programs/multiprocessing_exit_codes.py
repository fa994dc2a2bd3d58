import multiprocessing
import os
import signal
import sys


def work(how):
    if how == "exit":
        sys.exit(5)
    if how == "raise":
        raise ValueError("in the child")
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    for how in ("return", "exit", "raise", "kill"):
        process = context.Process(target=work, args=(how,))
        process.start()
        process.join()
        print(how, process.exitcode)

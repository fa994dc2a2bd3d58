import multiprocessing
import signal


def work():
    signal.pause()
    print("never")


if __name__ == "__main__":
    multiprocessing.get_context("fork").Process(target=work, daemon=True).start()
    print("main ends")

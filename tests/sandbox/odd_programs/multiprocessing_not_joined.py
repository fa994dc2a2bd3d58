import multiprocessing


def work():
    print("child ends", flush=True)


if __name__ == "__main__":
    print("main ends", flush=True)
    multiprocessing.get_context("fork").Process(target=work).start()

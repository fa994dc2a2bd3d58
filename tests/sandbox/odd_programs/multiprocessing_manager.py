import multiprocessing


def work(shared):
    shared["child"] = True


if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    with context.Manager() as manager:
        shared = manager.dict()
        process = context.Process(target=work, args=(shared,))
        process.start()
        process.join()
        print(dict(shared))

import multiprocessing

print("imported as", __name__, flush=True)


def work(queue):
    queue.put(("from", __name__))


if __name__ == "__main__":
    context = multiprocessing.get_context("spawn")
    queue = context.SimpleQueue()
    process = context.Process(target=work, args=(queue,))
    process.start()
    print(queue.get())
    process.join()
    print(process.exitcode)

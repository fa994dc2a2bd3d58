import multiprocessing


class Thing:
    value = 11


def work(thing, queue):
    queue.put(thing.value)


if __name__ == "__main__":
    context = multiprocessing.get_context("forkserver")
    queue = context.SimpleQueue()
    process = context.Process(target=work, args=(Thing(), queue))
    process.start()
    print(queue.get())
    process.join()

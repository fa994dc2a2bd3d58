import multiprocessing


def work(value):
    with value.get_lock():
        value.value += 5


if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    value = context.Value("i", 1)
    processes = [context.Process(target=work, args=(value,)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    print(value.value)

import multiprocessing


def work(jobs, results):
    for job in iter(jobs.get, None):
        results.put(job * 10)


if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    jobs, results = context.Queue(), context.Queue()
    process = context.Process(target=work, args=(jobs, results))
    process.start()
    for job in (1, 2, 3, None):
        jobs.put(job)
    print([results.get() for _ in range(3)])
    process.join()

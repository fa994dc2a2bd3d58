import multiprocessing


def work(end):
    end.send([number * 2 for number in end.recv()])


if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe()
    process = context.Process(target=work, args=(there,))
    process.start()
    here.send([1, 2, 3])
    print(here.recv())
    process.join()

import multiprocessing


def work(number):
    print("in the child", number, multiprocessing.current_process().name)


if __name__ == "__main__":
    process = multiprocessing.get_context("fork").Process(target=work, args=(7,))
    process.start()
    process.join()
    print("exit code", process.exitcode)

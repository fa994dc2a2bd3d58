import multiprocessing


def fails(number):
    raise ValueError(number)


if __name__ == "__main__":
    with multiprocessing.get_context("fork").Pool(1) as pool:
        pool.map(fails, [1])

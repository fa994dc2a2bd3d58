import multiprocessing


def square(number):
    return number * number


if __name__ == "__main__":
    pool = multiprocessing.get_context("fork").Pool(2)
    print(pool.apply(square, (9,)))

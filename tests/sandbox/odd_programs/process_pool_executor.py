import multiprocessing
from concurrent.futures import ProcessPoolExecutor


def cube(number):
    return number**3


if __name__ == "__main__":
    with ProcessPoolExecutor(2, multiprocessing.get_context("fork")) as pool:
        print(list(pool.map(cube, range(6))))

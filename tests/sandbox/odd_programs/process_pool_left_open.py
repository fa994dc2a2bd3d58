import multiprocessing
from concurrent.futures import ProcessPoolExecutor


def cube(number):
    return number**3


if __name__ == "__main__":
    pool = ProcessPoolExecutor(1, multiprocessing.get_context("fork"))
    print(pool.submit(cube, 3).result())

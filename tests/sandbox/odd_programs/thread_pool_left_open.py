from concurrent.futures import ThreadPoolExecutor

pool = ThreadPoolExecutor(2)
print(sorted(pool.map(lambda number: number * number, range(10))))
pool.submit(print, "in the pool")

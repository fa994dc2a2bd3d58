import functools


class Thing:
    def __del__(self):
        print("deleted with the cache")


@functools.lru_cache(maxsize=None)
def cached(number):
    return Thing()


print(cached(1) is cached(1))

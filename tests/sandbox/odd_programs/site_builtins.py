print(exit, quit)
print(callable(copyright), callable(credits), callable(license), type(help).__name__)

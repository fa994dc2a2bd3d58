import sys

import __main__

print(__main__ is sys.modules["__main__"], vars(__main__) is globals(), __name__, __main__.__file__ == __file__)
print(repr(__main__).replace(__file__, "FILE"))
print(dir())

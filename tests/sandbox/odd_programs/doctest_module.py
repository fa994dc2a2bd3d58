"""Doubles.

>>> double(2)
4
"""


def double(number):
    """Double.

    >>> double(3)
    6
    """
    return 2 * number


import doctest

print(doctest.testmod())

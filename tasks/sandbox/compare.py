"""Whether a program printed what was expected."""

import re
from decimal import Decimal, InvalidOperation

# In ASCII alone, and without what only Python takes for a number: `1_000`, `inf`, `nan`.
WHOLE = re.compile(r"[+-]?[0-9]++")
NUMBER = re.compile(r"[+-]?(?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)(?:[eE][+-]?[0-9]++)?")


def same_output(printed: str, expected: str) -> bool:
    """Compare line by line, each token by token; the amount of white space, and blank lines at the end, are aside.

    Tokens are the same if their text is, or if both are numbers of the same decimal value (`1.0` and `1`, `1e5` and
    `100000`), as LiveCodeBench has it. Of two whole numbers the digits have to be the same: `0010` may be a row of a
    picture. Nothing is evaluated.
    """
    got, wanted = _lines(printed), _lines(expected)
    return got == wanted or (
        len(got) == len(wanted) and all(map(_same_line, got, wanted))
    )  # fmt: skip


def first_difference(printed: str, expected: str) -> int:
    """The number of the first line that differs, from 1; for texts that are not the same."""
    got, wanted = _lines(printed), _lines(expected)
    for number, pair in enumerate(zip(got, wanted, strict=False), start=1):
        if not _same_line(*pair):
            return number
    return min(len(got), len(wanted)) + 1


def _lines(text: str) -> list[str]:
    lines = [line.rstrip() for line in text.split("\n")]
    while lines and not lines[-1]:
        lines.pop()
    return lines


def _same_line(got: str, wanted: str) -> bool:
    if got == wanted:
        return True
    mine, theirs = got.split(), wanted.split()
    return len(mine) == len(theirs) and all(map(_same_token, mine, theirs))


def _same_token(got: str, wanted: str) -> bool:
    if got == wanted:
        return True
    if not (NUMBER.fullmatch(got) and NUMBER.fullmatch(wanted)):
        return False
    if WHOLE.fullmatch(got) and WHOLE.fullmatch(wanted) and got.lstrip("+-") != wanted.lstrip("+-"):
        return False
    try:
        return Decimal(got) == Decimal(wanted)
    except InvalidOperation:  # an exponent that no decimal can have
        return False

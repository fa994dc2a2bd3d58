"""What loaders read the fields of a row with: Python source, assertions, JSON inside of text, tests with numpy."""

import ast
import json
from collections.abc import Callable, Iterator, Mapping, Sequence

from tasks.python_source import syntax_tree

# Whether a result is right within tolerances, as numpy's allclose says it of numbers and of lists as long as another.
NEAR = """\
def near(got, expected, rtol, atol):
    if isinstance(got, (list, tuple)) and isinstance(expected, (list, tuple)):
        return len(got) == len(expected) and all(near(a, b, rtol, atol) for a, b in zip(got, expected))
    if not (isinstance(got, (int, float, complex)) and isinstance(expected, (int, float, complex))):
        return False
    finite = abs(expected) < float("inf")
    return got == expected or (finite and abs(got - expected) <= atol + rtol * abs(expected))
"""
# What published tests use of numpy, and names in the results that they hold as Python prints them. Graders have no
# numpy, and to load it takes longer than most tests.
NUMPY = """\
from collections import Counter, OrderedDict, defaultdict, deque
from math import inf, nan


class {name}:
    class ndarray:
        pass

    class testing:
        @staticmethod
        def assert_allclose(actual, desired, rtol=1e-07, atol=0):
            assert near(actual, desired, rtol, atol)

    @staticmethod
    def allclose(a, b, rtol=1e-05, atol=1e-08):
        return near(a, b, rtol, atol)

    float32 = float64 = float
"""
OF_NUMPY = {"ndarray", "testing", "allclose", "float32", "float64"}
LONG_NUMBER = "Exceeds the limit"  # how Python begins to say that a number has more digits than it reads

Row = Mapping[str, object]
Note = Callable[[str], None]  # is told what part of a row is left out, and why


class Unusable(Exception):
    """A row of the right fields that holds no problem which can be graded; the text says why. The others can."""


class Missing(ValueError):
    """A row without a field that every row of its dataset has."""


class Refused(ValueError):
    """A row that must not be read at all; nothing of its dataset is."""


def python(field: str, text: object) -> list[ast.stmt]:
    """Return the statements of a field that must be Python; raises ValueError, or Unusable for too long a number."""
    try:
        return syntax_tree(str(text)).body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as fault:
        if LONG_NUMBER in str(fault):
            raise Unusable(f"field {field!r} holds a number of more digits than Python reads") from None
        raise ValueError(f"field {field!r} is not Python ({fault}): {' '.join(str(text).split())[:80]}") from None


def assertions(row: Row, field: str, note: Note) -> tuple[str, ...]:
    """Return a field's list of assertions; () where it is missing or null. One that is not Python is left out.

    Published datasets hold a few of those: they are no reason to refuse the rest. Raises ValueError for no list.
    """
    found = row.get(field) or []
    if not (isinstance(found, list) and all(isinstance(each, str) for each in found)):
        raise ValueError(f"field {field!r} is not a list of assertions")
    kept = []
    for each in found:
        try:
            python(field, each)
        except (ValueError, Unusable) as fault:
            note(f"left out: {fault}")
        else:
            kept.append(each)
    return tuple(kept)


def without_numpy(test: str, parts: list[ast.stmt]) -> str:
    """Return the source of tests, whose statements are `parts`, with a stand-in for numpy where they import it.

    Raises Unusable where they use more of it than the stand-in has.
    """
    imports = [part for part in parts if isinstance(part, ast.Import) and part.names[0].name == "numpy"]
    if not imports:
        return test
    name = imports[0].names[0].asname or "numpy"
    for used in _attributes_of(name, parts):
        if used not in OF_NUMPY:
            raise Unusable(f"its tests use numpy.{used}, which graders do not have")
    lines = test.split("\n")
    for part in imports:
        lines[part.lineno - 1 : part.end_lineno] = [""] * ((part.end_lineno or part.lineno) - part.lineno + 1)
    lines[imports[0].lineno - 1] = f"{NEAR}\n\n{NUMPY.format(name=name)}"
    return "\n".join(lines)


def _attributes_of(name: str, parts: Sequence[ast.AST]) -> Iterator[str]:
    """Yield what is used of a module. Lists of values are not looked into: there are megabytes of them."""
    for part in parts:
        if isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name) and part.value.id == name:
            yield part.attr
        elif not isinstance(part, ast.List | ast.Tuple | ast.Dict | ast.Set):
            yield from _attributes_of(name, list(ast.iter_child_nodes(part)))


def texts(row: Row, field: str) -> tuple[str, ...]:
    """Return a field's list of texts; () where it is missing or null. Raises ValueError for anything else."""
    found = row.get(field) or []
    if not (isinstance(found, list) and all(isinstance(each, str) for each in found)):
        raise ValueError(f"field {field!r} is not a list of texts")
    return tuple(found)


def unpacked(row: Row, field: str) -> object:
    """Return a field's value, read once more where it is JSON in a text; None where it is missing or empty.

    Raises ValueError where it is no JSON, or Unusable for too long a number.
    """
    value = row.get(field)
    if not isinstance(value, str):
        return value
    if not value.strip():
        return None
    try:
        found = json.loads(value)
        json.dumps(found, ensure_ascii=False).encode()  # half a surrogate pair can be neither sent nor stored
        return found
    except (ValueError, RecursionError) as fault:
        if str(fault).startswith(LONG_NUMBER):
            raise Unusable(f"field {field!r} holds a number of more digits than Python reads") from None
        raise ValueError(f"field {field!r} is not JSON ({fault})") from None


def id_of(row: Row, *fields: str) -> str:
    """Return the first of some fields that holds a name or a number; raises Missing where none does."""
    for field in fields:
        value = row.get(field)
        if (isinstance(value, str) and value.strip()) or (isinstance(value, int) and not isinstance(value, bool)):
            return str(value)
    others = " or ".join(repr(field) for field in fields[1:])
    raise Missing(f"field {fields[0]!r} is missing" + (f", and there is no {others} either" if others else ""))

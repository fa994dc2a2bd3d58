"""What loaders read the fields of a row with: Python source, assertions, JSON inside of text."""

import ast
import json
from collections.abc import Callable, Mapping

from tasks.python_source import syntax_tree

Row = Mapping[str, object]
Note = Callable[[str], None]  # is told what part of a row is left out, and why


class Unusable(Exception):
    """A row of the right fields that holds no problem which can be graded; the text says why. The others can."""


def python(field: str, text: object) -> list[ast.stmt]:
    """Return the statements of a field that must be Python; raises ValueError."""
    try:
        return syntax_tree(str(text)).body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as fault:
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
        except ValueError as fault:
            note(f"left out: {fault}")
        else:
            kept.append(each)
    return tuple(kept)


def texts(row: Row, field: str) -> tuple[str, ...]:
    """Return a field's list of texts; () where it is missing or null. Raises ValueError for anything else."""
    found = row.get(field) or []
    if not (isinstance(found, list) and all(isinstance(each, str) for each in found)):
        raise ValueError(f"field {field!r} is not a list of texts")
    return tuple(found)


def unpacked(row: Row, field: str) -> object:
    """Return a field's value, read once more where it is JSON in a text; None where it is missing or empty."""
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
        raise ValueError(f"field {field!r} is not JSON ({fault})") from None


def id_of(row: Row, *fields: str) -> str:
    """Return the first of some fields that holds a name or a number; raises ValueError where none does."""
    for field in fields:
        value = row.get(field)
        if (isinstance(value, str) and value.strip()) or (isinstance(value, int) and not isinstance(value, bool)):
            return str(value)
    others = " or ".join(repr(field) for field in fields[1:])
    raise ValueError(f"field {fields[0]!r} is missing" + (f", and there is no {others} either" if others else ""))

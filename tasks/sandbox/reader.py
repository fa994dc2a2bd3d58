"""The bounded reader of what a program that nobody trusts sent: marshal's format, version 2.

Covered: the plain types alone (no code objects, no references); iterative, so depth costs no stack; every length is
checked against the bytes that are there before anything is made of it; integers of any size in n log n.
Not covered: the cost of hashing what was sent (values can be made to collide), which the judge's own CPU limit
bounds.
"""

from collections.abc import Callable
from struct import Struct, error
from typing import Any

from tasks.sandbox.values import Malformed

DEEPEST = 500

_NONE, _TRUE, _FALSE, _ELLIPSIS, _INT, _LONG, _FLOAT, _COMPLEX, _STR, _BYTES = b"NTF.ilgyus"
_TUPLE, _LIST, _SET, _FROZENSET, _DICT, _END = b"([<>{0"
_CONSTANTS = {_NONE: None, _TRUE: True, _FALSE: False, _ELLIPSIS: Ellipsis}
_CONTAINERS: dict[int, Callable[[list[Any]], Any]] = {
    _TUPLE: tuple, _LIST: lambda parts: parts, _SET: set, _FROZENSET: frozenset,
    _DICT: lambda parts: dict(zip(parts[::2], parts[1::2], strict=True)),
}  # fmt: skip
_int_at, _length_at = Struct("<i").unpack_from, Struct("<I").unpack_from
_float_at, _complex_at = Struct("<d").unpack_from, Struct("<dd").unpack_from


def read(data: bytes, position: int = 0) -> Any:
    """The value in `data` from `position` on. Raises Malformed where it is not exactly one plain value."""
    try:
        value, end = _read(data, position)
    except (error, IndexError) as problem:
        raise Malformed("the bytes end early") from problem
    except (TypeError, ValueError) as problem:
        raise Malformed("a text or container of wrong parts") from problem
    if end != len(data):
        raise Malformed("bytes after the value")
    return value


def _read(data: bytes, position: int) -> tuple[Any, int]:
    """One value and the position after it. `parts` are those of the container `tag` which lacks `left` more.

    A dict has no count, so that `left` is below 0, and ends with `0`.
    """
    size = len(data)
    outer: list[tuple[int, int, list[Any]]] = []
    tag, left, parts = _LIST, 1, list[Any]()
    while True:
        kind = data[position]
        position += 1
        if kind == _INT:
            parts.append(_int_at(data, position)[0])
            position += 4
        elif kind in (_STR, _BYTES):
            end = position + 4 + _length_at(data, position)[0]
            if end > size:
                raise Malformed("a length beyond the bytes")
            body = data[position + 4 : end]
            parts.append(body.decode("utf-8", "surrogatepass") if kind == _STR else body)
            position = end
        elif kind in _CONTAINERS:
            count = -1
            if kind != _DICT:
                count = _length_at(data, position)[0]
                position += 4
                if count > size - position:  # each part takes one byte or more
                    raise Malformed("a length beyond the bytes")
            if count:
                if len(outer) >= DEEPEST:
                    raise Malformed("nested too deeply")
                outer.append((tag, left, parts))
                tag, left, parts = kind, count, []
                continue
            parts.append(_CONTAINERS[kind]([]))
        elif kind == _FLOAT:
            parts.append(_float_at(data, position)[0])
            position += 8
        elif kind in _CONSTANTS:
            parts.append(_CONSTANTS[kind])
        elif kind == _END and tag == _DICT:
            value = _CONTAINERS[_DICT](parts)
            tag, left, parts = outer.pop()
            parts.append(value)
        elif kind == _LONG:
            value, position = _long(data, position)
            parts.append(value)
        elif kind == _COMPLEX:
            parts.append(complex(*_complex_at(data, position)))
            position += 16
        else:
            raise Malformed(f"unknown tag {kind}")
        left -= 1
        while not left:
            if not outer:
                return parts[0], position
            value = _CONTAINERS[tag](parts)
            tag, left, parts = outer.pop()
            parts.append(value)
            left -= 1


def _long(data: bytes, position: int) -> tuple[int, int]:
    """An integer of 15-bit digits, least first; neighbours are joined pairwise to stay in n log n."""
    signed = _int_at(data, position)[0]
    start, end = position + 4, position + 4 + 2 * abs(signed)
    if end > len(data):
        raise Malformed("a length beyond the bytes")
    digits = [int.from_bytes(data[place : place + 2], "little") for place in range(start, end, 2)]
    if any(digit >> 15 for digit in digits):
        raise Malformed("an integer's digit is too large")
    bits = 15
    while len(digits) > 1:
        if len(digits) % 2:
            digits.append(0)
        digits = [low | high << bits for low, high in zip(digits[::2], digits[1::2], strict=True)]
        bits *= 2
    value = digits[0] if digits else 0
    return (-value if signed < 0 else value), end

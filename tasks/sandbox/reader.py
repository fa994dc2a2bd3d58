"""The bounded reader of what a program that nobody trusts sent: marshal's format, version 2.

Covered: the plain types alone (no code objects, no references); iterative, so depth costs no stack;
every length is checked against the bytes that are there before anything is made of it; integers of any
size in n log n.
Not covered: the cost of hashing what was sent (values can be made to collide), which the judge's own
CPU limit bounds.
"""

from tasks.sandbox.values import Malformed

DEEPEST = 500

_CONSTANTS = {ord("N"): None, ord("T"): True, ord("F"): False, ord("."): Ellipsis}
_CONTAINERS = {ord("("): tuple, ord("["): list, ord("<"): set, ord(">"): frozenset}
_DICT, _END = ord("{"), ord("0")


class _Open:
    """A container whose parts are still being read; a dict has no count and ends with `0`."""

    __slots__ = ("count", "parts", "tag")

    def __init__(self, tag: int, count: int | None) -> None:
        self.tag, self.count, self.parts = tag, count, list[object]()


def read(data: bytes) -> object:
    """The value in `data`. Raises Malformed where it is not exactly one plain value."""
    position = 0
    stack: list[_Open] = []
    while True:
        if position >= len(data):
            raise Malformed("the bytes end early")
        tag = data[position]
        position += 1
        if tag in _CONTAINERS or tag == _DICT:
            count = None if tag == _DICT else _length(data, position)
            position += 0 if tag == _DICT else 4
            if len(stack) >= DEEPEST:
                raise Malformed("nested too deeply")
            stack.append(_Open(tag, count))
            if count != 0:
                continue
            value = _closed(stack.pop())
        elif tag == _END:
            if not stack or stack[-1].tag != _DICT:
                raise Malformed("an end without a dict")
            value = _closed(stack.pop())
        else:
            value, position = _atom(data, tag, position)
        while stack:
            stack[-1].parts.append(value)
            if len(stack[-1].parts) != stack[-1].count:
                break
            value = _closed(stack.pop())
        else:
            if position != len(data):
                raise Malformed("bytes after the value")
            return value


def _closed(container: _Open) -> object:
    parts = container.parts
    try:
        if container.tag == _DICT:
            return dict(zip(parts[::2], parts[1::2], strict=True))
        return _CONTAINERS[container.tag](parts)
    except (TypeError, ValueError) as error:
        raise Malformed("a container of wrong parts") from error


def _atom(data: bytes, tag: int, position: int) -> tuple[object, int]:
    """One value without parts, and the position after it."""
    if tag in _CONSTANTS:
        return _CONSTANTS[tag], position
    if tag == ord("i"):
        return int.from_bytes(_slice(data, position, 4), "little", signed=True), position + 4
    if tag == ord("g"):
        return _float(data, position), position + 8
    if tag == ord("y"):
        return complex(_float(data, position), _float(data, position + 8)), position + 16
    if tag in (ord("u"), ord("s")):
        length = _length(data, position)
        body = _slice(data, position + 4, length)
        try:
            value = body.decode("utf-8", "surrogatepass") if tag == ord("u") else body
        except UnicodeDecodeError as error:
            raise Malformed("not UTF-8") from error
        return value, position + 4 + length
    if tag == ord("l"):
        return _long(data, position)
    raise Malformed(f"unknown tag {tag}")


def _long(data: bytes, position: int) -> tuple[int, int]:
    """An integer of 15-bit digits, least first; neighbours are joined pairwise to stay in n log n."""
    signed = int.from_bytes(_slice(data, position, 4), "little", signed=True)
    body = _slice(data, position + 4, 2 * abs(signed))
    digits = [int.from_bytes(body[place : place + 2], "little") for place in range(0, len(body), 2)]
    if any(digit >> 15 for digit in digits):
        raise Malformed("an integer's digit is too large")
    bits = 15
    while len(digits) > 1:
        if len(digits) % 2:
            digits.append(0)
        digits = [low | high << bits for low, high in zip(digits[::2], digits[1::2], strict=True)]
        bits *= 2
    value = digits[0] if digits else 0
    return (-value if signed < 0 else value), position + 4 + len(body)


def _float(data: bytes, position: int) -> float:
    import struct

    value: float = struct.unpack("<d", _slice(data, position, 8))[0]
    return value


def _length(data: bytes, position: int) -> int:
    """A length that the remaining bytes can hold: each part takes one byte or more."""
    length = int.from_bytes(_slice(data, position, 4), "little")
    if length > len(data) - position - 4:
        raise Malformed("a length beyond the bytes")
    return length


def _slice(data: bytes, position: int, length: int) -> bytes:
    part = data[position : position + length]
    if len(part) != length:
        raise Malformed("the bytes end early")
    return part

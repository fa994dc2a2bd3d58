"""Plain values between a program that nobody trusts and the judge that compares what it returns.

Shipped as source into the program's process too, so it imports nothing of Consort, and what it needs there is bound
before a program can replace it. What is plain throughout crosses as `marshal.dumps(value, 2)` (C speed, exact types
only), what is not as a tree of plain parts; the judge's way in is `tasks.sandbox.reader`. Nothing that a program
wrote is ever given to pickle, marshal or eval.

Covered: None, bool, int, float, complex, str, bytes, bytearray, tuple, list, dict and its views, set, frozenset,
range, array, Counter, OrderedDict, defaultdict, deque, Decimal, Fraction, timedelta, timezone, date, time and
datetime, Ellipsis, NotImplemented. A subclass is reduced to the plain value it holds, a memoryview to bytes, an aware
time to its offset from UTC. No code of a program's classes is called, not even a metaclass's `__hash__`.
Not covered: everything else is for the `refer` and `resolve` of either side to stand for; so are times with a tzinfo
of the program's own.
"""

from __future__ import annotations

import builtins
import sys
from itertools import chain, islice
from marshal import dumps

globals()["__builtins__"] = dict(vars(builtins))  # the functions below keep these, whatever a program patches

TYPE_CHECKING = False
if TYPE_CHECKING:  # neither module is loaded in the program's process
    from collections.abc import Callable, Iterable
    from typing import Any

    Refer = Callable[[object, object], object]
    Resolve = Callable[[str, list[Any]], object]

DEEPEST = 200
MOST_NODES = 2_000_000
BEYOND = "is too deep, is too large or holds itself"


class Malformed(Exception):
    """Bytes or a tree that no `dump` made."""


class TooLarge(Exception):
    """A value beyond the limits of depth and size, or one that holds itself."""


def dump(value: object, refer: Refer) -> bytes:
    """One byte and a body: `V` and the value itself, or `T` and its tree.

    `refer(item, plain)` gives the node for an item that is not plain; `plain` is the node of the value that it holds
    where it is of a subclass of an immutable plain type, else None. Raises TooLarge.
    """
    if id(type(value)) in _SCALARS or _plain(value):
        try:
            return b"V" + dumps(value, 2)  # type: ignore[arg-type]
        except ValueError:
            pass
    return b"T" + dumps(flatten(value, refer), 2)  # type: ignore[arg-type]


def _plain(value: object) -> bool:
    """Whether exact plain types are all there is in it. Raises TooLarge."""
    level: list[Any] = [value]
    left = MOST_NODES
    for _ in range(DEEPEST):
        kinds = set(map(id, map(type, level)))
        if kinds <= _SCALARS:
            return True
        if not kinds <= _EXACT:
            return False
        if len(kinds) == 1 and _DICT not in kinds:
            parts: Iterable[Any] = chain.from_iterable(level)
        else:
            parts = chain.from_iterable(
                item if id(type(item)) != _DICT else chain(item, item.values())
                for item in level
                if id(type(item)) not in _SCALARS
            )
        level = list(islice(parts, left + 1))
        left -= len(level)
        if left < 0:
            break
    raise TooLarge(BEYOND)


def flatten(value: object, refer: Refer) -> object:
    """A tree of scalars and `(kind, parts…)` tuples, from which `rebuild` makes the value again."""
    left = MOST_NODES
    path: set[int] = set()

    def node(item: object) -> object:
        nonlocal left
        left -= 1
        kind, number = type(item), id(item)
        if id(kind) in _SCALARS and left >= 0:
            return item
        if left < 0 or len(path) >= DEEPEST or number in path:
            raise TooLarge(BEYOND)
        name, base = _plain_base(kind)
        parts = _parts(name, item, base)
        if parts is None:
            return refer(item, None)
        path.add(number)
        if name in _ONE:
            (found,) = parts
        else:
            found = (name, *[node(part) for part in parts])
        path.discard(number)
        return refer(item, found) if name in _HOLDING and kind is not base else found

    return node(value)


def _parts(name: str, item: object, base: Any) -> Iterable[Any] | None:
    """What a plain value is made of; None where it is not plain."""
    if not name:
        return None
    try:
        return _PARTS[name](item, base)
    except (TypeError, AttributeError):  # of a class that lies about its bases, or made without __init__
        return None


def _plain_base(kind: type) -> tuple[str, Any]:
    """The nearest plain type among a type and its bases, by name and itself; the name is empty where none is."""
    for base in _bases(kind):
        name = _BUILT_IN.get(id(base))
        if name is not None:
            return name, base
        module = _HOMES.get(type_name(base))
        if module is not None and base is getattr(_modules.get(module), type_name(base), None):
            return type_name(base), base
    return "", None


def _of_time(item: Any, base: Any) -> list[Any] | None:
    """The fields, and the offset from UTC in microseconds where there is one."""
    fields = ["hour", "minute", "second", "microsecond"]
    if hasattr(base, "year"):
        fields = ["year", "month", "day", *fields]
    parts = [getattr(base, field).__get__(item) for field in fields]
    zone = base.tzinfo.__get__(item)
    if zone is None:
        return parts
    known = (_modules.get("datetime"), "timezone"), (_modules.get("zoneinfo"), "ZoneInfo")
    if not any(type(zone) is getattr(module, name, None) for module, name in known):
        return None
    offset = base.utcoffset(item)
    return None if offset is None else [*parts, _microseconds(offset)]


def _microseconds(delta: Any) -> int:
    return (int(delta.days) * 86_400 + int(delta.seconds)) * 1_000_000 + int(delta.microseconds)


_modules = sys.modules
type_name: Callable[[type], str] = type.__dict__["__name__"].__get__
_bases: Callable[[type], tuple[type, ...]] = type.__dict__["__mro__"].__get__
_DICT = id(dict)
_SCALARS = frozenset(map(id, (type(None), bool, int, float, complex, str, bytes, type(...))))
_EXACT = _SCALARS | set(map(id, (list, tuple, set, frozenset, dict)))
_ONE = frozenset({"int", "float", "complex", "str", "bytes", "memoryview"})
_HOLDING = frozenset({"int", "float", "str", "bytes", "tuple"})
_BUILT_IN = {
    id(kind): name
    for kind, name in (
        *((kind, kind.__name__) for kind in (int, float, complex, str, bytes, bytearray, memoryview)),
        *((kind, kind.__name__) for kind in (list, tuple, set, frozenset, dict, range)),
        *((type(getattr({}, view)()), view) for view in ("keys", "values", "items")),
        (type(NotImplemented), "NotImplemented"),
    )
}
_HOMES = {
    "Counter": "collections", "OrderedDict": "collections", "defaultdict": "collections", "deque": "collections",
    "Decimal": "decimal", "Fraction": "fractions", "array": "array", "date": "datetime", "time": "datetime",
    "datetime": "datetime", "timedelta": "datetime", "timezone": "datetime",
}  # fmt: skip
_PARTS: dict[str, Callable[[Any, Any], Iterable[Any] | None]] = {
    "int": lambda item, base: (base.__int__(item),),
    "float": lambda item, base: (base.__float__(item),),
    "complex": lambda item, base: (complex(base.real.__get__(item), base.imag.__get__(item)),),
    "str": lambda item, base: (base.__str__(item),),
    "bytes": lambda item, base: (base.__getitem__(item, slice(None)),),
    "bytearray": lambda item, base: (bytes(base.__getitem__(item, slice(None))),),
    "memoryview": lambda item, base: (base.tobytes(item),),
    "range": lambda item, base: (item.start, item.stop, item.step),
    "NotImplemented": lambda item, base: (),
    **dict.fromkeys(
        ("list", "tuple", "set", "frozenset", "keys", "values", "items"), lambda item, base: base.__iter__(item)
    ),
    **dict.fromkeys(("dict", "Counter", "OrderedDict"), lambda item, base: chain.from_iterable(base.items(item))),
    "defaultdict": lambda item, base: chain(
        (base.default_factory.__get__(item),), chain.from_iterable(base.items(item))
    ),
    "deque": lambda item, base: chain((base.maxlen.__get__(item),), base.__iter__(item)),
    "array": lambda item, base: (base.typecode.__get__(item), *base.tolist(item)),
    "Decimal": lambda item, base: (base.__str__(item),),
    "Fraction": lambda item, base: (base._numerator.__get__(item), base._denominator.__get__(item)),
    "date": lambda item, base: [getattr(base, field).__get__(item) for field in ("year", "month", "day")],
    "time": _of_time,
    "datetime": _of_time,
    "timedelta": lambda item, base: [
        getattr(base, field).__get__(item) for field in ("days", "seconds", "microseconds")
    ],
    "timezone": lambda item, base: (_microseconds(base.utcoffset(item, None)),),
}


def rebuild(tree: object, resolve: Resolve) -> object:
    """The value of a `flatten` tree; `resolve(kind, parts)` makes what is not plain.

    Raises Malformed for a tree that no `flatten` made.
    """
    if id(type(tree)) in _SCALARS:
        return tree
    if type(tree) is not tuple or not tree or type(tree[0]) is not str:
        raise Malformed("not a node")
    kind = tree[0]
    parts = [rebuild(part, resolve) for part in tree[1:]]
    make = _MAKE.get(kind)
    try:
        return resolve(kind, parts) if make is None else make(parts)
    except (TypeError, ValueError, LookupError, ArithmeticError, AttributeError) as error:
        raise Malformed(f"a {kind[:20]} of wrong parts") from error


def _pairs(parts: list[Any]) -> list[tuple[Any, Any]]:
    return list(zip(parts[::2], parts[1::2], strict=True))


def _made(module: str, name: str, *parts: Any) -> Any:
    """An object of a class whose module may not be loaded yet."""
    return getattr(__import__(module), name)(*parts)


def _zone(microseconds: int) -> Any:
    return _made("datetime", "timezone", _made("datetime", "timedelta", 0, 0, microseconds))


def _checked_bytes(part: object) -> bytes:
    if type(part) is not bytes:
        raise Malformed("not bytes")
    return part


_MAKE: dict[str, Callable[[list[Any]], Any]] = {
    "list": list,
    "tuple": tuple,
    "set": set,
    "frozenset": frozenset,
    "dict": lambda parts: dict(_pairs(parts)),
    "keys": lambda parts: dict.fromkeys(parts).keys(),
    "values": lambda parts: dict(enumerate(parts)).values(),
    "items": lambda parts: dict(parts).items(),
    "range": lambda parts: range(*parts),
    "bytearray": lambda parts: bytearray(*map(_checked_bytes, parts)),
    "NotImplemented": lambda parts: NotImplemented,
    "Counter": lambda parts: _made("collections", "Counter", dict(_pairs(parts))),
    "OrderedDict": lambda parts: _made("collections", "OrderedDict", _pairs(parts)),
    "defaultdict": lambda parts: _made("collections", "defaultdict", parts[0], _pairs(parts[1:])),
    "deque": lambda parts: _made("collections", "deque", parts[1:], parts[0]),
    "array": lambda parts: _made("array", "array", parts[0], parts[1:]),
    "Decimal": lambda parts: _made("decimal", "Decimal", *parts),
    "Fraction": lambda parts: _made("fractions", "Fraction", *parts),
    "date": lambda parts: _made("datetime", "date", *parts),
    "time": lambda parts: _made("datetime", "time", *parts[:4], *map(_zone, parts[4:])),
    "datetime": lambda parts: _made("datetime", "datetime", *parts[:7], *map(_zone, parts[7:])),
    "timedelta": lambda parts: _made("datetime", "timedelta", *parts),
    "timezone": lambda parts: _zone(*parts),
}

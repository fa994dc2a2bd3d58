"""Plain values between a program that nobody trusts and the judge that compares what it returns.

Shipped as source into the program's process too, so it imports nothing of Consort, and what it needs
there is bound before a program can replace it. The way out is `marshal.dumps(value, 2)` (C speed, exact
types only); the judge's way in is `tasks.sandbox.reader`. Nothing that a program wrote is ever given to
pickle, marshal or eval.

Covered: None, bool, int, float, complex, str, bytes, tuple, list, dict, set, frozenset, range, Counter,
OrderedDict, defaultdict (without its factory), deque, Decimal, Fraction, timedelta, date, and naive time
and datetime. A subclass is reduced to the plain value it holds; what offers its bytes as a buffer
(bytearray, array) comes as bytes.
Not covered: everything else becomes an opaque value; so do aware times, and what is nested deeper than
200 among values that are not of exact plain types.
"""

from __future__ import annotations

import marshal
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:  # neither module is loaded in the program's process
    from collections.abc import Callable, Iterable
    from typing import Any

DEEPEST = 200
MOST_NODES = 1_000_000

_dumps: Callable[[object, int], bytes] = marshal.dumps  # type: ignore[assignment]
_type, _issubclass, _len, _id, _modules = type, issubclass, len, id, sys.modules
_range, _set, _unmarshallable = range, set, ValueError
_getattr, _int, _type_name = getattr, int, type.__dict__["__name__"].__get__
_scalars = frozenset({type(None), bool, int, float, complex, str, bytes})
_plain_of: dict[type, Callable[..., object]] = {
    int: int.__int__,
    float: float.__float__,
    complex: lambda item, _plain=complex, _get=complex.__getattribute__: _plain(
        _get(item, "real"), _get(item, "imag")
    ),
    str: str.__str__,
    bytes: lambda item, _get=bytes.__getitem__, _all=slice(None): _get(item, _all),
}
_parts_of: dict[type, Callable[..., Iterable[object]]] = {
    list: list.__iter__,
    tuple: tuple.__iter__,
    set: set.__iter__,
    frozenset: frozenset.__iter__,
}
_dict = dict
_dict_items: Callable[..., Iterable[tuple[object, object]]] = dict.items
_times = {
    "date": ("year", "month", "day"),
    "time": ("hour", "minute", "second", "microsecond"),
    "datetime": ("year", "month", "day", "hour", "minute", "second", "microsecond"),
    "timedelta": ("days", "seconds", "microseconds"),
}


class Malformed(Exception):
    """Bytes or a tree that no `dump` made."""


def dump(value: object, sending: bool = False) -> bytes:
    """One byte and a body: `V` and the value itself, or `T` and its tree.

    `sending` is the judge's way: built-in types go by name, and what cannot be sent raises Malformed
    with the name of its type. The program's way makes it opaque.
    """
    try:
        return b"V" + _dumps(value, 2)
    except _unmarshallable:
        return b"T" + _dumps(flatten(value, sending), 2)


def flatten(value: object, sending: bool = False) -> object:
    """A tree of scalars and `(kind, parts…)` tuples, from which `rebuild` makes the value again."""
    nodes = 0
    path: set[int] = _set()

    def plain(item: object) -> object:
        nonlocal nodes
        nodes += 1
        if _type(item) in _scalars:
            return item
        if _id(item) in path or _len(path) >= DEEPEST or nodes > MOST_NODES:
            return ("?", "a value that is nested too deeply")
        path.add(_id(item))
        try:
            return _node(item, plain, sending)
        finally:
            path.discard(_id(item))

    return plain(value)


def _node(item: object, plain: Callable[[object], object], sending: bool) -> object:
    """One container or rich value. No method of a subclass is called."""
    kind = _type(item)
    for base, reduce in _plain_of.items():
        if _issubclass(kind, base):
            return reduce(item)
    for base, parts in _parts_of.items():
        if _issubclass(kind, base):
            return (base.__name__, *[plain(part) for part in parts(item)])
    if _issubclass(kind, _dict):
        pairs = _dict_items(item)
        return (_kind_of_dict(kind), *[plain(part) for pair in pairs for part in pair])
    if kind is _range:
        return ("range", *[_getattr(item, part) for part in ("start", "stop", "step")])
    if sending and kind is _type and item.__module__ == "builtins":
        return ("type", _type_name(item))
    return _rich(item, kind, plain, sending)


def _kind_of_dict(kind: type) -> str:
    for name in ("Counter", "OrderedDict", "defaultdict"):
        known = _known("collections", name)
        if known is not None and _issubclass(kind, known):
            return name
    return "dict"


def _rich(item: object, kind: type, plain: Callable[[object], object], sending: bool) -> object:
    """A value of the standard library's types, or the name of what is opaque (Malformed when sending)."""
    deque: Any = _known("collections", "deque")
    decimal: Any = _known("decimal", "Decimal")
    name = _type_name(kind)
    if deque is not None and _issubclass(kind, deque):
        limit = deque.__dict__["maxlen"].__get__(item)
        return ("deque", limit, *[plain(part) for part in deque.__iter__(item)])
    if decimal is not None and _issubclass(kind, decimal):
        return ("Decimal", decimal.__str__(item))
    if kind is _known("fractions", "Fraction"):
        return ("Fraction", _int(_getattr(item, "_numerator")), _int(_getattr(item, "_denominator")))
    if name in _times and kind is _known("datetime", name) and _getattr(item, "tzinfo", None) is None:
        return (name, *[_getattr(item, part) for part in _times[name]])
    if sending:
        raise Malformed(name)
    return ("?", name[:100])


def _known(module: str, name: str) -> type | None:
    """A class of a module that is loaded already: no value of it exists otherwise."""
    found = _getattr(_modules.get(module), name, None)
    return found if _issubclass(_type(found), type) else None


def rebuild(tree: object, opaque: Callable[[str], object] | None) -> object:
    """The value of a `flatten` tree; `opaque(name of its type)` stands for what is not plain.

    Without `opaque` the tree is the judge's, and built-in types are found by their names.
    Raises Malformed for a tree that no `flatten` made.
    """
    if type(tree) in _scalars:
        return tree
    if type(tree) is not tuple or not tree or type(tree[0]) is not str:
        raise Malformed("not a node")
    kind = tree[0]
    parts = [rebuild(part, opaque) for part in tree[1:]]
    try:
        if kind == "?" and opaque is not None:
            return opaque(str(parts[0]))
        if kind == "type" and opaque is None:
            return getattr(__import__("builtins"), str(parts[0]))
        return _made(kind, parts)
    except (TypeError, ValueError, IndexError, ArithmeticError, AttributeError) as error:
        raise Malformed(f"a {kind[:20]} of wrong parts") from error


def _made(kind: str, parts: list[Any]) -> Any:
    containers: dict[str, Callable[..., object]] = {
        "list": list, "tuple": tuple, "set": set, "frozenset": frozenset
    }  # fmt: skip
    if kind == "range":
        return range(*parts)
    if kind == "Decimal":
        from decimal import Decimal

        return Decimal(*parts)
    if kind == "Fraction":
        from fractions import Fraction

        return Fraction(*parts)
    if kind in _times:
        import datetime

        return getattr(datetime, kind)(*parts)
    if kind == "deque":
        from collections import deque

        return deque(parts[1:], parts[0])
    if kind in ("dict", "Counter", "OrderedDict", "defaultdict"):
        pairs = list(zip(parts[::2], parts[1::2], strict=True))
        return dict(pairs) if kind == "dict" else _collection(kind, pairs)
    if kind not in containers:
        raise Malformed("unknown kind of node")
    return containers[kind](parts)


def _collection(kind: str, pairs: list[tuple[Any, Any]]) -> object:
    import collections

    if kind == "Counter":
        return collections.Counter(dict(pairs))
    if kind == "OrderedDict":
        return collections.OrderedDict(pairs)
    return collections.defaultdict(None, pairs)

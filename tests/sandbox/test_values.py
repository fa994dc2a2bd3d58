"""What crosses from the program to the judge, and that nothing else does."""

import collections
import contextlib
import datetime
import enum
import marshal
import math
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.sandbox.reader import read
from tasks.sandbox.values import Malformed, dump, rebuild

scalars = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.binary()
    | st.text(st.characters()) | st.complex_numbers(allow_nan=False)
)  # fmt: skip
plain = st.recursive(
    scalars | st.sets(scalars),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(scalars, inner),
)


class Opaque:
    def __init__(self, name: str) -> None:
        self.name = name


def crossed(value: object) -> object:
    data = dump(value)
    return read(data[1:]) if data[:1] == b"V" else rebuild(read(data[1:]), Opaque)


@settings(database=None)
@given(plain)
def test_plain_values_cross_unchanged(value: object) -> None:
    back = crossed(value)
    assert (type(back), back) == (type(value), value)


@settings(database=None)
@given(st.binary())
def test_any_bytes_are_a_value_or_malformed(data: bytes) -> None:
    with contextlib.suppress(Malformed):
        read(data)


@settings(database=None)
@given(plain, st.data())
def test_damaged_bytes_are_a_value_or_malformed(value: object, data: st.DataObject) -> None:
    whole = bytearray(marshal.dumps(value, 2))  # type: ignore[arg-type]
    whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(Malformed):
        read(bytes(whole))


@pytest.mark.parametrize(
    "value",
    [
        math.inf, -math.inf, -0.0, complex(-0.0, math.inf), "\ud800", 2**100_000, -(3**9999), True, range(1, 9, 2),
        collections.Counter("aab"), collections.OrderedDict(b=1, a=[2]), collections.deque([1, {2}], 3),
        Decimal("1.50"), Fraction(1, 3), datetime.date(2024, 2, 29), datetime.timedelta(1, 2, 3),
        datetime.datetime(2024, 2, 29, 1, 2, 3, 4), datetime.time(1, 2), {range(3): [Decimal(1)]}, Ellipsis,
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_rich_values_cross_unchanged(value: object) -> None:
    back = crossed(value)
    assert (type(back), back) == (type(value), value)


def test_nan_and_bytes_of_buffers_cross() -> None:
    number = crossed(math.nan)
    assert isinstance(number, float) and math.isnan(number)
    assert crossed(bytearray(b"ab")) == b"ab"


class LyingInt(int):
    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = int.__hash__

    def __int__(self) -> int:
        return 99


class LyingList(list):
    def __iter__(self):
        return iter([99])


class LyingStr(str):
    def __str__(self) -> str:
        return "lie"


class LyingDict(dict):
    def items(self):
        return [(99, 99)]


Point = collections.namedtuple("Point", "x y")
Colour = enum.IntEnum("Colour", "RED GREEN")


@pytest.mark.parametrize(
    ("value", "held"),
    [
        (LyingInt(5), 5), (LyingList([1, 2]), [1, 2]), (LyingStr("x"), "x"), (LyingDict({1: 2}), {1: 2}),
        (Point(1, [2]), (1, [2])), (Colour.GREEN, 2), ([LyingInt(5), {LyingStr("k"): LyingList()}], [5, {"k": []}]),
        (collections.defaultdict(int, {1: 2}), {1: 2}),
    ],
)  # fmt: skip
def test_a_subclass_is_the_plain_value_it_holds(value: object, held: object) -> None:
    back = crossed(value)
    assert repr(back).removeprefix("defaultdict(None, ").rstrip(")") == repr(held).rstrip(")")


class Pretender:
    __class__ = int  # type: ignore[assignment]


def test_everything_else_is_opaque() -> None:
    cyclic: list[object] = []
    cyclic.append(cyclic)
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    for value in (object(), Pretender(), int, len, lambda: 1, iter([1]), NotImplemented, cyclic, deep):
        if value is deep:
            assert isinstance(_innermost(crossed(deep)), Opaque)
        else:
            assert isinstance(_innermost(crossed(value)), Opaque), value


def _innermost(value: object) -> object:
    while isinstance(value, list):
        (value,) = value
    return value


@pytest.mark.parametrize(
    "data",
    [
        b"", b"c", b"i\0", b"[\xff\xff\xff\x7f", b"u\xff\xff\xff\xff", b"NN", b"0", b"{i\0\0\0\0" b"0",
        b"{[\0\0\0\0N0", b"<\x01\0\0\0[\0\0\0\0", b"l\x01\0\0\0\xff\xff", b"u\x01\0\0\0\xff",
        b"[\x01\0\0\0" * 600 + b"N",
        marshal.dumps(compile("1", "", "eval"), 2), marshal.dumps([1, 1], 4),
    ],
)  # fmt: skip
def test_hostile_bytes_are_malformed(data: bytes) -> None:
    with pytest.raises(Malformed):
        read(data)


@pytest.mark.parametrize(
    "tree",
    [
        [1], (), (1, 2), ("type", "eval"), ("nonsense",), ("set", ("list",)), ("range", "a"), ("Decimal", "x"),
        ("Fraction", 1, 0), ("deque",), ("dict", 1), ("date", 0, 0, 0), ("datetime",), ("?",),
    ],
)  # fmt: skip
def test_hostile_trees_are_malformed(tree: object) -> None:
    with pytest.raises(Malformed):
        rebuild(tree, Opaque)

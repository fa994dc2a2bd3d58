"""What crosses from the program to the judge, and that nothing else does."""

import array
import collections
import contextlib
import datetime
import enum
import marshal
import math
import operator
import zoneinfo
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.sandbox.reader import read
from tasks.sandbox.values import Malformed, TooLarge, dump, rebuild

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


def refer(item: object, plain: object) -> object:
    return ("?", type(item).__name__) if plain is None else plain


def resolve(kind: str, parts: list) -> object:
    if kind == "?":
        return Opaque(*parts)
    raise Malformed(kind)


def crossed(value: object) -> object:
    data = dump(value, refer)
    return read(data, 1) if data[:1] == b"V" else rebuild(read(data, 1), resolve)


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
        datetime.datetime(2024, 2, 29, 1, tzinfo=datetime.UTC), bytearray(b"ab"), array.array("i", [1, -2]),
        datetime.time(1, 2, tzinfo=datetime.timezone(datetime.timedelta(hours=-2, microseconds=1))), NotImplemented,
        datetime.timezone(datetime.timedelta(hours=5, minutes=30)), {1: [2], 3: Decimal(4)}.items(),
        {(1, 2): 3}.keys(),
        [{Decimal(1), 2}, frozenset({range(2)}), (Decimal(0), -0.0)],
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_rich_values_cross_unchanged(value: object) -> None:
    back = crossed(value)
    assert (type(back), back) == (type(value), value)


def test_what_has_no_equality_of_its_own_crosses() -> None:
    number = crossed(math.nan)
    assert isinstance(number, float) and math.isnan(number)
    assert crossed(memoryview(b"ab")) == b"ab"
    views = crossed({1: [2], 3: 4}.values())
    assert isinstance(views, type({}.values())) and list(views) == [[2], 4]


def test_an_order_and_a_length_limit_and_a_default_cross() -> None:
    ordered = collections.OrderedDict.fromkeys("abc")
    ordered.move_to_end("a")
    assert list(crossed(ordered)) == ["b", "c", "a"]  # type: ignore[call-overload]
    assert crossed(collections.deque([1], 3)).maxlen == 3  # type: ignore[attr-defined]
    counted = crossed(collections.defaultdict(None, {1: Decimal(2)}))
    assert type(counted) is collections.defaultdict and counted == {1: 2} and counted.default_factory is None


def test_a_zone_becomes_its_offset() -> None:
    summer = datetime.datetime(2024, 7, 1, 12, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin"))
    back = crossed(summer)
    assert isinstance(back, datetime.datetime) and back == summer
    assert back.tzinfo == datetime.timezone(datetime.timedelta(hours=2))


class LyingZone(datetime.tzinfo):
    def utcoffset(self, moment: datetime.datetime | None) -> datetime.timedelta:
        raise SystemExit

    def dst(self, moment: datetime.datetime | None) -> None:
        raise SystemExit

    def tzname(self, moment: datetime.datetime | None) -> str:
        raise SystemExit


def test_a_zone_of_the_programs_own_is_opaque() -> None:
    for value in (datetime.datetime(2024, 1, 1, tzinfo=LyingZone()), datetime.time(1, tzinfo=LyingZone())):
        assert isinstance(crossed(value), Opaque)
    assert isinstance(crossed(datetime.time(1, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin"))), Opaque)


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
    ],
)  # fmt: skip
def test_a_subclass_is_the_plain_value_it_holds(value: object, held: object) -> None:
    back = crossed(value)
    assert (type(back), repr(back)) == (type(held), repr(held))


class Pretender:
    __class__ = int  # type: ignore[assignment]


class LyingKind(type):
    def __eq__(cls, other: object) -> bool:
        return True

    def __hash__(cls) -> int:
        return hash(int)


class Kindless(type):
    __hash__ = None  # type: ignore[assignment]

    def __eq__(cls, other: object) -> bool:
        return True


class OfLyingKind(metaclass=LyingKind):
    pass


class OfKindless(metaclass=Kindless):
    pass


def test_everything_else_is_opaque() -> None:
    for value in (
        object(), Pretender(), int, len, lambda: 1, iter([1]), map(abs, []), (n for n in [1]),
        compile("1", "", "eval"),
        OfLyingKind(), OfLyingKind, OfKindless(), OfKindless, StopIteration, math, Decimal, slice(1),
    ):  # fmt: skip
        assert isinstance(crossed(value), Opaque), value
        holder = crossed([value])
        assert isinstance(holder, list) and isinstance(holder[0], Opaque), value


def test_what_is_too_deep_too_large_or_holds_itself_is_refused() -> None:
    cyclic: list[object] = []
    cyclic += [cyclic, cyclic]
    mixed: dict[object, object] = {Decimal(1): 2}
    mixed[3] = [mixed]
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    shared: list[object] = [Decimal(1)]
    for _ in range(40):
        shared = [shared, shared]
    for value in (cyclic, mixed, deep, [0] * 3_000_000, shared):
        with pytest.raises(TooLarge):
            dump(value, refer)


def test_depth_within_the_limit_crosses() -> None:
    for inner in (1, Decimal(1)):
        value: object = inner
        for _ in range(150):
            value = [value]
        assert operator.eq(crossed(value), value)


@pytest.mark.parametrize(
    "data",
    [
        b"", b"c", b"i\0", b"[\xff\xff\xff\x7f", b"u\xff\xff\xff\xff", b"NN", b"0", b"{i\0\0\0\0" b"0",
        b"{[\0\0\0\0N0", b"<\x01\0\0\0[\0\0\0\0", b"l\x01\0\0\0\xff\xff", b"u\x01\0\0\0\xff",
        b"[\x01\0\0\0" * 600 + b"N", b"[\0\0\0\0N", b"\0", b"l\0\0\0\x80", b"g\0", b"{N0", b"}", b"S",
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
        ("Fraction", 1, 0), ("deque",), ("dict", 1), ("date", 0, 0, 0), ("datetime",), ("bytearray", 1 << 40),
        ("timezone", 10**12), ("timezone", 10**30), ("array", "x"), ("items", 1), ("keys", ("list",)), (["list"], 1),
        ("defaultdict",), ("defaultdict", 1), ("list", ("list", ("nonsense",))), ("deque", ("set", ("list",))),
    ],
)  # fmt: skip
def test_hostile_trees_are_malformed(tree: object) -> None:
    with pytest.raises(Malformed):
        rebuild(tree, resolve)

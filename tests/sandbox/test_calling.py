"""A judge and a program in another process, over real pipes, without a sandbox between them."""

import contextlib
import marshal
import os
import resource
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tasks.sandbox import handles, inside
from tasks.sandbox.judge import judge


class Told(NamedTuple):
    """One test's report."""

    outcome: str
    source: str
    call: str
    got: str
    expected: str
    error: str
    line: int


@contextlib.contextmanager
def served(serve: Callable[[int, int], object]) -> Iterator[tuple[int, int]]:
    """Pipes to a child process that serves; the judge's ends."""
    (asked, asking), (answers, answering) = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(asking)
            os.close(answers)
            resource.setrlimit(resource.RLIMIT_CPU, (5, 6))
            nothing = os.open(os.devnull, os.O_RDWR)
            os.dup2(nothing, 1)
            os.dup2(nothing, 2)
            serve(asked, answering)
        finally:
            os._exit(97)
    os.close(asked)
    os.close(answering)
    try:
        yield asking, answers
    finally:
        os.close(asking)
        os.close(answers)
        os.waitpid(child, 0)


def frames(
    program: str, *tests: str, setup: str = "", context: str = "", entry: str = "f", names: tuple[str, ...] = ()
) -> list[tuple]:
    reported: list[tuple] = []
    with served(lambda asked, answering: inside.serve(asked, answering, context, program, entry, names)) as pipes:
        judge((context, entry, names, setup, tests), *pipes, lambda *frame: reported.append(frame))
    ready = reported[0] == ("ready",)  # unless the test code itself does not load
    assert ready or reported[0][0] == "broken"
    return reported[ready:]


def results(program: str, *tests: str, **others: object) -> list[Told]:
    return [Told(*frame[1:]) for frame in frames(program, *tests, **others) if frame[0] == "test"]  # type: ignore[arg-type]


def result(program: str, test: str, **others: object) -> Told:
    (only,) = results(program, test, **others)
    return only


def passes(program: str, *tests: str, **others: object) -> None:
    reported = frames(program, *tests, **others)  # type: ignore[arg-type]
    judged = [frame for frame in reported if frame[0] == "test"]
    assert [frame for frame in judged if frame[1] != "passed"] == []
    assert len(judged) == len(tests), reported


def test_a_session_is_reported_in_order() -> None:
    reported = frames(
        "def f(x):\n    return x + 1", "assert f(1) == 2", "assert candidate(1) == 3", "assert f('') == 3"
    )
    assert [frame[0] for frame in reported] == ["loaded", "answered", "test", "test", "test", "end"]
    assert Told(*reported[3][1:]) == ("wrong_answer", "assert candidate(1) == 3", "f(1)", "2", "3", "", 0)
    raised = Told(*reported[4][1:])
    assert raised.outcome == "runtime_error" and raised.error.startswith("TypeError: ") and raised.line == 2


LOADING = {
    "def f(:": ("compile_error", 1),
    "x = 1\nreturn 1": ("compile_error", 2),
    "(" * 5000: ("compile_error", 1),
    "x = '\0'": ("compile_error", 0),
    "def g(x): return x": ("runtime_error", 0),
    "f = 5": ("runtime_error", 0),
    "\nraise KeyError('x')": ("runtime_error", 2),
    "raise MemoryError": ("memory_limit", 1),
    "raise SystemExit(3)": ("runtime_error", 1),
    "import os\nos._exit(0)": ("gone", 0),
}


@pytest.mark.parametrize("program", LOADING, ids=lambda program: program[:20].encode("unicode_escape").decode())
def test_a_program_that_does_not_load_is_refused(program: str) -> None:
    refused, end = frames(program, "assert f(1)", context="def f(x): return x")
    outcome, line = LOADING[program]
    assert (refused[0], refused[1], refused[3], end) == ("refused", outcome, line, ("end",))


def test_test_code_that_does_not_load_is_broken() -> None:
    assert frames("f = len", setup="def (")[0][0] == "broken"
    assert frames("f = len", setup="missing()")[0][0] == "broken"
    assert frames("f = len", context="1 / 0")[0][0] == "broken"
    assert result("f = len", "assert f(").outcome == "harness_error"
    assert result("f = len", "assert missing").outcome == "harness_error"


NODES = """
class Node:
    def __init__(self, value):
        self.value, self.left, self.right = value, None, None
        self.items = {}
    def __len__(self): return 1 + sum(len(child) for child in (self.left, self.right) if child)
    def __getitem__(self, key): return self.items[key]
    def __setitem__(self, key, value): self.items[key] = value
    def __delitem__(self, key): del self.items[key]
    def double(self, times=2): return self.value * times
    def __call__(self, *numbers, **named): return sum(numbers), named
    def __iter__(self):
        yield self.value
        for child in (self.left, self.right):
            yield from child or ()
def f(tree): return list(tree)
def children(tree): return [tree.left, (tree.right, {"self": tree})]
def of(*trees): return [tree.value for part in trees for tree in (part if isinstance(part, list) else [part])]
class Empty:
    def __bool__(self): return False
"""


def test_handles_do_what_the_programs_objects_do() -> None:
    passes(
        NODES,
        "assert f(root) == [1, 2, 3]",
        "assert root.left.value == 2 and root.double() == 2 and root.double(times=3) == 3",
        "assert len(root) == 3 and len(root.left) == 1 and root and not Empty()",
        "assert list(root) == [1, 2, 3] and sum(root) == 6 and [*root.left] == [2]",
        "root['x'] = [1]\nassert root['x'] == [1]\ndel root['x']\nassert root.items == {}",
        "root.value = 7\nassert f(root) == [7, 2, 3]\ndel root.value\nassert not hasattr(root, 'value')",
        "assert root(1, 2, x=3) == (3, {'x': 3}) and callable(root) and not callable(Empty())",
        "left, (right, whole) = children(root)\nassert of(left, [right, root.left]) == [2, 3, 2]",
        "assert children(root)[0] is root.left and root.left is not root.right and root is not None",
        "try: root['y']\nexcept KeyError as error: assert error.args == ('y',) and str(error) == \"'y'\"",
        "assert f.__name__ == 'f' and Node.__name__ == 'Node' and Node.double(root.left) == 4",
        setup="root = Node(1)\nroot.left = Node(2)\nroot.right = Node(3)",
        names=("Node", "Empty", "children", "of"),
    )


SPOILING = """
r == 1;1 == r;r == r;r != 1;r < 1;1 >= r;[r] == [1];{1: r} == {1: 1};r + 1;1 + r;r * 2;-r;r | 1;r // 2;divmod(r, 2)
hash(r);{r};{r: 1};1 in r;r in [1];isinstance(r, int);isinstance(r, (list, str));int(r);float(r);complex(r);str(r)
repr(r);f"{r}";format(r);"%s" % r;"%d" % r;bytes(r);round(r);range(r);[1, 2][r];abs(r);math.floor(r);r.__eq__(1)
r.__class__;r.__hash__();r.__repr__();copy.copy(r);copy.deepcopy([r]);isinstance(1, r);issubclass(r, int)
sorted([r, r]);max(r, r);sum([r]);"".join(map(str, [r]));[1].index(r);[r].count(1);sys.getsizeof(r)
collections.Counter([r]);getattr(r, "__eq__")(1);operator.eq(1, r);r.__str__();f({r} if False else {1: {r: 2}})
type(r) == r;repr([r])
"""
LIAR = """
class Meta(type):
    def __eq__(self, other): return True
    def __hash__(self): return 1
    def __instancecheck__(self, other): return True
    def __subclasscheck__(self, other): return True
def anything(self, *others): return True
names = '''eq ne lt le gt ge contains instancecheck add radd sub mul rmul floordiv divmod neg or ror'''.split()
Liar = Meta("Liar", (), {f"__{name}__": anything for name in names} | {
    "__class__": int, "__hash__": lambda self: 1, "__int__": lambda self: 1, "__index__": lambda self: 1,
    "__float__": lambda self: 1.0, "__complex__": lambda self: 1j, "__str__": lambda self: "1",
    "__repr__": lambda self: "1", "__format__": lambda self, how: "1", "__bytes__": lambda self: b"1",
    "__abs__": anything, "__round__": anything, "__floor__": anything, "__copy__": anything, "__deepcopy__": anything,
    "__len__": lambda self: 1, "__iter__": lambda self: iter([1]), "__getitem__": lambda self, key: 1,
})
def f(x): return Liar() if x else Liar
"""


@pytest.mark.parametrize("argument", [0, 1])
def test_comparison_and_conversion_of_a_handle_spoil_the_test_for_good(argument: int) -> None:
    uses = [use for line in SPOILING.strip().splitlines() for use in line.split(";")]
    tests = [f"r = f({argument})\ntry:\n    {use}\nexcept BaseException:\n    pass" for use in uses]
    setup = "import collections, copy, math, operator, sys"
    for use, told in zip(uses, results(LIAR, *tests, setup=setup), strict=True):
        assert (told.outcome, "not a plain value" in told.error) == ("wrong_answer", True), use


def test_a_spoiled_test_does_not_spoil_the_next() -> None:
    assert [told.outcome for told in results("def f(x): return object", *["f(1) == 1"], "assert f(1) is object")] == [
        "passed",
        "passed",
    ]
    told = results("def f(x): return object() if x else 1", "f(1) == 1", "assert f(0) == 1")
    assert [test.outcome for test in told] == ["wrong_answer", "passed"]


def test_iterators_of_the_program_can_be_used_up() -> None:
    program = """
def f(n):
    for i in range(n): yield i * i
def forever():
    n = 0
    while True:
        yield n
        n += 1
def broken():
    yield 1
    raise ValueError("no more")
def mapped(x): return map(str, x)
def zipped(x): return zip(x, x)
class Countdown:
    def __init__(self, n): self.n = n
    def __iter__(self): return self
    def __next__(self):
        if not self.n: raise StopIteration
        self.n -= 1
        return self.n
class Old:
    def __getitem__(self, index): return [5, 6][index]
"""
    passes(
        program,
        "assert list(f(4)) == [0, 1, 4, 9] and sorted(mapped([3, 1])) == ['1', '3']",
        "assert dict(zipped('ab')) == {'a': 'a', 'b': 'b'}",
        "assert [x for x in f(3)] == [0, 1, 4] and tuple(f(0)) == () and set(f(2)) == {0, 1} and max(f(5)) == 16",
        "g = f(2)\nassert next(g) == 0 and next(g) == 1 and next(g, None) is None and iter(g) is g",
        "g = f(0)\ntry: next(g)\nexcept StopIteration: pass\nelse: assert False",
        "assert list(itertools.islice(forever(), 5)) == [0, 1, 2, 3, 4]",
        "assert list(zip(forever(), 'ab')) == [(0, 'a'), (1, 'b')]",
        "assert list(Countdown(3)) == [2, 1, 0] and list(Old()) == [5, 6] and list(reversed([*f(3)])) == [4, 1, 0]",
        "g = broken()\nassert next(g) == 1\ntry: next(g)\nexcept ValueError as error: assert str(error) == 'no more'",
        setup="import itertools",
        names=("forever", "broken", "mapped", "zipped", "Countdown", "Old"),
    )
    told = result("def f():\n    yield 1\n    yield [][0]", "assert list(f()) == [1, 2]")
    assert (told.outcome, told.error) == ("runtime_error", "IndexError: list index out of range")


def test_a_lying_iterator_is_judged_by_its_items() -> None:
    program = """
class Int(int):
    def __eq__(self, other): return True
    __hash__ = int.__hash__
class Yes:
    def __eq__(self, other): return True
def f(kind):
    while True:
        yield {"int": Int(7), "object": Yes(), "length": 1}[kind]
class Long:
    def __len__(self): return 10**18
    def __iter__(self): return iter([1])
def g(): return Long()
"""
    tests = ["assert next(f('int')) == 5", "next(f('object')) == 5", "for x, y in zip(f('object'), [1]): x == y"]
    assert [told.outcome for told in results(program, *tests)] == ["wrong_answer"] * 3
    assert result("class T: __class__ = type\ndef f(): return T()", "f() == 5").outcome == "wrong_answer"
    assert result(program, "assert list(g()) == [1, 2]", names=("g",)).outcome == "wrong_answer"


def test_an_iterator_without_end_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handles, "MOST_ITEMS", 100)
    told = result("def f():\n    while True: yield 1", "try: list(f())\nexcept BaseException: pass")
    assert told.outcome == "wrong_answer" and "more than 100 items" in told.error


def test_callbacks_work() -> None:
    program = """
def f(g, *items): return [g(item) for item in items]
def compose(*functions):
    def composed(x):
        for function in functions: x = function(x)
        return x
    return composed
def keyed(items, key): return sorted(items, key=key)
def same(x): return x
def count(items):
    return sum(1 for _ in items)
def first(items, n):
    items = iter(items)
    return [next(items) for _ in range(n)]
def named(g): return g(1, two=2), g.__name__
kept = []
def keep(g): kept.append(g)
def use(): return kept[-1](1)
"""
    passes(
        program,
        "assert f(lambda x: x * 2, 1, 2) == [2, 4] and f(double, 3) == [6] and f(Thing(5).plus, 1) == [6]",
        "assert compose(double, double)(3) == 12 and list(map(compose(double), [1])) == [2]",
        "assert keyed(['b', 'A'], str.lower) == ['A', 'b'] and keyed([3, -1], key=lambda x: -x) == [3, -1]",
        "assert f(len, 'ab') == [2] and f(math.sqrt, 4) == [2.0] and f(decimal.Decimal, '1') == [decimal.Decimal(1)]",
        "assert same(len) is not None and same(int) is int and same(double) is double and same([double]) == [double]",
        "assert count(x for x in range(5)) == 5 and count(iter('abc')) == 3 and count(map(double, [1])) == 1",
        "assert first(itertools.count(5), 3) == [5, 6, 7] and first(enumerate('ab'), 1) == [(0, 'a')]",
        "assert named(both) == (3, 'both') and f(functools.partial(both, two=5), 1) == [6]",
        "assert f(Thing, 1)[0].number == 1 and f(lambda x: Thing(x), 1)[0].plus(1) == 2",
        "assert f(lambda x: (lambda y: x + y), 1)[0](2) == 3 and f(lambda x: {1: [double]}, 1)[0][1][0] is double",
        "seen = []\nf(seen.append, 1, [2])\nassert seen == [1, [2]]",
        "assert use() == 2 and f(lambda g: g(4), compose(double)) == [8]",
        "def twice(g): return lambda x: g(g(x))\nassert f(twice, double)[0](3) == 12",
        setup="import decimal, functools, itertools, math\n"
        "def double(x): return x * 2\n"
        "def both(one, two): return one + two\n"
        "class Thing:\n"
        "    def __init__(self, number): self.number = number\n"
        "    def plus(self, other): return self.number + other\n"
        "keep(double)",
        names=("compose", "keyed", "same", "count", "first", "named", "keep", "use"),
    )


def test_callbacks_nest_to_a_bounded_depth() -> None:
    program = "def f(g, n): return g(n)\n"
    recursive = "def g(n): return 0 if n == 0 else 1 + f(g, n - 1)\n"
    passes(program, "assert f(g, 40) == 40", setup=recursive)
    told = result(program, "f(g, 60)", setup=recursive)
    assert told.outcome == "runtime_error" and "RecursionError" in told.error
    passes(program, "try: f(g, 60)\nexcept RecursionError: pass\nassert f(g, 5) == 5", setup=recursive)


def test_what_a_callback_raises_reaches_the_program_and_comes_back() -> None:
    program = """
def f(g):
    try: return g()
    except ValueError as error: return type(error).__name__, error.args, str(error)
def g(h):
    try: h()
    except Exception as error: return [base.__name__ for base in type(error).__mro__][:2], str(error)
    finally: done.append(1)
done = []
"""
    setup = """
class Boom(LookupError): pass
def fail(error):
    def failing(): raise error
    return failing
"""
    passes(
        program,
        "assert f(fail(ValueError('a', 1))) == ('ValueError', ('a', 1), \"('a', 1)\")",
        "assert g(fail(Boom('x'))) == (['Boom', 'LookupError'], 'x')",
        "boom = Boom('x')\ntry: f(fail(boom))\nexcept Boom as error: assert error is boom\nelse: assert False",
        "assert g(fail(AssertionError('expected 5'))) == (['AssertionError', 'Exception'], '')",
        setup=setup,
        names=("g",),
    )
    told = results(program, "f(fail(Boom('x')))", "def t(): assert 1 == 2\nf(t)", setup=setup)
    assert [test.outcome for test in told] == ["runtime_error", "wrong_answer"]
    assert told[0].error == "Boom: x"


def test_objects_of_the_tests_own_classes_are_references() -> None:
    program = """
def f(node):
    total = 0
    while node:
        total, node = total + node.value, node.next
    return total
def reverse(node):
    last = None
    while node: node.next, last, node = last, node, node.next
    return last
def size(bag): return len(bag), list(bag), bag[0], bag("x"), bag.items
def colour(x): return x.name, x
def read(stream): return [line.strip() for line in stream], stream.read()
def point(p): return p.x + p[1], p._replace(x=5), p
"""
    passes(
        program,
        "assert f(Node(1, Node(2))) == 3",
        "one, two = Node(1), Node(2)\none.next = two\nassert reverse(one) is two and two.next is one",
        "assert size(Bag()) == (2, ['a', 'b'], 'a', 'x', ['a', 'b'])",
        "assert colour(Colour.RED) == ('RED', Colour.RED)",
        "assert read(io.StringIO('a\\nb\\n')) == (['a', 'b'], '')",
        "assert point(Point(1, 2)) == (3, (5, 2), (1, 2)) and point(Point(1, 2))[1].y == 2",
        setup="import collections, dataclasses, enum, io\n"
        "@dataclasses.dataclass(eq=False)\n"
        "class Node:\n    value: int\n    next: 'Node' = None\n"
        "class Bag:\n"
        "    items = ['a', 'b']\n"
        "    def __len__(self): return 2\n"
        "    def __iter__(self): return iter(self.items)\n"
        "    def __getitem__(self, index): return self.items[index]\n"
        "    def __call__(self, x): return x\n"
        "Colour = enum.Enum('Colour', 'RED', module=__name__)\n"
        "Point = collections.namedtuple('Point', 'x y')\n",
        names=("reverse", "size", "colour", "read", "point"),
    )


PRYING = """
NAMES = '''__globals__ __closure__ __code__ __self__ __func__ __wrapped__ __dict__ __class__ __init__ __builtins__
    gi_frame gi_code gi_yieldfrom f_back f_globals f_locals func_globals tb_frame __subclasses__ __mro__ mro secret
    _secret __module__ __reduce__ keywords func args'''.split()
def f(*passed):
    found = []
    for item in passed:
        if type(item).__name__ == 'function':
            (ask,) = [cell.cell_contents for cell in item.__closure__ if 'ask' in str(cell.cell_contents)]
            number = [cell.cell_contents for cell in item.__closure__ if type(cell.cell_contents) is int][0]
        else:
            number = type(item).__number__.__get__(item)
        for name in NAMES:
            for operands in ([name], [name, None]):
                try: found.append((name, repr(ask("getattr", number, *operands))))
                except (AttributeError, TypeError): pass
        for operation in ("setattr", "delattr", "getitem", "len", "eval", "__getattribute__"):
            try: found.append((operation, repr(ask(operation, number, "secret"))))
            except (AttributeError, TypeError): pass
    for number in (-1, 0, 99, 10**30, True, None, "1", [1]):
        try: found.append((number, ask("call", number, (), {})))
        except (ReferenceError, RuntimeError): pass
    return found
"""


def test_a_program_reaches_nothing_but_what_was_passed() -> None:
    setup = """
import functools
SECRET = "expected"
class Thing:
    public, _secret = 1, SECRET
def plain(x): return SECRET
def generator(): yield SECRET
"""
    told = result(
        PRYING, "assert f(plain, generator(), functools.partial(plain), Thing, Thing().__init__) == []", setup=setup
    )
    assert told.outcome == "passed", told
    told = result(PRYING, "assert f(plain, Thing()) == []", setup=setup)
    assert told.outcome == "passed", told


def test_a_callback_ends_with_its_test() -> None:
    program = "kept = []\ndef f(g=None):\n    kept.append(g)\n    return kept[0]()"
    told = results(program, "assert f(lambda: 5) == 5", "assert f() == 5", "assert f() == 5")
    assert [test.outcome for test in told] == ["passed", "runtime_error", "runtime_error"]
    assert "ReferenceError" in told[1].error


def test_callbacks_from_threads_and_not_from_forks() -> None:
    program = """
from concurrent.futures import ThreadPoolExecutor
import os
def f(g, n):
    with ThreadPoolExecutor(4) as pool: return list(pool.map(g, range(n)))
def forked(g):
    child = os.fork()
    if child == 0:
        try: g(1)
        except RuntimeError: os._exit(7)
        os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
def twice(x):
    child = os.fork()
    if child: os.waitpid(child, 0)
    return x + bool(child)
"""
    tests = (
        "assert f(lambda x: x * 2, 50) == list(range(0, 100, 2))",
        "assert forked(lambda x: 1) == 7",
        "assert twice(1) == 2",
    )
    passes(program, *tests, "assert f(abs, 1) == [0]", names=("forked", "twice"))


def test_an_argument_that_cannot_be_sent_is_no_fault_of_the_program() -> None:
    tests = ["f(threading.Lock())", "try: f([ValueError()])\nexcept BaseException: pass", "x = []; x.append(x); f(x)"]
    told = results("def f(x): return 1", *tests, setup="import threading")
    assert [test.outcome for test in told] == ["harness_error"] * 3
    assert "lock" in told[0].error and "ValueError" in told[1].error and "holds itself" in told[2].error
    chosen = result("def f(g): g(property)", "try: f(lambda x: x())\nexcept BaseException: pass")
    assert chosen.outcome == "wrong_answer"  # by the program


def test_arguments_of_every_plain_type_arrive() -> None:
    program = """
import collections, datetime, array
def f(*values): return [type(value).__name__ for value in values], list(values)
def group(table, key):
    table[key].append(1)
    return table
"""
    passes(
        program,
        "values = [bytearray(b'a'), array.array('i', [1]), {1: 2}.keys(), collections.Counter('aa'),"
        " collections.deque([1], 2), datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC), datetime.UTC, ...]\n"
        "names, back = f(*values)\n"
        "assert names == [type(value).__name__ for value in values] and back == values",
        "assert group(collections.defaultdict(list), 'x') == {'x': [1]}",
        "assert group(collections.defaultdict(lambda: [0]), 'x') == {'x': [0, 1]}",
        "assert f(int, ValueError, math, math.floor)[0] == ['type', 'type', 'module', 'builtin_function_or_method']",
        setup="import array, collections, datetime, math",
        names=("group",),
    )


def test_proxied_names() -> None:
    program = """
import collections, enum
LIMIT = [1, 2]
class Pair:
    count = 5
    def __init__(self, a, b): self.a, self.b = a, b
Point = collections.namedtuple("Point", "x y")
class Level(enum.IntEnum):
    LOW = 1
class Colour(enum.Enum):
    RED = 1
class Odd(ValueError): pass
def helper(x): return "the program's"
def other(x): return "the program's"
def f(x):
    if x == "odd": raise Odd("so odd")
    return x.a if isinstance(x, Pair) else x.x if isinstance(x, Point) else isinstance(x, (Level, Colour))
cycle = []
cycle.append(cycle)
sorted = set = None
"""
    passes(
        program,
        "assert f(Pair(3, 4)) == 3 and Pair.count == 5 and LIMIT == [1, 2]",
        "assert f(Point(3, 4)) == 3 and Point(3, 4) == (3, 4)",
        "assert Point(x=3, y=4).y == 4 and Point(1, 2)._fields == ('x', 'y')",
        "assert f(Level.LOW) and Level.LOW == 1 and Level.LOW.name == 'LOW'",
        "assert f(Colour.RED) and Colour.RED.value == 1",
        "try: f('odd')\nexcept Odd as error: assert str(error) == 'so odd'\nelse: assert False",
        "try: f('odd')\nexcept ValueError: pass",
        "assert helper(1) == 'the context' and other(1) == 'the test' and sorted({2, 1}) == [1, 2]",
        "assert copy.deepcopy(Point(3, [4])) == (3, [4]) and hash(Point(1, 2)) == hash((1, 2))",
        context="def helper(x): return 'the context'",
        setup="import copy\ndef other(x): return 'the test'",
        names=("LIMIT", "Pair", "Point", "Level", "Colour", "Odd", "helper", "other", "cycle"),
    )
    assert result(program, "cycle == []", names=("cycle",)).outcome == "wrong_answer"


def test_a_name_that_the_program_lacks_is_the_programs_fault() -> None:
    told = result("def f(x): return x", "assert f(Pair(1, 2)) == 1", names=("Pair",))
    assert (told.outcome, told.error) == ("runtime_error", "the program defines no 'Pair'")
    refused, end = frames("def f(x): return x", "assert f(p)", setup="p = Pair(1, 2)", names=("Pair",))
    assert refused == ("refused", "runtime_error", "the program defines no 'Pair'", 0) and end == ("end",)


def test_an_entry_point_that_is_a_class() -> None:
    program = "class Solution:\n    name = 'x'\n    def f(self, x): return x + 1\n"
    passes(
        program,
        "assert Solution().f(1) == 2 and candidate.name == 'x' and Solution.f(Solution(), 1) == 2",
        entry="Solution",
    )
    assert result(program, "assert Solution().f(1) == 3", entry="Solution").call == "<Solution>.f(1)"


def test_the_program_is_an_ordinary_module() -> None:
    program = """
import dataclasses, pickle, sys, typing
if __name__ == "__main__": raise SystemExit
@dataclasses.dataclass
class A:
    x: "int" = 0
def f(): return (
    __name__, pickle.loads(pickle.dumps(A(3))).x, typing.get_type_hints(A)["x"], sys.modules[__name__].A is A,
    "__file__" in globals(), helper(1),
)
def helper(x): return x + 1
"""
    passes(
        program, "assert f() == ('program', 3, int, True, False, 2)", context="def helper(x): return 0\ndef f(): pass"
    )


def test_values_of_the_program_are_what_they_hold() -> None:
    program = """
import collections, datetime, enum, array, zoneinfo
class Level(enum.IntEnum): LOW = 1
class Name(str, enum.Enum): A = "a"
class Int(int):
    def __eq__(self, other): return True
    __hash__ = int.__hash__
class List(list):
    def __eq__(self, other): return True
    def __iter__(self): return iter([9])
Point = collections.namedtuple("Point", "x y")
ZONES = datetime.UTC, zoneinfo.ZoneInfo("Asia/Tokyo")
def f(name): return {
    "types": lambda: [type(x) for x in (1, "", None, [], ValueError())] + [ValueError, type],
    "times": lambda: [datetime.datetime(2024, 1, 1, 12, tzinfo=zone) for zone in ZONES],
    "held": lambda: [Level.LOW, Name.A, Point(1, [2]), {Level.LOW: Name.A}],
    "views": lambda: [{1: 2}.keys(), {1: 2}.values(), {1: 2}.items()],
    "buffers": lambda: [bytearray(b"a"), array.array("i", [1]), memoryview(b"ab")],
    "int": lambda: Int(5), "list": lambda: [List([1])], "none": lambda: NotImplemented, "dots": lambda: ...,
}[name]()
"""
    passes(
        program,
        "assert f('types') == [int, str, type(None), list, ValueError, ValueError, type] and f('types')[0] is int",
        "first, second = f('times')\nassert first - second == datetime.timedelta(hours=9) and second.hour == 12",
        "assert f('held') == [1, 'a', (1, [2]), {1: 'a'}] and f('held')[2].y == [2] and f('held')[0].name == 'LOW'",
        "keys, values, items = f('views')\nassert keys == {1: 0}.keys()",
        "assert list(f('views')[1]) == [2] and f('views')[2] == {1: 2}.items()",
        "assert f('buffers') == [bytearray(b'a'), array.array('i', [1]), b'ab']",
        "assert f('none') is NotImplemented and f('dots') is ...",
        setup="import array, datetime",
    )
    tests = (
        "assert f('int') == 6",
        "assert f('list') == [[9]]",
        "assert f('held')[2] == (1, 2)",
        "assert f('held')[0].nothing",
    )
    assert [told.outcome for told in results(program, *tests)] == ["wrong_answer"] * 3 + ["runtime_error"]


LARGE = {
    "a cycle": "x = []\nx += [x, x]\ndef f(): return x",
    "a cycle of rich values": "from collections import deque\nx = deque()\nx.append(x)\ndef f(): return {1: x}",
    "depth": "def f():\n    x = []\n    for _ in range(100000): x = [x]\n    return x",
    "nodes": "def f(): return [0] * 3_000_000",
    "bytes": "def f(): return 'x' * (33 << 20)",
    "an unhashable key": "class T(tuple): __hash__ = lambda self: 1\ndef f(): return {T([[]]): 1}",
    "a key that is a handle": "class T: pass\ndef f(): return {T(): 1}",
}


@pytest.mark.parametrize("name", LARGE)
def test_values_beyond_the_limits_are_wrong(name: str) -> None:
    told = results(LARGE[name], "try: f() == []\nexcept BaseException: pass", "assert f.__name__ == 'f'")
    assert [test.outcome for test in told] == ["wrong_answer", "passed"]


def test_large_values_within_the_limits_cross() -> None:
    program = "def f(x): return x\n"
    passes(
        program,
        "x = [(i, str(i)) for i in range(100_000)]\nassert f(x) == x",
        "assert f('x' * 10**7) == 'x' * 10**7 and f(b'') == b'' and f(10**5000) == 10**5000",
        *[f"assert len(f('x' * {size})) == {size}" for size in range(65_500, 65_540)],
    )


def test_a_program_that_ends_is_gone() -> None:
    told = results("import os\ndef f(x): os._exit(0)", "try: f(1)\nexcept BaseException: pass", "f(1)")
    assert [test.outcome for test in told] == ["gone"]
    refused, end = frames("import os\ndef f(x): os._exit(0)", "f(1)", setup="f(1)")[-2:]
    assert refused[:2] == ("refused", "gone") and end == ("end",)
    told = results("import os\ndef f(g):\n    g()\n    os._exit(0)", "f(lambda: 1)")
    assert [test.outcome for test in told] == ["gone"]


def test_a_program_that_patches_everything_is_judged_by_its_values() -> None:
    program = """
import builtins, marshal, os, sys, types, typing
def f(x): return [x, Thing(x)] if x else {}[x]
def each(g, items): return [g(item) for item in items]
class Thing:
    def __init__(self, x): self.x = x
patch = setattr
for name in list(vars(builtins)):
    if name not in ("__build_class__", "__import__"): patch(builtins, name, None)
marshal.dumps = marshal.loads = os.read = os.write = os.getpid = sys.maxsize = sys.modules = types.ModuleType = None
"""
    passes(
        program,
        "value, thing = f(1)\nassert value == 1 and thing.x == 1",
        "try: f(0)\nexcept KeyError as error: assert error.args == (0,)",
        "assert each(lambda x: x + 1, [1, 2]) == [2, 3]",
        names=("each",),
    )


def test_an_exception_that_cannot_be_told_is_one_all_the_same() -> None:
    programs = [
        "class Mute(Exception):\n    def __str__(self): raise Mute\ndef f(): raise Mute(object())",
        "def f(): raise ExceptionGroup('two', [ValueError(), KeyError()])",
        "def f(): b'\\xff'.decode()",
        "def f(): raise type('x' * 10**6, (OSError,), {})('y' * 10**6)",
        "def f(): raise SystemExit",
        "def f(): f()",
        "def f(): assert False, 'no'",
        "def f(): open('/nowhere')",
        "def f(): int('x')",
        "class E(Exception):\n    args = property(lambda self: 1 / 0)\ndef f(): raise E",
    ]
    for program in programs:
        told = result(program, "f()")
        assert told.outcome == "runtime_error" and told.line > 0 and len(told.error) < 3000, program
    passes("def f(): open('/nowhere')", "try: f()\nexcept FileNotFoundError as error: assert error.errno == 2")


def said(letter: str, value: object, encoding: str = "V") -> bytes:
    """A frame as the program's process could send it."""
    body = (letter + encoding).encode() + marshal.dumps(value, 2)  # type: ignore[arg-type]
    return len(body).to_bytes(4, "big") + body


LOADED = b"L" + marshal.dumps((("@", 0, "function", "call"), {}), 2)
LOADED = len(LOADED).to_bytes(4, "big") + LOADED
FORGED = {
    "nothing": b"\0\0\0\0",
    "an empty answer": b"\0\0\0\1A",
    "an answer without a value": b"\0\0\0\2AV",
    "a size without end": b"\xff\xff\xff\xffAV",
    "an unknown letter": said("Z", 1),
    "loaded again": LOADED,
    "two answers": said("A", 5) + said("A", 5),
    "text": b"passed\n",
    "code": b"\0\0\0\3AVc",
    "junk": bytes(range(256)) * 50,
    "an exception of wrong parts": said("X", ("KeyError",)),
    "an exception of no type": said("X", ("eval", "eval", (), "", 0, -1)),
    "an exception of wrong arguments": said("X", ("KeyError", "KeyError", (), 5, 0, -1)),
    "a handle of wrong parts": said("A", ("@",), "T"),
    "a handle of a negative number": said("A", ("@", -1, "x"), "T"),
    "a handle that can do anything": said("A", ("@", 1, "x", "eq", "hash", "__eq__", "int"), "T"),
    "a type that is none": said("A", ("type", "eval"), "T"),
    "a function by name": said("A", ("name", "os", "system"), "T"),
    "a reference that was not given": said("A", ("&", 1), "T"),
    "a value held by nothing": said("A", ("held", 5, ("list",)), "T"),
    "an exception type of no base": said("A", ("exception", 1, "x", "int"), "T"),
    "an unknown node": said("A", ("import", "os"), "T"),
    "a tree of code": said("A", compile("5", "", "eval"), "T"),
    "deep trees": said("A", (), "T")[:4] + b"AT" + b"(\2\0\0\0u\4\0\0\0list" * 490 + b"(\0\0\0\0",
}


REFUSED = {("refused", outcome) for outcome in ("wrong_answer", "gone", "runtime_error")}


def scripted(*replies: bytes, first: bytes = LOADED) -> Callable[[int, int], None]:
    """A program's process that sends what it is told to, one reply for each frame that comes."""

    def serve(asked: int, answering: int) -> None:
        os.write(answering, first)
        for reply in replies:
            if not os.read(asked, 1 << 16):
                break
            os.write(answering, reply)
        os._exit(0)

    return serve


def reports(serve: Callable[[int, int], object], *tests: str, setup: str = "") -> list[tuple]:
    reported: list[tuple] = []
    with served(serve) as pipes:
        judge(("", "f", (), setup, tests), *pipes, lambda *frame: reported.append(frame))
    assert reported[-1] == ("end",)
    return reported


def told_by(serve: Callable[[int, int], object], *tests: str, setup: str = "") -> list[str]:
    return [frame[1] for frame in reports(serve, *tests, setup=setup) if frame[0] == "test"]


@pytest.mark.parametrize("name", FORGED)
def test_forged_replies_pass_nothing(name: str) -> None:
    test = "try:\n    f(1) == 5\nexcept BaseException:\n    pass"
    assert told_by(scripted(FORGED[name]), test)[0] in ("wrong_answer", "gone", "runtime_error")


def test_an_exception_of_an_odd_name_is_an_exception() -> None:
    odd = said("X", ("\0\ud800", "ValueError", ([1],), "text", 1 << 80, 5))
    assert told_by(scripted(odd), "assert f(1) == 5") == ["runtime_error"]


def test_forged_frames_instead_of_loading_are_refused() -> None:
    for name, frame in FORGED.items():
        if frame != LOADED:
            assert reports(scripted(first=frame), "assert f(1)")[1][:2] in REFUSED, name


QUESTIONS: dict[str, object] = {
    "an id never given": ("call", 7, (), {}),
    "a negative id": ("call", -1, (), {}),
    "an id that is no number": ("call", [1], (), {}),
    "no question": 5,
    "a short question": ("call",),
    "an attribute of a function": ("getattr", 1, "__globals__"),
    "a public attribute of a function": ("getattr", 1, "f_back"),
    "an attribute of a generator": ("getattr", 2, "gi_frame"),
    "an operation that is none": ("eval", 1, "1"),
    "an operation that is no text": (["call"], 1),
    "a call without arguments": ("call", 1),
    "a call with odd names": ("call", 1, (), {1: 2}),
    "the length of a generator": ("len", 2),
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_forged_questions_reach_nothing(name: str) -> None:
    setup = "reached = []\ndef g(*passed): reached.append(passed)\ndef items():\n    reached.append(1)\n    yield 1\n"
    test = "assert f(g, items()) == 5 and reached == []"
    assert told_by(scripted(said("Q", QUESTIONS[name]), said("A", 5)), test, setup=setup) == ["passed"]


def test_a_question_after_the_call_has_ended_is_refused() -> None:
    setup = "reached = []\ndef g(): reached.append(1)\n"
    question = said("Q", ("call", 1, (), {}))
    together = scripted(said("A", 5) + question, said("A", 5))
    assert told_by(together, "assert f(g) == 5", "assert not reached", setup=setup) == ["wrong_answer"]
    apart = scripted(said("A", 5), question, said("A", 5))
    tests = "assert f(g) == 5", "assert f(1) == 5 and not reached"
    assert told_by(apart, *tests, setup=setup) == ["passed", "passed"]


SAME = "def f(x): return x"
HOSTING = """
import sys
sys.path.insert(0, sys.argv[1])
from tasks.sandbox.judge import host
host(int(sys.argv[2]))
"""


def test_the_host_forks_judges_that_have_what_they_were_given_alone() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    other = os.open(os.devnull, os.O_RDONLY)
    process = subprocess.Popen(
        [sys.executable, "-c", HOSTING, str(Path(__file__).parents[2]), str(theirs.fileno())],
        pass_fds=[theirs.fileno(), other],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    theirs.close()
    os.close(other)
    open_files = "len(os.listdir('/proc/self/fd'))"  # 0, 1, 2, three pipes, and the folder itself
    test = f"import os\nassert ({open_files}, os.getsid(0) == os.getpid()) == f((7, True))"
    for _ in range(3):
        with (
            served(lambda asked, answering: inside.serve(asked, answering, "", SAME, "f", ())) as pipes,
            tempfile.TemporaryFile() as work,
            tempfile.TemporaryFile() as complaints,
        ):
            work.write(marshal.dumps(((5, 1 << 30), ("", "f", (), "", (test,)))))
            work.seek(0)
            reading, writing = os.pipe()
            socket.send_fds(ours, [b"judge"], [work.fileno(), *pipes, writing, complaints.fileno()])
            pid, (ended,), _, _ = socket.recv_fds(ours, 32, 1)
            os.close(ended)
            os.close(writing)
            with os.fdopen(reading, "rb") as results:
                reported = results.read()
            complaints.seek(0)
            assert (int(pid) > 0, complaints.read()) == (True, b"")
        assert b"passed" in reported and reported.endswith(b"end"), reported
    ours.close()
    assert process.wait() == 0

"""What runs inside the isolated process: load the program, answer the judge, and ask it what only it can answer.

Shipped as source together with `tasks.sandbox.values`. What it needs after the program loaded is bound before: a
program may patch builtins. Nothing it says is trusted: whatever the program could make it say is worth what a return
value is worth.

Both sides talk in frames: four bytes of length, one letter, a body. The judge asks (`Q`), the program's process
answers (`A`) or tells what was raised (`X`), and while it owes an answer it may ask back about what a test passed and
what stays with the judge. So questions nest, and one side is at work at any time. A question is `(operation, number,
operands…)`; numbers stand for objects of the side that is asked. Beyond plain values a body holds nodes: `@` is an
object of the program's, `&` one of the judge's, each with what can be done with it.

Covered: a module that is not `__main__`; callbacks from threads of the program; forks of the program stay silent.
Not covered: hiding itself from the program, which may read it, break it and end it.
"""

from __future__ import annotations

import builtins
import sys
from _operator import delitem, getitem, setitem
from _thread import RLock
from marshal import dumps, loads
from os import _exit, getpid, read, write

from tasks.sandbox.values import Malformed, TooLarge, dump, rebuild, type_name

globals()["__builtins__"] = dict(vars(builtins))  # the functions below keep these, whatever a program patches

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

PROGRAM = "<program>"
LARGEST = 32 << 20  # bytes of an answer
MOST_TEXT = 2000  # characters of what an exception says
MOST_RAISED = 100  # exceptions of the tests' that are known again

OPERATIONS: dict[str, Callable[..., object]] = {
    "call": lambda item, positional, named: item(*positional, **named),
    "iter": iter, "next": next, "len": len, "bool": bool,
    "getitem": getitem, "setitem": setitem, "delitem": delitem,
    "getattr": getattr, "setattr": setattr, "delattr": delattr,
}  # fmt: skip
OF_TYPES = ("call", "iter", "next", "len", "bool", "getitem", "setitem", "delitem")  # a type has them or has not


def serve(
    requests: int, replies: int, context: str, program: str, entry_point: str, names: tuple[str, ...]
) -> NoReturn:
    """Load the program, say how that went, and answer until the judge closes its end.

    The first frame is `L` and what the entry point (number 0) and those of `names` that there are have become; or `C`
    a syntax error, `N` no entry point, `X` any other exception.
    """
    judge = _Judge(requests, replies)
    judge.send(_loaded(judge, context, program, entry_point, names))
    while True:
        judge.answer(judge.receive(), outermost=True)


def _loaded(judge: _Judge, context: str, program: str, entry_point: str, names: tuple[str, ...]) -> bytes:
    module = type(sys)("program")
    defined = module.__dict__
    defined["__builtins__"] = vars(builtins)
    sys.modules["program"] = module
    try:
        code = compile(program, PROGRAM, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError) as error:
        return b"C" + judge.described(error)
    try:
        exec(compile(context, "<context>", "exec", dont_inherit=True), defined)
        defined.pop(entry_point, None)
        exec(code, defined)
        if not callable(defined.get(entry_point)):
            return b"N"
        entry = judge.handle(defined[entry_point])
        others = {name: judge.dumped(defined[name]) for name in names if name in defined}
        return b"L" + dumps((entry, others), 2)  # type: ignore[arg-type]
    except BaseException as error:  # noqa: BLE001 (told to the judge)
        return b"X" + judge.described(error)


class _Judge:
    """The judge, as the program's process knows it: what each has of the other's objects, and the pipes."""

    def __init__(self, requests: int, replies: int) -> None:
        self._requests, self._replies = requests, replies
        self._objects: list[object] = []
        self._numbers: dict[int, int] = {}
        self._references: dict[int, object] = {}
        self._theirs: dict[int, int] = {}
        self._raised: dict[int, tuple[BaseException, int]] = {}
        self._kinds: dict[object, Any] = {}
        self._lock = RLock()  # held but while the program is at work for the outermost question
        self._owner = getpid()
        self._lock.acquire()

    def send(self, body: bytes) -> None:
        if getpid() != self._owner or not send(self._replies, body):
            _exit(0)

    def receive(self) -> bytes:
        try:
            frame = receive(self._requests, 1 << 62)
        except OSError:  # the program closed it
            _exit(1)
        return frame or _exit(0)

    def answer(self, question: bytes, outermost: bool) -> None:
        """Do what was asked and tell the result."""
        try:
            operation, number, *operands = self._read(question)
            if outermost:
                self._lock.release()
            try:
                result = OPERATIONS[operation](self._objects[number], *operands)
            finally:
                if outermost:
                    self._lock.acquire()
            body = b"A" + self.dumped(result)
        except BaseException as error:  # noqa: BLE001 (told to the judge)
            body = b"X" + self.described(error)
        self.send(body)

    def ask(self, *question: object) -> Any:
        """Have the judge do something with what it passed; answers what the judge asks meanwhile."""
        if getpid() != self._owner:
            raise RuntimeError("what a test passed cannot be used in another process")
        with self._lock:
            self.send(b"Q" + self.dumped(question))
            while (said := self.receive())[4:5] == b"Q":
                self.answer(said, outermost=False)
            value = self._read(said)
            if said[4:5] == b"A":
                return value
            raise self._exception(*value)

    def dumped(self, value: object) -> bytes:
        try:
            body = dump(value, self.refer)
            if len(body) <= LARGEST:
                return body
            problem = f"is larger than {LARGEST >> 20} MiB"
        except TooLarge as error:
            problem = str(error)
        return b"T" + dumps(("?", f"{type_name(type(value))[:100]} that {problem}"), 2)

    def _read(self, frame: bytes) -> Any:
        value = loads(frame[6:])
        return value if frame[5:6] == b"V" else rebuild(value, self._resolve)

    def refer(self, item: Any, plain: object) -> object:
        """The node for an object that is not plain: the judge's own, a built-in type by name, else a handle."""
        number = self._theirs.get(id(item))
        if number is not None:
            return ("&", number)
        if plain is not None:
            return ("held", self._number(item), plain)
        if issubclass(type(item), type):  # `isinstance` would ask the item
            if id(item) in _TYPES:
                return ("type", _TYPES[id(item)])
            if issubclass(item, BaseException):
                return ("exception", self._number(item), type_name(item)[:200], _built_in(item))
        return self.handle(item)

    def handle(self, item: object) -> object:
        kind = type(item)
        found = self._kinds.get(kind_id := id(kind))
        if found is None:
            found = self._kinds[kind_id] = (kind, type_name(kind)[:100], operations_of(kind))
        return ("@", self._number(item), found[1], *found[2])

    def _number(self, item: object) -> int:
        number = self._numbers.get(id(item))
        if number is None:
            number = self._numbers[id(item)] = len(self._objects)
            self._objects.append(item)
        return number

    def _resolve(self, kind: str, parts: list[Any]) -> object:
        if kind == "@":
            return self._objects[parts[0]]
        if kind == "&":
            return self._references[parts[0]] if parts[0] in self._references else self._reference(*parts)
        if kind == "name":
            return _named(*parts)
        if kind == "namedtuple":
            return self._named_tuple(*parts)
        raise Malformed(kind)

    def _reference(self, number: int, name: str, attributes: bool, *operations: str) -> object:
        """What the program gets for an object that stays with the judge."""
        made: Any
        if operations == ("call",) and not attributes:
            made = _function(self.ask, number, name)
        else:
            key = (name, attributes, *operations)
            if key not in self._kinds:
                self._kinds[key] = _kind_of_references(self.ask, name, attributes, operations)
            made = self._kinds[key](number)
        self._references[number], self._theirs[id(made)] = made, number
        return made

    def _named_tuple(self, name: str, fields: str, *values: object) -> object:
        key = (name, fields)
        if key not in self._kinds:
            self._kinds[key] = __import__("collections").namedtuple(name, fields.split())
        return self._kinds[key](*values)

    def _exception(
        self, name: str, base: str, arguments: tuple[object, ...], message: str, _: int, number: int
    ) -> Any:
        """What code of the tests raised, which the judge knows again when it comes back."""
        error = exception_of(name, base, arguments, message, self._kinds)
        self._raised[id(error)] = (error, number)
        if len(self._raised) > MOST_RAISED:
            del self._raised[next(iter(self._raised))]
        return error

    def described(self, error: BaseException) -> bytes:
        """`V` and type, nearest built-in type, arguments, message, line of the program (0: not known), number."""
        line, trace = 0, _traceback_of(error)
        while trace is not None:
            if trace.tb_frame.f_code.co_filename == PROGRAM:
                line = trace.tb_lineno
            trace = trace.tb_next
        known = self._raised.get(id(error))
        return told(error, line, -1 if known is None else known[1])


def told(error: BaseException, line: int, number: int) -> bytes:
    """An exception for the other side: see `exception_of`."""
    kind = type(error)
    try:
        message = str(error)
        if SyntaxError in kind.__mro__ and getattr(error, "filename", "") == PROGRAM:
            message, line = str(error.msg), int(error.lineno or 0)  # type: ignore[attr-defined]
        message = str.__str__(message)[:MOST_TEXT]
        arguments = error.args
        if OSError in kind.__mro__ and len(arguments) == 2:
            arguments = (*arguments, getattr(error, "filename", None))
        if any(id(type(part)) not in _TELLING for part in arguments) or len(dumps(arguments, 2)) > MOST_TEXT:
            arguments = (message,)
    except BaseException:  # noqa: BLE001 (a program's `__str__` may raise anything)
        message, arguments = "", ()
    return b"V" + dumps((type_name(kind)[:200], _built_in(kind), arguments, message, line, number), 2)


def exception_of(
    name: str, base: str, arguments: tuple[object, ...], message: str, kinds: dict[object, Any]
) -> BaseException:
    """An exception of the built-in type, else of one that has the type's name and nearest built-in type alone."""
    kind = EXCEPTIONS[name] if name == base else kind_of_exception(name, base, kinds)
    for given in (arguments, (message,)):
        try:
            made: BaseException = kind(*given)
            if str(made) == message:
                return made
        except Exception:  # noqa: BLE001 (a type that wants other arguments)
            continue
    return kind_of_exception(name, "Exception", kinds)(message)  # type: ignore[no-any-return]


def kind_of_exception(name: str, base: str, kinds: dict[object, Any]) -> Any:
    """The type that stands for an exception type of the other side."""
    key = ("exception", name, base)
    if key not in kinds:
        kinds[key] = type(name if name.isidentifier() else "Exception", (EXCEPTIONS[base],), {})
    return kinds[key]


def operations_of(kind: type) -> tuple[str, ...]:
    """What can be done with the objects of a type, of OF_TYPES."""
    found: dict[str, object] = {}
    for base in reversed(type.__dict__["__mro__"].__get__(kind)):
        found.update(type.__dict__["__dict__"].__get__(base))
    return tuple(operation for operation in OF_TYPES if found.get(f"__{operation}__") is not None)


def methods(operations: tuple[str, ...], ask: Callable[..., Any]) -> dict[str, object]:
    """The special methods that have `ask(self, operation, operands…)` do the work."""

    def method(operation: str) -> Callable[..., Any]:
        if operation == "call":
            return lambda self, /, *positional, **named: ask(self, operation, positional, named)
        return lambda self, /, *operands: ask(self, operation, *operands)

    return {f"__{operation}__": method(operation) for operation in operations if operation in OF_TYPES}


def _function(ask: Callable[..., Any], number: int, name: str) -> Callable[..., Any]:
    def reference(*positional: object, **named: object) -> Any:
        return ask("call", number, positional, named)

    reference.__name__ = reference.__qualname__ = name
    return reference


def _kind_of_references(ask: Callable[..., Any], name: str, attributes: bool, operations: tuple[str, ...]) -> type:
    """A class whose objects know but a number."""

    numbers: Any = None

    def asked(self: Any, operation: str, *operands: object) -> Any:
        return ask(operation, numbers.__get__(self), *operands)

    body: dict[str, Any] = {"__slots__": ("__number__",), "__module__": "suite", **methods(operations, asked)}
    body["__init__"] = lambda self, number: numbers.__set__(self, number)
    if attributes:
        body["__getattr__"] = lambda self, attribute: asked(self, "getattr", attribute)
        body["__setattr__"] = lambda self, attribute, value: asked(self, "setattr", attribute, value)
        body["__delattr__"] = lambda self, attribute: asked(self, "delattr", attribute)
    made = type(name, (), body)
    numbers = made.__dict__["__number__"]
    return made


def _named(module: str, path: str) -> object:
    """What the standard library has by that name."""
    found: Any = _BUILTINS if module == "builtins" else __import__(module, fromlist=("",))
    for name in filter(None, path.split(".")):
        found = found[name] if found is _BUILTINS else getattr(found, name)
    return found


def send(descriptor: int, body: bytes) -> bool:
    """Write one frame; False where nobody reads any more."""
    frame = len(body).to_bytes(4, "big") + body
    try:
        written = write(descriptor, frame)
        if written != len(frame):
            rest = memoryview(frame)[written:]
            while rest:
                rest = rest[write(descriptor, rest) :]
    except OSError:
        return False
    return True


def receive(descriptor: int, largest: int) -> bytes:
    """One frame with its length in front; empty at the end. Raises Malformed where more came or is announced."""
    data = read(descriptor, 1 << 16)
    while 0 < len(data) < 4:
        more = read(descriptor, 1 << 16)
        data = data + more if more else b""
    length = int.from_bytes(data[:4], "big") + 4
    if len(data) == length or not data:
        return data
    if length > largest:
        raise Malformed("a frame is too large")
    parts, size = [data], len(data)
    while size < length:
        parts.append(read(descriptor, min(1 << 20, length - size)))
        if not parts[-1]:
            return b""
        size += len(parts[-1])
    if size > length:
        raise Malformed("more than one frame")
    return b"".join(parts)


def _built_in(kind: type) -> str:
    """The name of the nearest built-in exception type."""
    names = (_EXCEPTION_NAMES.get(id(base)) for base in type.__dict__["__mro__"].__get__(kind))
    return next(name for name in names if name)


_traceback_of: Callable[[BaseException], Any] = BaseException.__dict__["__traceback__"].__get__
_BUILTINS = dict(vars(builtins))
_TYPES = {id(kind): name for name, kind in _BUILTINS.items() if isinstance(kind, type) and kind.__name__ == name}
_TYPES[id(type(None))] = "NoneType"
TYPES = {name: _BUILTINS.get(name, type(None)) for name in _TYPES.values()}
EXCEPTIONS: dict[str, Any] = {
    name: kind for name, kind in TYPES.items() if isinstance(kind, type) and issubclass(kind, BaseException)
}
_EXCEPTION_NAMES = {id(kind): name for name, kind in EXCEPTIONS.items()}
_TELLING = frozenset(map(id, (type(None), bool, int, float, str)))

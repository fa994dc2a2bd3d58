"""The judge's end of a program that runs in another process: questions go out, plain values and handles come back.

Covered: frames and values are read within bounds; what a program raised comes back by type name and message; what is
not plain can be used only as `tasks.sandbox.handles` says; callbacks reach only what `tasks.sandbox.references` says.
Not covered: a program that computes no value but has the judge's time spent on callbacks; limits end both.
"""

from __future__ import annotations

from _thread import RLock
from typing import TYPE_CHECKING, Any

from tasks.sandbox.handles import Handle, Held, held_number, hold, is_handle, label_of, make_handle, number_of
from tasks.sandbox.inside import (
    EXCEPTIONS,
    LARGEST,
    MOST_TEXT,
    TYPES,
    exception_of,
    kind_of_exception,
    receive,
    send,
    told,
)
from tasks.sandbox.reader import read
from tasks.sandbox.references import References, Unsendable
from tasks.sandbox.values import Malformed, TooLarge, dump, rebuild

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

DEEPEST = 50  # questions within questions
NOT_A_VALUE = "the program sent what is not a value"


class Lost(BaseException):
    """The program's process ended, or what it sent cannot be understood any more."""


class Spoiled(AssertionError):
    """The test used what is not a plain value."""


class Program:
    """One program in its process, and what has happened to the test at hand.

    `fate` decides a test whatever its code does: `(outcome, reason)`, the outcome "gone" where the process ended.
    `lost`: no further question is possible. `answered`: the program has been heard of since it loaded.
    """

    def __init__(self, requests: int, replies: int, entry_point: str, report: Callable[..., None]) -> None:
        self._requests, self._replies, self._report = requests, replies, report
        self._lock = RLock()
        self._depth = 0
        self._handles: dict[int, Handle] = {}
        self._kinds: dict[object, Any] = {}
        self._kind_numbers: dict[type, int] = {}
        self._references = References()
        self.entry_point = entry_point
        self.lost = self.answered = self.showing = False
        self.missing: frozenset[str] = frozenset()
        self.proxied = frozenset({entry_point, "candidate"})
        self.forget()

    def forget(self) -> None:
        """Begin a test: nothing has happened yet."""
        self.fate: tuple[str, str] | None = None
        self.raised: BaseException | None = None
        self.raised_text, self.raised_line = "", 0
        self.called: tuple[str, tuple[object, ...], dict[str, object]] | None = None
        self.returned: tuple[()] | tuple[object] = ()
        self._errors: list[BaseException] = []
        self._references.forget()

    def keep(self) -> None:
        """What the tests' setup passed stays valid."""
        self._references.keep()

    def load(self, names: tuple[str, ...]) -> tuple[dict[str, Any], tuple[str, str, int]]:
        """Wait until it is loaded: the entry point and those of `names` that it defines; or outcome, reason, line.

        The outcome is empty where it loaded, "gone" where its process ended.
        """
        try:
            answer = self._receive()
            kind = answer[4:5]
            if kind == b"L":
                return self._defined(read(answer, 5), names), ("", "", 0)
            if kind == b"N":
                return {}, ("runtime_error", f"the program defines no function {self.entry_point!r}", 0)
            name, _, _, message, line, _ = self._told(answer)
        except (Malformed, Spoiled):
            return {}, ("wrong_answer", NOT_A_VALUE, 0)
        except Lost:
            return {}, (*(self.fate or ("gone", "")), 0)
        outcome = "compile_error" if kind == b"C" else outcome_of(name)
        return {}, (outcome, f"{name}: {message}".removesuffix(": "), line)

    def _defined(self, sent: object, names: tuple[str, ...]) -> dict[str, Any]:
        if type(sent) is not tuple or [type(part) for part in sent] != [tuple, dict]:
            raise Malformed("not what a program defines")
        entry, others = sent
        if others:
            self._hear()
        found = {self.entry_point: rebuild(entry, self._resolve)}
        for name in names:
            if name in others:
                if type(others[name]) is not bytes:
                    raise Malformed("not a value")
                found[name] = self._value(others[name], 0)
        for name, value in found.items():
            if is_handle(value):
                Handle.label.__set__(value, name)  # type: ignore[attr-defined]
        self.missing = frozenset(names) - found.keys()
        self.proxied |= found.keys()
        return found

    def ask(self, handle: Handle, operation: str, *operands: Any) -> Any:
        """Have the program do something with an object of its own; answers what it asks meanwhile."""
        with self._lock:
            if self.lost:
                raise Lost
            if number_of(handle) < 0:
                self.spoil(label_of(handle))
            if self._depth >= DEEPEST:
                raise RecursionError("calls of the program nest too deeply")
            if operation == "call":
                self.called, self.returned = (label_of(handle), *operands), ()
            question = self._dumped((operation, number_of(handle), *operands))
            self._depth += 1
            try:
                self._send(b"Q" + question)
                answer = self._receive()
                if not self.answered:
                    self._hear()
                while answer[4:5] == b"Q":
                    self._send(self._called_back(answer))
                    answer = self._receive()
                if answer[4:5] == b"A":
                    value = self._value(answer, 5)
                elif answer[4:5] == b"X":
                    raise self._raised(*self._told(answer))
                else:
                    self._lose("wrong_answer", NOT_A_VALUE)
            except Malformed:
                self._spoil(NOT_A_VALUE)
            finally:
                self._depth -= 1
            if operation == "call":
                self.returned = (value,)
            return value

    def spoil(self, name: str) -> NoReturn:
        """The test is wrong for good: it used a value of a type that is not plain."""
        self._spoil(f"the result is not a plain value: {name}")

    def _spoil(self, reason: str, outcome: str = "wrong_answer") -> NoReturn:
        self.fate = self.fate or (outcome, reason)
        raise Spoiled

    def _hear(self) -> None:
        self.answered = True
        self._report("answered")

    def _dumped(self, value: object) -> bytes:
        try:
            return dump(value, self._refer)
        except Unsendable as error:
            reason, theirs = f"the test passes a value of type {error}, which is not sent", self._depth > 0
        except TooLarge as error:
            reason, theirs = f"the test passes a value that {error}", self.answered
        return self._spoil(reason, "wrong_answer" if theirs else "harness_error")  # of what the program sent, or not

    def _refer(self, item: Any, plain: object) -> object:
        """The node for an argument that is not plain."""
        if is_handle(item):
            number = number_of(item)
            return self.spoil(label_of(item)) if number < 0 else ("@", number)
        source = held_number(item)
        if source is not None:
            return ("@", source)
        fields = getattr(type(item), "_fields", None)
        if type(plain) is tuple and plain[0] == "tuple" and type(fields) is tuple:
            return ("namedtuple", type(item).__name__, " ".join(fields), *plain[1:])
        if plain is not None:
            return plain
        if isinstance(item, type) and issubclass(item, (Handle, Held)):
            return self.spoil(f"the type of one, {item.__name__}")
        if isinstance(item, type) and item in self._kind_numbers:
            return ("@", self._kind_numbers[item])
        return self._references.node(item)

    def _value(self, frame: bytes, place: int) -> Any:
        """The value whose encoding is told at `place`."""
        value = read(frame, place + 1)
        if frame[place : place + 1] == b"V":
            return value
        try:
            return rebuild(value, self._resolve)
        except RecursionError:
            raise Malformed("nested too deeply") from None

    def _resolve(self, kind: str, parts: list[Any]) -> object:
        """What stands for a node that is not plain."""
        if kind == "@":
            return self._handle(*parts)
        if kind == "held":
            return hold(self._handle(parts[0], type(parts[1]).__name__), parts[1])
        if kind == "&":
            return self._references.find(parts[0])
        if kind == "type":
            return TYPES[parts[0]]
        if kind == "exception":
            number, name, base = parts
            made = kind_of_exception(_checked(name, str), base, self._kinds)
            self._kind_numbers[made] = _checked(number, int)
            return made
        if kind == "?":
            return make_handle(self, -1, _checked(parts[0], str)[:200], ())
        raise Malformed("unknown kind of node")

    def _handle(self, number: int, name: str, *operations: str) -> Handle:
        if _checked(number, int) < 0 or len(_checked(name, str)) > 100:
            raise Malformed("a handle of wrong parts")
        known = self._handles.get(number)
        if known is None:
            label = f"<{name}>"
            known = self._handles[number] = make_handle(self, number, label, operations)
        return known

    def _called_back(self, question: bytes) -> bytes:
        """Do what the program asks for, and the answer to that."""
        try:
            asked = self._value(question, 5)
            if type(asked) is not tuple or len(asked) < 2:
                raise Malformed("not a question")
            operation, number, *operands = asked
            return b"A" + self._dumped(self._references.perform(operation, number, operands))
        except Lost:
            raise
        except BaseException as error:  # noqa: BLE001 (test code may raise anything)
            self._errors.append(error)
            if isinstance(error, AssertionError):
                error = AssertionError()  # its text may tell what is expected
            return b"X" + told(error, 0, len(self._errors) - 1)

    def _told(self, answer: bytes) -> tuple[str, str, tuple[Any, ...], str, int, int]:
        """What the program's process says of an exception: see `exception_of`."""
        parts = self._value(answer, 5)
        if type(parts) is not tuple or [type(part) for part in parts] != [str, str, tuple, str, int, int]:
            raise Malformed("not an exception")
        if parts[1] not in EXCEPTIONS:
            raise Malformed("not a type of exceptions")
        name, base, arguments, message, line, number = parts
        return name[:200], base, arguments, message[:MOST_TEXT], line if 0 < line < 1 << 31 else 0, number

    def _raised(
        self, name: str, base: str, arguments: tuple[Any, ...], message: str, line: int, number: int
    ) -> BaseException:
        """The test's own exception, if it raised it in a callback; else one like the program's."""
        own = 0 <= number < len(self._errors)
        error = self._errors[number] if own else exception_of(name, base, arguments, message, self._kinds)
        if not (own and isinstance(error, AssertionError)):
            self.raised = error
            self.raised_text, self.raised_line = f"{name}: {message}".removesuffix(": "), line
        return error

    def _lose(self, outcome: str, reason: str) -> NoReturn:
        self.lost, self.fate = True, (outcome, reason)
        raise Lost

    def _send(self, body: bytes) -> None:
        if not send(self._requests, body):
            self._lose("gone", "")

    def _receive(self) -> bytes:
        try:
            frame = receive(self._replies, LARGEST + (1 << 16))
        except Malformed:
            self._lose("wrong_answer", NOT_A_VALUE)
        return frame or self._lose("gone", "")


def outcome_of(name: str) -> str:
    """The outcome for a type of exceptions."""
    return "memory_limit" if name == "MemoryError" else "runtime_error"


def call_text(program: Program) -> str:
    """The last call as it could be written, cut; empty where there was none."""
    if program.called is None:
        return ""
    label, positional, named = program.called
    parts = [shown(value, program) for value in positional]
    parts += [f"{key}={shown(value, program)}" for key, value in named.items()]
    return f"{label}({', '.join(parts)})"[:500]


def shown(value: object, program: Program) -> str:
    """The value's repr, cut; its type where it has none that can be made."""
    return _text(repr, value, program) or f"a value of type {type(value).__name__}"


def text_of(error: BaseException, program: Program) -> str:
    """What an exception says, cut; empty where that cannot be told."""
    return _text(str, error, program)


def _text(say: Callable[[object], str], value: object, program: Program) -> str:
    program.showing = True
    try:
        return say(value)[:500]
    except BaseException:  # noqa: BLE001 (only a line of a report is lost)
        return ""
    finally:
        program.showing = False


def _checked(part: Any, kind: type) -> Any:
    if type(part) is not kind:
        raise Malformed("a node of wrong parts")
    return part

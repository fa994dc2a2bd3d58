"""The judge's stand-in for a program that runs in another process: calls go out, plain values come back.

Covered: frames and values are read within bounds; what a program raised comes back by type name and
message; an opaque result spoils the test at its first use, for good.
Not covered: passing functions or opaque results to the program; using an opaque result (an iterator, an
object of the program's own class) in any way but to hold it.
"""

from __future__ import annotations

import builtins
import marshal
import os

from tasks.sandbox.reader import read
from tasks.sandbox.values import Malformed, dump, rebuild

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

LARGEST_REPLY = 32 << 20


class Lost(BaseException):
    """The program's process ended, or what it sent cannot be understood any more."""


class Spoiled(AssertionError):
    """The test used what is not a plain value."""


class Program:
    """One program in its process, and what has happened to the test at hand.

    `fate` decides a test whatever its code does: `(outcome, reason)`, the outcome "gone" where the
    process ended. `lost`: no further call is possible. `answered`: some call has been replied to.
    """

    def __init__(self, requests: int, replies: int, entry_point: str, report: Callable[..., None]) -> None:
        self._requests, self._replies, self._report = requests, replies, report
        self._opaque_class = _opaque_class(self.spoil)
        self.entry_point = entry_point
        self.lost = self.answered = False
        self.forget()

    def forget(self) -> None:
        """Begin a test: nothing has happened yet."""
        self.fate: tuple[str, str] | None = None
        self.raised: Exception | None = None
        self.raised_text, self.raised_line = "", 0
        self.arguments: tuple[tuple[object, ...], dict[str, object]] | None = None
        self.returned: tuple[()] | tuple[object] = ()

    def load(self, context: str, source: str) -> bool:
        """Load the program in its process. Reports "ready", then "loaded" or "refused"; True where loaded."""
        try:
            self._receive()
            self._report("ready")
            self._send(marshal.dumps((context, source, self.entry_point), 2))
            answer = self._receive()
            kind = answer[:1]
            if kind == b"L":
                self._report("loaded")
                return True
            if kind == b"N":
                reason = f"the program defines no function {self.entry_point!r}"
                self._report("refused", "runtime_error", reason, 0)
                return False
            name, message, line = self._exception(answer)
        except Lost:
            outcome, reason = self.fate or ("gone", "")
            self._report("refused", outcome, reason, 0)
            return False
        outcome = "compile_error" if kind == b"C" else _outcome_of(name)
        self._report("refused", outcome, f"{name}: {message}".removesuffix(": "), line)
        return False

    def call(self, *arguments: object, **named: object) -> object:
        """What the tests know as `candidate`."""
        if self.lost:
            raise Lost
        self.arguments, self.returned = (arguments, named), ()
        self._send(self._request(arguments, named))
        answer = self._receive()
        if not self.answered:
            self.answered = True
            self._report("answered")
        if answer[:1] == b"X":
            raise self._raised(*self._exception(answer))
        try:
            value = read(answer[1:])
            if answer[:1] != b"V":
                value = rebuild(value, self._opaque_class)
        except (Malformed, RecursionError):
            self._lose("wrong_answer", "the program sent what is not a value")
        self.returned = (value,)
        return value

    def spoil(self, name: str) -> NoReturn:
        """The test is wrong for good: it used a value of a type that is not plain."""
        self.fate = self.fate or ("wrong_answer", f"the result is not a plain value: {name}")
        raise Spoiled

    def _request(self, arguments: tuple[object, ...], named: dict[str, object]) -> bytes:
        try:
            return dump((arguments, named), True)
        except Malformed as error:
            if str(error) == "Opaque":
                self.spoil("what an earlier call returned")
            self.fate = ("harness_error", f"the test passes an argument of type {error}, which is not sent")
            raise Spoiled from error

    def _exception(self, answer: bytes) -> tuple[str, str, int]:
        """Type name, message and line of the program, as the program's process told them."""
        try:
            told = read(answer[1:])
        except Malformed:
            told = None
        if answer[:1] in (b"X", b"C") and type(told) is tuple and [type(part) for part in told] == _TOLD:
            return told
        return self._lose("wrong_answer", "the program sent what is not a value")

    def _raised(self, name: str, message: str, line: int) -> Exception:
        """An exception of the same built-in type, else one that only has the type's name."""
        kind = getattr(builtins, name, None)
        if not (isinstance(kind, type) and issubclass(kind, Exception)) or issubclass(kind, _NOT_OF_ONE_TEXT):
            kind = type(name or "Exception", (Exception,), {})
        self.raised = kind(message)
        self.raised_text, self.raised_line = f"{name}: {message}".removesuffix(": "), line
        return self.raised

    def _lose(self, outcome: str, reason: str) -> NoReturn:
        self.lost, self.fate = True, (outcome, reason)
        raise Lost

    def _send(self, body: bytes) -> None:
        data = memoryview(len(body).to_bytes(4, "big") + body)
        try:
            while data:
                data = data[os.write(self._requests, data) :]
        except BrokenPipeError:
            self._lose("gone", "")

    def _receive(self) -> bytes:
        length = int.from_bytes(self._exactly(4), "big")
        if length > LARGEST_REPLY:
            self._lose("output_limit", f"a result is larger than {LARGEST_REPLY >> 20} MiB")
        return self._exactly(length)

    def _exactly(self, length: int) -> bytes:
        parts = []
        while length:
            part = os.read(self._replies, min(length, 1 << 20))
            if not part:
                self._lose("gone", "")
            parts.append(part)
            length -= len(part)
        return b"".join(parts)


_TOLD = [str, str, int]
_NOT_OF_ONE_TEXT = (UnicodeError, BaseExceptionGroup)


def call_text(program: Program) -> str:
    """The last call as it could be written, cut; empty where there was none."""
    if program.arguments is None:
        return ""
    positional, named = program.arguments
    parts = [shown(value) for value in positional] + [f"{key}={shown(value)}" for key, value in named.items()]
    return f"{program.entry_point}({', '.join(parts)})"[:500]


def shown(value: object) -> str:
    """The value's repr, cut; its type where it has none that can be made."""
    try:
        return repr(value)[:500]
    except Exception:  # noqa: BLE001 (only a line of a report is lost)
        return f"a value of type {type(value).__name__}"


def _outcome_of(name: str) -> str:
    return "memory_limit" if name == "MemoryError" else "runtime_error"


def _opaque_class(spoil: Callable[[str], NoReturn]) -> Callable[[str], object]:
    """Make stand-ins for values of a type that is not plain. Every use but holding one spoils the test."""
    names: dict[int, str] = {}

    def use(self: object, *_: object, **__: object) -> NoReturn:
        spoil(names[id(self)])

    body: dict[str, object] = {f"__{operation}__": use for operation in _OPERATIONS.split()}
    body["__repr__"] = lambda self: f"<{names[id(self)]}>"
    kind = type("Opaque", (), body)

    def opaque(name: str) -> object:
        made = kind()
        names[id(made)] = name
        held.append(made)
        return made

    held: list[object] = []
    return opaque


_OPERATIONS = """
    eq ne lt le gt ge hash bool len iter next reversed contains getitem setitem delitem getattr call enter exit
    add sub mul matmul truediv floordiv mod divmod pow lshift rshift and xor or
    radd rsub rmul rmatmul rtruediv rfloordiv rmod rdivmod rpow rlshift rrshift rand rxor ror
    neg pos abs invert int float complex index round trunc floor ceil str format bytes await aiter
"""

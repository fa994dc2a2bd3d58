"""What the tests hold of a program's: handles of its objects, and plain values that remember where they came from.

Covered: calling, attributes, items, iteration, truth and length go to the program; comparison, arithmetic, hashing,
`in`, `isinstance` and conversion never do, and spoil the test for good.
Not covered: `with`, `await`, and making a class out of a program's class.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tasks.sandbox.inside import OF_TYPES, methods

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

    from tasks.sandbox.calling import Program

MOST_ITEMS = 1_000_000  # of one iterator
LONGEST_LABEL = 60


class Handle:
    """An object of the program's; subclasses add the special methods that its type has."""

    __slots__ = ("label", "number", "program", "taken")

    def __getattribute__(self, name: str) -> Any:
        if name in _NEVER:
            program_of(self).spoil(label_of(self))
        return _ask(self, "getattr", name)

    def __setattr__(self, name: str, value: object) -> None:
        _ask(self, "setattr", name, value)

    def __delattr__(self, name: str) -> None:
        _ask(self, "delattr", name)

    def __repr__(self) -> str:
        if not program_of(self).showing:
            program_of(self).spoil(label_of(self))
        return label_of(self)

    __str__ = __repr__


number_of: Callable[[Handle], int] = Handle.number.__get__  # type: ignore[attr-defined]
label_of: Callable[[Handle], str] = Handle.label.__get__  # type: ignore[attr-defined]
program_of: Callable[[Handle], Program] = Handle.program.__get__  # type: ignore[attr-defined]
_taken_of: Callable[[Handle], int] = Handle.taken.__get__  # type: ignore[attr-defined]
_set_label, _set_taken = Handle.label.__set__, Handle.taken.__set__  # type: ignore[attr-defined]


def is_handle(value: object) -> bool:
    """Whether it is one; `isinstance` would ask the handle."""
    return issubclass(type(value), Handle)


def make_handle(program: Program, number: int, label: str, operations: tuple[str, ...]) -> Handle:
    """A handle that can do `operations`; a negative number stands for what no operation can be done with."""
    operations = tuple(operation for operation in OF_TYPES if operation in operations)
    kind = _kinds.get(operations)
    if kind is None:
        kind = _kinds[operations] = type("Handle", (Handle,), {"__slots__": (), **methods(operations, _ask)})
    made: Handle = object.__new__(kind)
    Handle.number.__set__(made, number)  # type: ignore[attr-defined]
    Handle.program.__set__(made, program)  # type: ignore[attr-defined]
    _set_label(made, label)
    _set_taken(made, 0)
    return made


def _ask(handle: Handle, operation: str, *operands: Any) -> Any:
    program = program_of(handle)
    if operation == "next":
        if _taken_of(handle) >= MOST_ITEMS:
            program.spoil(f"more than {MOST_ITEMS} items of {label_of(handle)}")
        _set_taken(handle, _taken_of(handle) + 1)
    value = program.ask(handle, operation, *operands)
    if operation == "getattr" and is_handle(value) and len(label_of(handle)) < LONGEST_LABEL:
        _set_label(value, f"{label_of(handle)}.{operands[0]}")
    return value


_kinds: dict[tuple[str, ...], type] = {}


def _spoil(self: Handle, *_: object, **__: object) -> NoReturn:
    program_of(self).spoil(label_of(self))


_OPERATIONS = """
    eq ne lt le gt ge hash contains instancecheck subclasscheck mro_entries
    copy deepcopy reduce reduce_ex getstate sizeof
    add sub mul matmul truediv floordiv mod divmod pow lshift rshift and xor or
    radd rsub rmul rmatmul rtruediv rfloordiv rmod rdivmod rpow rlshift rrshift rand rxor ror
    neg pos abs invert int float complex index round trunc floor ceil format bytes fspath
"""
_NEVER_ASKED = {"__class__", "__bases__", "__mro__", "__repr__", "__str__"}
_NEVER = frozenset({f"__{operation}__" for operation in _OPERATIONS.split()} | _NEVER_ASKED)
for _operation in _OPERATIONS.split():
    setattr(Handle, f"__{_operation}__", _spoil)


class Held:
    """A plain value of a subclass in the program: compared as what it holds, its attributes are the program's."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _ask(_source_of(self), "getattr", name)

    def __reduce_ex__(self, protocol: object) -> Any:
        """A copy is the plain value."""
        base = type(self).__mro__[2]
        return base, (base(self),)


def hold(source: Handle, value: Any) -> Any:
    """The value, with the handle of the object that held it."""
    made = _HOLDING[type(value)](value)
    object.__setattr__(made, "__source__", source)
    return made


def held_number(value: Any) -> int | None:
    """The number of the object that held the value; None where it is not Held."""
    return number_of(_source_of(value)) if issubclass(type(value), Held) else None


def _source_of(value: Any) -> Handle:
    source: Handle = object.__getattribute__(value, "__source__")
    return source


_HOLDING: dict[type, Any] = {base: type(base.__name__, (Held, base), {}) for base in (int, float, str, bytes, tuple)}

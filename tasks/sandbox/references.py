"""What tests pass to a program and what stays with the judge: functions, iterators, objects of the tests' classes.

The program gets a reference, a number that it can send back with something to do.

Covered: a program reaches what a test passed and what comes of it, nothing else; of attributes only public ones, and
only of objects of classes that the tests define (and of text and byte streams), because those of functions,
generators and modules lead to the tests' own names; a number that was not given out in this test is refused.
Not covered: tests that pass the expected values themselves.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from tasks.sandbox.inside import OPERATIONS, operations_of

TESTS = "suite"  # the name of the module that test code runs as
_WITH_ATTRIBUTES = (TESTS, "_io", "io")


class Unsendable(Exception):
    """A value that a program cannot be given; its text is the type's name."""


class References:
    """The objects that the program may ask about."""

    def __init__(self) -> None:
        self._objects: dict[int, tuple[object, bool, tuple[str, ...]]] = {}
        self._numbers: dict[int, int] = {}
        self._last = 0
        self._lasting: dict[int, tuple[object, bool, tuple[str, ...]]] = {}

    def keep(self) -> None:
        """What has been passed so far stays valid in every test."""
        self._lasting = self._objects.copy()

    def forget(self) -> None:
        """Begin a test: what others passed is not valid any more."""
        self._objects = self._lasting.copy()
        self._numbers = {id(item): number for number, (item, _, _) in self._objects.items()}

    def node(self, item: object) -> object:
        """The node that stands for it. Raises Unsendable."""
        path = _path_of(item)
        if path is not None:
            return ("name", *path)
        kind = type(item)
        operations, attributes = operations_of(kind), False
        if isinstance(item, type) or (callable(item) and kind.__module__ != TESTS):
            operations = ("call",)
        elif kind.__module__ in _WITH_ATTRIBUTES:
            attributes = True
        elif "next" in operations:
            operations = ("iter", "next")
        elif kind is object:
            operations = ()
        else:
            raise Unsendable(kind.__name__)
        number = self._numbers.get(id(item))
        if number is None:
            self._last += 1
            number = self._numbers[id(item)] = self._last
            self._objects[number] = (item, attributes, operations)
        name = getattr(item, "__name__", "") if operations == ("call",) else ""
        return ("&", number, name if type(name) is str and name else kind.__name__, attributes, *operations)

    def find(self, number: object) -> object:
        """The object that a number was given out for. Raises LookupError."""
        return self._found(number)[0]

    def perform(self, operation: object, number: object, operands: list[Any]) -> object:
        """Do what the program asks for. Raises what that raises, or ReferenceError, AttributeError, TypeError."""
        try:
            item, attributes, operations = self._found(number)
        except LookupError:
            raise ReferenceError("the test that passed this has ended") from None
        if type(operation) is not str or operation not in OPERATIONS:
            raise TypeError("no such operation")
        if operation in ("getattr", "setattr", "delattr"):
            name = operands[0] if operands else None
            if type(name) is not str or not attributes or name.startswith("_"):
                raise AttributeError(f"{type(item).__name__!r} object has no attribute {name!r}"[:200])
            if operation != "getattr" and type(item).__module__ != TESTS:
                raise AttributeError(f"{name[:100]!r} cannot be set")
            if operation == "getattr" and len(operands) != 1:
                raise TypeError("no such operation")
        elif operation not in operations:
            raise TypeError(f"{type(item).__name__!r} object does not support {operation}")
        return OPERATIONS[operation](item, *operands)

    def _found(self, number: object) -> tuple[object, bool, tuple[str, ...]]:
        if type(number) is not int:
            raise LookupError
        return self._objects[number]


def _path_of(item: Any) -> tuple[str, str] | None:
    """Module and path of what the standard library offers by name: the program has its own."""
    owner = getattr(item, "__objclass__", None)  # of a method like str.upper
    module: Any = getattr(item, "__module__", None) or getattr(owner, "__module__", None)
    path: Any = getattr(item, "__qualname__", None)
    if isinstance(item, ModuleType):
        module, path = item.__name__, ""
    if type(path) is not str or type(module) is not str:
        return None
    found: Any = sys.modules.get(module)
    for name in filter(None, path.split(".")):
        found = getattr(found, name, None)
    known = module.partition(".")[0] in sys.stdlib_module_names
    return (module, path) if known and found is item else None

"""The program that runs a model's own tests on a model's program: both inside the sandbox, for neither is trusted.

Its standard input is a JSON object of `context`, `program`, `entry_point` and `tests` (source that defines
`check(candidate)`). It prints a line of JSON an event: `{"begun": "assert …"}`, then `{"ended": ""}` or
`{"ended": "what went wrong"}` or `{"void": "…"}` where the tests themselves are at fault, for every assertion that is
reached, and last `{"done": ""}`, with words where the tests ended themselves, or `{"fault": "…"}` where the program
ended them. The events are for a model to read: a program can forge them and gains nothing by it.

What is whose fault: what is raised in the program, and what else goes wrong with what it returned, is the program's;
a name that the tests do not define, a module that is not there or a file that cannot be opened is the tests'.

It is run as a program of its own and imports the standard library alone.
"""

import ast
import importlib
import io
import json
import os
import sys
import traceback
import types
from collections.abc import Callable
from functools import partial
from typing import Any

LONGEST = 400  # characters of one value or message
USUAL = ("math", "re", "itertools", "collections", "functools", "string")  # which tests forget to import
# What goes wrong with a result that is not what the tests go on with: the wrong type, too short, no method.
ON_RESULTS = (TypeError, AttributeError, ValueError, LookupError, ArithmeticError, AssertionError)
MOST, LATE = 100, 5  # assertions told of, for a loop may hold any number; and of later ones, those that fail

Tell = Callable[..., None]


def main() -> None:
    """Load the program, then run its tests, and tell how each ends."""
    work: dict[str, str] = json.load(sys.stdin)
    tell, program = _teller(), work["program"]
    solution = types.ModuleType("solution")
    sys.modules["solution"] = solution
    names = solution.__dict__
    # What a prompt gives before its function need not run by itself.
    _raised(lambda: _execute(work["context"], "prompt.py", names))
    if (fault := _raised(lambda: _execute(program, "solution.py", names))) is not None:
        tell(fault=f"The program could not be loaded: {_said(fault, program)}")
        return
    if work["entry_point"] not in names:
        tell(fault=f"The program does not define {work['entry_point']}.")
        return
    telling = Telling(tell, program)
    fault = _raised(lambda: _check(work["tests"], names, telling)(names[work["entry_point"]]))
    if fault is None:
        tell(done="")
    elif _frame(fault, program) or isinstance(fault, ON_RESULTS):
        tell(fault=f"The tests ended with {_said(fault, program)}")
    else:
        tell(done=f"The tests ended with {_said(fault, program)}")


class Telling:
    """Hears how the assertions go, and tells it."""

    def __init__(self, tell: Tell, program: str) -> None:
        self.tell, self.program, self.source = tell, program, ""
        self.told = self.late = 0

    def begin(self, source: str) -> None:
        """Say that an assertion is reached."""
        self.told += 1
        self.source = source[:LONGEST]
        if self.told <= MOST:
            self.tell(begun=self.source)

    def equal(self, got: object, expected: object) -> None:
        """End `assert got == expected`."""
        self._end("" if got == expected else f"got {_shown(got)}, expected {_shown(expected)}")

    def true(self, value: object) -> None:
        """End any other assertion."""
        self._end("" if value else "it does not hold")

    def raised(self, fault: BaseException) -> None:
        """End an assertion that raised."""
        if isinstance(fault, NameError | ImportError) and not _frame(fault, self.program):
            self.void(fault)
        else:
            self._end(f"raised {_said(fault, self.program)}")

    def void(self, fault: BaseException) -> None:
        """End an assertion that says nothing of the program."""
        if self.told <= MOST:
            self.tell(void=f"the test itself raised {_said(fault, self.program)}")

    def _end(self, fault: str) -> None:
        if self.told <= MOST:
            self.tell(ended=fault)
        elif fault and self.late < LATE:
            self.late += 1
            self.tell(begun=self.source)
            self.tell(ended=fault)


class Asserts(ast.NodeTransformer):
    """Puts statements in each assertion's place that tell how it ended, and go on with the next.

    They stand where the assertion stood, so that names mean there what they meant.
    """

    def visit_Assert(self, node: ast.Assert) -> list[ast.stmt]:
        test, method = node.test, "true"
        parts = [test]
        if isinstance(test, ast.Compare) and len(test.ops) == 1 and isinstance(test.ops[0], ast.Eq):
            parts, method = [test.left, test.comparators[0]], "equal"
        begin = _telling("begin", ast.Constant(ast.unparse(node)))
        fault = ast.Name("__fault__", ast.Load())
        caught = ast.ExceptHandler(ast.Name("BaseException", ast.Load()), "__fault__", [_telling("raised", fault)])
        tried = ast.Try(body=[_telling(method, *parts)], handlers=[caught], orelse=[], finalbody=[])
        return [ast.copy_location(each, node) for each in (begin, tried)]


def _telling(method: str, *arguments: ast.expr) -> ast.Expr:
    function = ast.Attribute(ast.Name("__telling__", ast.Load()), method, ast.Load())
    return ast.Expr(ast.Call(function, list(arguments), []))


def _check(source: str, names: dict[str, Any], telling: Telling) -> Callable[[object], object]:
    """Return the tests' `check` with assertions that tell; what the source calls at its top level is left out."""
    tree = ast.parse(source)
    imports = [part for part in tree.body if isinstance(part, ast.Import | ast.ImportFrom)]
    tree.body = [
        part
        for part in tree.body
        if not isinstance(part, ast.Expr | ast.If | ast.Assert | ast.Import | ast.ImportFrom)
    ]
    Asserts().visit(tree)
    space = {**{name: importlib.import_module(name) for name in USUAL}, **names}
    space |= {"__name__": "tests", "__telling__": telling}
    for each in imports:  # one that fails is seldom needed: the program's own name from a file of some name
        _raised(partial(_execute, ast.unparse(each), "tests.py", space))
    exec(compile(ast.fix_missing_locations(tree), "tests.py", "exec"), space)
    check: Callable[[object], object] = space["check"]
    return check


def _execute(source: str, file: str, names: dict[str, Any]) -> None:
    exec(compile(source, file, "exec"), names)


def _raised(work: Callable[[], object]) -> BaseException | None:
    """Do it and return what it raised: a program may raise anything, SystemExit too."""
    try:
        work()
    except BaseException as fault:  # noqa: BLE001
        return fault
    return None


def _teller() -> Tell:
    """Return what writes events to standard output, where nothing else is written from now on."""
    events = os.fdopen(os.dup(1), "w", encoding="utf-8", errors="backslashreplace")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    sys.stdin = io.StringIO()

    def tell(**event: str) -> None:
        events.write(json.dumps(event) + "\n")
        events.flush()

    return tell


def _said(fault: BaseException, program: str) -> str:
    """An exception in one line, with the line of the program that it came from."""
    what = "".join(traceback.format_exception_only(type(fault), fault)).strip().splitlines()[-1][:LONGEST]
    where = _frame(fault, program)
    return f"{what} ({where})" if where else what


def _frame(fault: BaseException, program: str) -> str:
    """The line of the program that an exception came from; empty where it came from elsewhere."""
    lines = program.splitlines()
    for frame in reversed(traceback.extract_tb(fault.__traceback__)):
        if frame.filename == "solution.py" and frame.lineno and frame.lineno <= len(lines):
            return f"line {frame.lineno}: {lines[frame.lineno - 1].strip()[:LONGEST]}"
    return ""


def _shown(value: object) -> str:
    said = list[str]()
    fault = _raised(lambda: said.append(repr(value)))
    text = said[0] if fault is None else f"a value whose repr raised {type(fault).__name__}"
    return text if len(text) <= LONGEST else text[:LONGEST] + "…"


if __name__ == "__main__":
    main()

"""The program that runs a model's own tests on a model's program: both inside the sandbox, for neither is trusted.

Its standard input is a JSON object of `context`, `program`, `entry_point` and `tests` (source that defines
`check(candidate)`). It prints a line of JSON an event: `{"begun": "assert …"}`, then `{"ended": ""}` or
`{"ended": "what went wrong"}`, for every assertion that is reached, and last `{"done": ""}`, or `{"fault": "…"}`
where something else ended the tests. The events are for a model to read: a program can forge them and gains nothing
by it.

It is run as a program of its own and imports the standard library alone.
"""

import ast
import io
import json
import os
import sys
import traceback
import types
from collections.abc import Callable
from typing import Any

LONGEST = 400  # characters of one value or message
MOST = 200  # assertions told of; a loop may hold any number

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
    if fault is None or isinstance(fault, Enough):
        tell(done="")
    else:
        tell(fault=f"The tests ended with {_said(fault, program)}")


class Enough(BaseException):
    """So many assertions have been told of that the rest is left."""


class Telling:
    """Stands in an assertion's place: runs it, and tells how it ended."""

    def __init__(self, tell: Tell, program: str) -> None:
        self.tell, self.program, self.told = tell, program, 0

    def equal(self, source: str, left: Callable[[], object], right: Callable[[], object]) -> None:
        """For `assert left == right`."""

        def run() -> str:
            got, expected = left(), right()
            return "" if got == expected else f"got {_shown(got)}, expected {_shown(expected)}"

        self._run(source, run)

    def true(self, source: str, test: Callable[[], object]) -> None:
        """For any other assertion."""
        self._run(source, lambda: "" if test() else "it does not hold")

    def _run(self, source: str, run: Callable[[], str]) -> None:
        if self.told == MOST:
            raise Enough
        self.told += 1
        self.tell(begun=source)
        faults = list[str]()
        problem = _raised(lambda: faults.append(run()))
        self.tell(ended=faults[0] if problem is None else f"raised {_said(problem, self.program)}")


class Asserts(ast.NodeTransformer):
    """Makes each assertion a call that tells how it ended, and goes on with the next."""

    def visit_Assert(self, node: ast.Assert) -> ast.Expr:
        test, method = node.test, "true"
        parts = [test]
        if isinstance(test, ast.Compare) and len(test.ops) == 1 and isinstance(test.ops[0], ast.Eq):
            parts, method = [test.left, test.comparators[0]], "equal"
        nothing = ast.arguments(posonlyargs=[], args=[], kwonlyargs=[], kw_defaults=[], defaults=[])
        call = ast.Attribute(ast.Name("__telling__", ast.Load()), method, ast.Load())
        source = ast.Constant(ast.unparse(node))
        told = ast.Call(call, [source, *(ast.Lambda(nothing, part) for part in parts)], [])
        return ast.copy_location(ast.Expr(told), node)


def _check(source: str, names: dict[str, Any], telling: Telling) -> Callable[[object], object]:
    """Return the tests' `check` with assertions that tell; what the source calls at its top level is left out."""
    tree = ast.parse(source)
    tree.body = [Asserts().visit(part) for part in tree.body if not isinstance(part, ast.Expr | ast.If)]
    space = {**names, "__name__": "tests", "__telling__": telling}
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
    lines = program.splitlines()
    for frame in reversed(traceback.extract_tb(fault.__traceback__)):
        if frame.filename == "solution.py" and frame.lineno and frame.lineno <= len(lines):
            return f"{what} (line {frame.lineno}: {lines[frame.lineno - 1].strip()[:LONGEST]})"
    return what


def _shown(value: object) -> str:
    said = list[str]()
    fault = _raised(lambda: said.append(repr(value)))
    text = said[0] if fault is None else f"a value whose repr raised {type(fault).__name__}"
    return text if len(text) <= LONGEST else text[:LONGEST] + "…"


if __name__ == "__main__":
    main()

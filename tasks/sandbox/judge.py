"""The trusted side of a function test: the dataset's test code runs here, the program elsewhere.

A process of its own, forked from a host that never runs test code, and killed from outside. `candidate`, the entry
point's name and the other proxied names are handles that send each use to the program's process and get plain values
back; expected values stay here.

Covered: the tests' own copies of the problem's helpers; a failing test stays failed whatever the test code does about
an opaque value, a broken reply or the end of the program.
Not covered: test code that executes what it was returned; no dataset here does.
"""

from __future__ import annotations

import ast
import gc
import marshal
import os
import resource
import signal
import socket
import sys
import traceback
from types import ModuleType
from typing import TYPE_CHECKING, Any

from tasks.sandbox.calling import Program, call_text, shown, text_of
from tasks.sandbox.references import TESTS

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    Report = Callable[..., None]
    Work = tuple[str, str, tuple[str, ...], str, tuple[str, ...]]

HIDDEN, SAMPLE = "<hidden test>", "<test>"
NICENESS = 5
WARM = """
    array bisect cmath collections contextlib copy datetime decimal enum fractions functools heapq io itertools json
    math operator re string struct typing
"""


def host(descriptor: int) -> None:
    """Fork a judge for every message on a socket, which brings its descriptors; end when the socket closes.

    The answer is the judge's process id, with a descriptor of the process.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps
    os.nice(NICENESS)
    for name in WARM.split():
        __import__(name)
    gc.collect()
    gc.freeze()
    gc.disable()
    channel = socket.socket(fileno=descriptor)
    while True:
        message, descriptors, _, _ = socket.recv_fds(channel, 16, 5)
        if not message:
            return
        waiting, go = os.pipe()
        try:
            child = os.fork()
        except OSError as problem:
            socket.send_fds(channel, [str(problem).encode()[:32]], [])
            child = -1
        if child == 0:
            os.close(go)
            os.read(waiting, 1)  # not before the parent has a descriptor of this process
            _begin(descriptors)
        if child > 0:
            process = os.pidfd_open(child)
            socket.send_fds(channel, [str(child).encode()], [process])
            os.close(process)
        for each in (*descriptors, waiting, go):
            os.close(each)


def _begin(descriptors: list[int]) -> None:
    """In the forked child: never returns. The last descriptor is for what Python says of its own errors."""
    *given, complaints = descriptors
    os.dup2(complaints, 2)
    lowest = 3
    for kept in sorted(given):
        os.closerange(lowest, kept)
        lowest = kept + 1
    os.closerange(lowest, 1 << 16)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    gc.enable()
    try:
        main(*given)
    except BaseException:  # noqa: BLE001 (told as an interpreter tells it at its end)
        traceback.print_exc()
    os._exit(0)


def main(work_file: int, requests: int, replies: int, results: int) -> None:
    """Judge what a file says (marshal, from the trusted parent): `((CPU seconds, bytes of memory), work)`.

    The frames on `results` are those of `judge`.
    """
    with os.fdopen(work_file, "rb") as file:
        (cpu_seconds, memory), work = marshal.load(file)
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds + 1))
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    judge(work, requests, replies, _reporter(results))


def judge(work: Work, requests: int, replies: int, report: Report) -> None:
    """Judge a program that `tasks.sandbox.inside` serves: work is context, entry point, names, setup, tests.

    Reports `("ready",)` before it hears of the program, then `("loaded",)` or `("refused", outcome, error, line)`,
    `("answered",)` when the program is first heard of after that (or during it: `setup` may call it), `("test",
    outcome, source, call, got, expected, error, line)` for each test, and at the end `("end",)`; `("broken", error)`
    where the test code itself does not load.
    """
    context, entry_point, names, setup, tests = work
    program = Program(requests, replies, entry_point, report)
    module = sys.modules[TESTS] = ModuleType(TESTS)
    defined = module.__dict__
    try:
        exec(compile(context, "<context>", "exec", dont_inherit=True), defined)
        prepared = compile(setup, HIDDEN, "exec", dont_inherit=True)
    except Exception as error:  # noqa: BLE001 (test code may raise anything)
        report("broken", f"{type(error).__name__}: {error}")
        return
    report("ready")
    found, refused = program.load(names)
    if not refused[0]:
        for name, value in found.items():
            if name == entry_point or name not in defined:
                defined[name] = value
        defined["candidate"] = defined[entry_point]
        refused = _outcome(_raised_by(prepared, defined), program)
    if refused[0] == "harness_error":
        report("broken", refused[1])
        return
    if refused[0] != "passed":
        report("refused", *refused)
        report("end")
        return
    report("loaded")
    program.keep()
    for test in tests:
        program.forget()
        report("test", *_judged(test, setup, defined, program))
        if program.lost:
            break
    report("end")


def _reporter(descriptor: int) -> Report:
    def report(*frame: object) -> None:
        body = marshal.dumps(frame, 2)  # type: ignore[arg-type]
        data = memoryview(len(body).to_bytes(4, "big") + body)
        while data:
            data = data[os.write(descriptor, data) :]

    return report


def _raised_by(code: Any, defined: dict[str, Any]) -> BaseException | None:
    """Execute code of the tests; what it raised."""
    try:
        exec(code, defined)
    except BaseException as error:  # noqa: BLE001 (test code may raise anything)
        return error
    return None


def _judged(test: str, setup: str, defined: dict[str, Any], program: Program) -> tuple[object, ...]:
    try:
        failure = _raised_by(compile(test, SAMPLE, "exec", dont_inherit=True), defined)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return ("harness_error", test, "", "", "", f"the test itself failed: {type(error).__name__}: {error}", 0)
    outcome, message, line = _outcome(failure, program)
    if outcome == "passed":
        return (outcome, test, "", "", "", "", 0)
    got = shown(program.returned[0], program) if program.returned else ""
    call = call_text(program)
    source, expected = _failing_assertion(failure, test, setup, program)
    return (outcome, source, call, got, expected, message, line)


def _outcome(failure: BaseException | None, program: Program) -> tuple[str, str, int]:
    """Outcome, what was raised or went wrong, and the line of the program where it did."""
    if program.fate is not None:
        return (*program.fate, 0)
    if failure is None:
        return ("passed", "", 0)
    said = text_of(failure, program)
    message = f"{type(failure).__name__}: {said}".removesuffix(": ")
    if failure is program.raised:
        outcome = "memory_limit" if isinstance(failure, MemoryError) else "runtime_error"
        return (outcome, program.raised_text, program.raised_line)
    if isinstance(failure, NameError) and failure.name in program.missing:
        return ("runtime_error", f"the program defines no {failure.name!r}", 0)
    if isinstance(failure, AssertionError):
        return ("wrong_answer", said, 0)
    if program.answered:
        return ("wrong_answer", f"the test could not use the result: {message}", 0)
    return ("harness_error", f"the test itself failed: {message}", 0)


def _failing_assertion(failure: BaseException | None, test: str, setup: str, program: Program) -> tuple[str, str]:
    """The statement of the tests that failed, and the value that it compared with, where it is plain to see."""
    trace, found = failure.__traceback__ if failure else None, None
    while trace is not None:
        if trace.tb_frame.f_code.co_filename in (HIDDEN, SAMPLE):
            found = trace
        trace = trace.tb_next
    if found is None:
        return test, ""
    source = setup if found.tb_frame.f_code.co_filename == HIDDEN else test
    holding = [
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.stmt) and node.lineno <= found.tb_lineno <= (node.end_lineno or 0)
    ]
    if not holding:
        return test, ""
    statement = min(holding, key=lambda node: (node.end_lineno or 0) - node.lineno)
    return ast.get_source_segment(source, statement) or test, _expected(statement, found, program)


def _expected(statement: Any, trace: TracebackType, program: Program) -> str:
    """The other side of `assert call(…) == value`, evaluated once more unless it names anything proxied."""
    if not (isinstance(statement, ast.Assert) and isinstance(statement.test, ast.Compare)):
        return ""
    sides = [statement.test.left, *statement.test.comparators]
    plain = [
        side
        for side in sides
        if not any(isinstance(node, ast.Name) and node.id in program.proxied for node in ast.walk(side))
    ]
    if len(sides) != 2 or len(plain) != 1 or not isinstance(statement.test.ops[0], ast.Eq):
        return ""
    code = compile(ast.Expression(plain[0]), SAMPLE, "eval", dont_inherit=True)
    try:
        return shown(eval(code, trace.tb_frame.f_globals, trace.tb_frame.f_locals), program)
    except BaseException:  # noqa: BLE001 (only a line of a report is lost)
        return ""

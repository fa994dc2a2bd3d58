"""The trusted side of a function test: the dataset's test code runs here, the program elsewhere.

A process of its own, forked from a host that never runs test code, and killed from outside. `candidate`
and the entry point's name are a proxy that sends each call to the program's process and gets plain values
back; expected values stay here.

Covered: the tests' own copies of the problem's helpers; a failing test stays failed whatever the test
code does about an opaque value, a broken reply or the end of the program.
Not covered: test code that executes what it was returned; no dataset here does.
"""

from __future__ import annotations

import marshal
import os

from tasks.sandbox.calling import Program, call_text, shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Any

HIDDEN, SAMPLE = "<hidden test>", "<test>"


def host(descriptor: int) -> None:
    """Fork a judge for every message on a socket, which brings its descriptors; end when the socket closes.

    The answer is the judge's process id, with a descriptor of the process.
    """
    import signal
    import socket

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps
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
            channel.close()
            os.close(go)
            os.read(waiting, 1)  # not before the parent has a descriptor of this process
            os.close(waiting)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.setsid()
            os.dup2(descriptors[4], 2)
            os.close(descriptors[4])
            try:
                main(*descriptors[:4])
            except BaseException:  # noqa: BLE001 (told as an interpreter tells it at its end)
                import traceback

                traceback.print_exc()
            os._exit(0)
        if child > 0:
            process = os.pidfd_open(child)
            socket.send_fds(channel, [str(child).encode()], [process])
            os.close(process)
        for each in (*descriptors, waiting, go):
            os.close(each)


def main(work_file: int, requests: int, replies: int, results: int) -> None:
    """Read the session from a file (marshal, from the trusted parent), report frames as it goes.

    `("ready",)`, then `("loaded",)` or `("refused", outcome, error, line)`, `("answered",)` at the first
    reply to a call, `("test", outcome, source, call, got, expected, error, line)` for each test, and at
    the end `("end",)`; `("broken", error)` where the test code itself does not load.
    """
    with os.fdopen(work_file, "rb") as file:
        limits, work = marshal.load(file)
    _limit(*limits)
    report = _reporter(results)
    context, source, entry_point, setup, tests = work
    program = Program(requests, replies, entry_point, report)
    try:
        names = _test_names(context, entry_point, setup, program)
    except Exception as error:  # noqa: BLE001 (test code may raise anything)
        report("broken", f"{type(error).__name__}: {error}")
        return
    if program.load(context, source):
        for test in tests:
            report("test", *_judged(test, setup, names, program))
            if program.lost:
                break
    report("end")


def _limit(cpu_seconds: int, memory: int) -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds + 1))
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(5)


def _reporter(descriptor: int) -> Callable[..., None]:
    def report(*frame: object) -> None:
        body = marshal.dumps(frame, 2)  # type: ignore[arg-type]
        data = memoryview(len(body).to_bytes(4, "big") + body)
        while data:
            data = data[os.write(descriptor, data) :]

    return report


def _test_names(context: str, entry_point: str, setup: str, program: Program) -> dict[str, Any]:
    """The names that the tests see: the problem's helpers, the proxy, and what the suite defines."""
    names: dict[str, Any] = {"__name__": "test"}
    exec(compile(context, "<context>", "exec", dont_inherit=True), names)
    names[entry_point] = names["candidate"] = program.call
    exec(compile(setup, HIDDEN, "exec", dont_inherit=True), names)
    return names


def _judged(test: str, setup: str, names: dict[str, Any], program: Program) -> tuple[object, ...]:
    program.forget()
    failure: BaseException | None = None
    try:
        exec(compile(test, SAMPLE, "exec", dont_inherit=True), names)
    except BaseException as error:  # noqa: BLE001 (test code may raise anything)
        failure = error
    outcome, message, line = _outcome(failure, program)
    if outcome == "passed":
        return (outcome, test, "", "", "", "", 0)
    source, expected = _failing_assertion(failure, test, setup, program)
    got = shown(program.returned[0]) if program.returned else ""
    return (outcome, source, call_text(program), got, expected, message, line)


def _outcome(failure: BaseException | None, program: Program) -> tuple[str, str, int]:
    """Outcome, what was raised or went wrong, and the line of the program where it did."""
    if program.fate is not None:
        return (*program.fate, 0)
    if failure is None:
        return ("passed", "", 0)
    message = f"{type(failure).__name__}: {failure}".removesuffix(": ")
    if failure is program.raised:
        outcome = "memory_limit" if isinstance(failure, MemoryError) else "runtime_error"
        return (outcome, program.raised_text, program.raised_line)
    if isinstance(failure, AssertionError):
        return ("wrong_answer", str(failure), 0)
    if program.answered:
        return ("wrong_answer", f"the test could not use the result: {message}", 0)
    return ("harness_error", f"the test itself failed: {message}", 0)


def _failing_assertion(failure: BaseException | None, test: str, setup: str, program: Program) -> tuple[str, str]:
    """The statement of the tests that failed, and the value that it compared with, where it is plain to see."""
    import ast

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
    """The other side of `assert call(…) == value`, evaluated once more unless it calls anything proxied."""
    import ast

    if not (isinstance(statement, ast.Assert) and isinstance(statement.test, ast.Compare)):
        return ""
    sides = [statement.test.left, *statement.test.comparators]
    proxied = {program.entry_point, "candidate"}
    plain = [
        side
        for side in sides
        if not any(isinstance(node, ast.Name) and node.id in proxied for node in ast.walk(side))
    ]
    if len(sides) != 2 or len(plain) != 1 or not isinstance(statement.test.ops[0], ast.Eq):
        return ""
    code = compile(ast.Expression(plain[0]), SAMPLE, "eval", dont_inherit=True)
    try:
        return shown(eval(code, trace.tb_frame.f_globals, trace.tb_frame.f_locals))
    except Exception:  # noqa: BLE001 (only a line of a report is lost)
        return ""

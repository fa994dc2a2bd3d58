"""Function tests of a program that nobody trusts: the program in one process, its tests in another.

The judge (`tasks.sandbox.judge`) runs the dataset's test code and calls the program over a pair of pipes
of their own; a thread of this process watches both, ends them, and says what happened.

Covered: expected values never enter the program's process; one deadline for everything; output beyond
the cap, CPU time or memory beyond the limits end the program; cancelling ends both processes at once.
Not covered: what `tasks.sandbox.execute` does not cover.
"""

import asyncio
import contextlib
import marshal
import math
import os
import signal
import tempfile
import threading
import time
from typing import IO, NamedTuple

from blocks.limits import Limits
from tasks.sandbox.execute import Isolated
from tasks.sandbox.judging import Judge, start_judge
from tasks.sandbox.processes import Usage, largest
from tasks.sandbox.watching import BEYOND_TIME, Watched, watch
from tasks.sandbox.watching import Judged as Judged


class Work(NamedTuple):
    """A program and its tests: `setup` is executed once, then each of `tests`, which call `candidate`."""

    program: str
    context: str
    entry_point: str
    setup: str
    tests: tuple[str, ...]


class Session(NamedTuple):
    """What became of the work: the tests that were judged, in order, and what ended it early, if anything.

    `stopped` is what happened to the test after the last judged one, or to the loading of the program
    where `loaded` is False.
    """

    judged: tuple[Judged, ...]
    loaded: bool
    stopped: Judged | None
    usage: Usage
    wall_seconds: float

    @property
    def broken(self) -> str:
        """What went wrong in the machinery or the test code; empty where nothing did."""
        tests = [*self.judged, *([self.stopped] if self.stopped else [])]
        return next((test.error for test in tests if test.outcome == "harness_error"), "")


NICENESS = 10


async def run_tests(work: Work, limits: Limits) -> Session:
    """Run the tests. Never blocks the event loop; cancelling it ends every process, then it returns."""
    loop = asyncio.get_running_loop()
    finished: asyncio.Future[Session] = loop.create_future()
    stop, stopping = os.pipe()

    def settle(session: Session | None, error: BaseException | None) -> None:
        if error is not None:
            finished.set_exception(error)
        elif session is not None:
            finished.set_result(session)

    def run() -> None:
        session, error = None, None
        # On Linux a thread has a niceness of its own, and what it starts inherits it: generation goes first.
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
        try:
            session = _session(work, limits, stop)
        except OSError as problem:
            session = _not_started(str(problem))
        except BaseException as problem:  # noqa: BLE001 (raised again where it is awaited)
            error = problem
        os.close(stop)
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
            loop.call_soon_threadsafe(settle, session, error)

    try:
        threading.Thread(target=run, name="grading", daemon=True).start()
    except RuntimeError as problem:
        os.close(stop)
        os.close(stopping)
        return _not_started(str(problem))
    try:
        await asyncio.wait([finished])
    finally:
        os.close(stopping)
        while not finished.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([finished])
    return finished.result()


def _not_started(why: str) -> Session:
    failed = Judged("harness_error", error=f"no process can be started: {why}")
    return Session((), loaded=False, stopped=failed, usage=Usage(), wall_seconds=0.0)


def _session(work: Work, limits: Limits, stop: int) -> Session:
    started = time.monotonic()
    with contextlib.ExitStack() as cleanup:
        requests, replies, results = (_pipe(cleanup) for _ in range(3))
        code = f"serve({requests.reading.fileno()}, {replies.writing.fileno()})"
        ends = (requests.reading.fileno(), replies.writing.fileno())
        program = cleanup.enter_context(Isolated(code, limits, ends))
        complaints = cleanup.enter_context(tempfile.TemporaryFile())
        descriptors = (requests.writing.fileno(), replies.reading.fileno(), results.writing.fileno())
        judging = _start_judge(work, limits, descriptors, complaints)
        cleanup.callback(judging.end)
        for child_end in (requests.reading, *replies, results.writing):
            child_end.close()  # but not the program's end of work, or it would be gone before it is measured
        watched = watch(program, judging, results.reading, limits, stop, started + limits.wall_seconds)
        stopped = _stopped(watched, program, complaints)
        judged = [Judged(*frame[1:]) for frame in watched.frames if frame[0] == "test" and frame[1] != "gone"]
        loaded = any(frame[0] == "loaded" for frame in watched.frames)
        usage = largest(watched.usage, program.usage())
    return Session(tuple(judged), loaded, stopped, usage, time.monotonic() - started)


class _Pipe(NamedTuple):
    reading: IO[bytes]
    writing: IO[bytes]


def _pipe(cleanup: contextlib.ExitStack) -> _Pipe:
    reading, writing = os.pipe()
    pipe = _Pipe(os.fdopen(reading, "rb", 0), os.fdopen(writing, "wb", 0))
    for end in pipe:
        cleanup.callback(end.close)
    return pipe


def _start_judge(work: Work, limits: Limits, descriptors: tuple[int, int, int], complaints: IO[bytes]) -> Judge:
    """The judge reads its work from a file, which cannot block; its limits are about the program's."""
    numbers = (math.ceil(limits.cpu_seconds) + 1, 2 * limits.memory_mb << 20)
    tests = (work.context, work.program, work.entry_point, work.setup, work.tests)
    with tempfile.TemporaryFile() as file:
        file.write(marshal.dumps((numbers, tests)))
        file.seek(0)
        return start_judge((file.fileno(), *descriptors, complaints.fileno()))


def _stopped(watched: Watched, program: Isolated, complaints: IO[bytes]) -> Judged | None:
    """What kept the session from its end, seen from outside; None where every test was judged."""
    reports = {frame[0]: frame for frame in watched.frames}
    last = watched.frames[-2] if len(watched.frames) > 1 and "end" in reports else ("",)
    lost = Judged(*last[1:]) if last[0] == "test" and last[1] == "gone" else Judged("runtime_error")
    if watched.cut is not None:
        return lost._replace(outcome=watched.cut.outcome, error=watched.cut.error)
    if "broken" in reports:
        return Judged("harness_error", error=f"the test code does not load: {reports['broken'][1]}")
    if "end" in reports and last[1:2] == ("gone",):
        if "ready" in reports:
            return _ended(lost, program)
        said = watched.output.decode("utf-8", "replace").strip()[-300:]
        return Judged("harness_error", error=f"the isolated process did not start: {said}")
    if "refused" in reports:
        _, outcome, error, line = reports["refused"]
        return Judged(outcome, error=error, line=line)
    if "end" in reports:
        return None
    if "answered" in reports:
        return Judged("wrong_answer", error="what the program returned ends the process that compares it")
    complaints.seek(0)
    said = complaints.read().decode("utf-8", "replace").strip()[-300:]
    return Judged("harness_error", error=f"the judge ended early: {said}")


def _ended(lost: Judged, program: Isolated) -> Judged:
    """The program's process ended in the middle: why."""
    status = program.status(patience=1.0)
    if status == -signal.SIGXCPU:
        return lost._replace(outcome="time_limit", error=BEYOND_TIME)
    if status is None:
        error = "the program broke its connection"
    elif status < 0:
        error = f"the program's process was ended by signal {-status} ({signal.strsignal(-status)})"
    else:
        error = f"the program ended its process with exit code {status}"
    return lost._replace(outcome="runtime_error", error=error)

"""Function tests: the program in an isolated process, the dataset's tests in a judge, the verdict from outside both.

The judge (`tasks.sandbox.judge`) runs the test code and calls the program over a pair of pipes of their own. Runs in
the grading host, which follows both and says what happened.

Covered: expected values never enter the program's process; one deadline for everything; a judge that dies on a
program's values; a program that ends, hangs, or takes its worker with it.
Not covered: what `tasks.sandbox.confine` does not cover.
"""

from __future__ import annotations

import asyncio
import contextlib
import marshal
import math
import os
import signal
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from tasks.sandbox.execute import Ended, Program, Setting, Worker, WorkerLost, handed
from tasks.sandbox.reader import read
from tasks.sandbox.values import Malformed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tasks.sandbox.host import Host

LAST_WORDS = 2.0  # seconds that a judge has to tell where it was when its program ended
BEYOND_TIME = "beyond the time limit"  # one text, for which clock ran out depends on the machine's load
NEAR = 0.1  # a wall limit passed with this part of it spent waiting for a processor is no verdict yet


class Judged(NamedTuple):
    """One test. `error` is what was raised or went wrong, `line` of the program (0: not known)."""

    outcome: str
    source: str = ""
    call: str = ""
    got: str = ""
    expected: str = ""
    error: str = ""
    line: int = 0


class Session(NamedTuple):
    """What became of the tests: those that were judged, in order, and what ended it early, if anything.

    `stopped` is what happened to the test after the last judged one, or to the loading of the program where `loaded`
    is False. Seconds and bytes of the whole session; `seconds` has the wall time of each judged test.
    """

    judged: tuple[Judged, ...]
    loaded: bool
    stopped: Judged | None
    cpu: float
    wall: float
    peak: int
    seconds: tuple[float, ...]


async def grade(host: Host, work: tuple[Any, ...], limits: dict[str, Any], setting: tuple[Any, ...]) -> Session:
    """Run the tests; `work` is `(program, context, entry_point, names, setup, tests)`.

    A session near its time limit is held once more with nothing beside it. Raises OSError where no process starts.
    """
    session, near = await _twice(host, work, limits, Setting(*setting))
    if near:
        async with host.places.alone():
            session, _ = await _twice(host, work, limits, Setting(*setting))
    return session


async def _twice(host: Host, work: tuple[Any, ...], limits: dict[str, Any], setting: Setting) -> tuple[Session, bool]:
    """A session; one more in another worker where the first was lost."""
    cut = "lost"
    for _ in range(2):
        try:
            async with host.places.worker(setting) as worker:
                return await _session(host, worker, work, limits)
        except WorkerLost as lost:
            cut = "memory" if lost.of_memory else "lost"
    outcome, error = beyond(cut, limits)
    return Session((), False, Judged(outcome, error=error), 0.0, 0.0, 0, ()), False


async def _session(host: Host, worker: Worker, work: tuple[Any, ...], limits: dict[str, Any]) -> tuple[Session, bool]:
    source, context, entry_point, names, setup, tests = work
    began = time.monotonic()
    with contextlib.ExitStack() as cleanup:
        payload = cleanup.enter_context(handed(marshal.dumps((context, source, entry_point, names))))
        numbers = (math.ceil(limits["cpu"]) + 1, 2 * int(limits["memory"]))
        suite = cleanup.enter_context(handed(marshal.dumps((numbers, (context, entry_point, names, setup, tests)))))
        complaints = cleanup.enter_context(handed(b""))
        with _closing(6) as ends:
            requests, asked, replies, replied, results, reported = ends
            program = Program("call", limits, payload, None, (requests, replied))
            running = asyncio.ensure_future(worker.run(program))
            try:
                judge = await host.judge((suite, asked, replies, reported, complaints))
            except BaseException:
                running.cancel()
                await asyncio.wait([running])
                raise
            for end in (requests, asked, replies, replied, reported):
                os.close(end)
            del ends[:4], ends[1:]
            try:
                frames = _Frames(results)
                ended = await _followed(frames, running, worker)
            finally:
                frames.close()
                if not running.done():
                    running.cancel()
                    await asyncio.wait([running])
                await judge.end()
        complaint = os.pread(complaints, 4096, 0).decode("utf-8", "replace").strip()[-300:]
    return _told(frames, ended, limits, began, complaint)


@contextlib.contextmanager
def _closing(count: int) -> Iterator[list[int]]:
    """Ends of pipes, reading and writing by turns, that are closed at the end unless they are taken off the list."""
    ends = [end for _ in range(count // 2) for end in os.pipe()]
    try:
        yield ends
    finally:
        for end in ends:
            os.close(end)


class _Frames:
    """What the judge reports, as it comes; `finished` is set when there is no more to come."""

    def __init__(self, descriptor: int) -> None:
        self.frames: list[tuple[Any, ...]] = []
        self.times: list[float] = []
        self.finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._descriptor, self._data = descriptor, b""
        os.set_blocking(descriptor, False)
        asyncio.get_running_loop().add_reader(descriptor, self._more)

    def _more(self) -> None:
        try:
            part = os.read(self._descriptor, 1 << 18)
        except BlockingIOError:
            return
        data = self._data + part
        while len(data) >= 4 and len(data) >= 4 + (length := int.from_bytes(data[:4], "big")):
            try:
                frame = read(data[4 : 4 + length])
            except Malformed:
                frame = None
            self.frames.append(frame if isinstance(frame, tuple) and frame else ("broken", "an unreadable report"))
            self.times.append(time.monotonic())
            data = data[4 + length :]
        self._data = data
        if not part or (self.frames and self.frames[-1][0] in ("end", "broken")):
            self.close()

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._descriptor)
        if not self.finished.done():
            self.finished.set_result(None)


async def _followed(frames: _Frames, running: asyncio.Future[Ended], worker: Worker) -> Ended:
    """Until the judge has reported all, or the program has ended and the judge has told where that was."""
    either: list[asyncio.Future[Any]] = [running, frames.finished]
    await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    if running.done():
        await asyncio.wait([frames.finished], timeout=LAST_WORDS)
    else:
        worker.stop()
    return await running


def _told(
    frames: _Frames, ended: Ended, limits: dict[str, Any], began: float, complaint: str
) -> tuple[Session, bool]:
    stopped = _stopped(frames.frames, ended, limits, complaint)
    judged, seconds = list[Judged](), list[float]()
    last = began
    for frame, moment in zip(frames.frames, frames.times, strict=True):
        if frame[0] == "loaded":
            last = moment
        elif frame[0] == "test" and frame[1] != "gone":
            judged.append(Judged(*frame[1:]))
            seconds.append(moment - last)
            last = moment
    if stopped is not None and judged and frames.frames[-1][0] == "end" and frames.frames[-2][1] != "gone":
        judged.pop()  # the last one was judged too late
    loaded = any(frame[0] == "loaded" for frame in frames.frames)
    near = stopped is not None and stopped.outcome == "time_limit" and _near(ended)
    wall = time.monotonic() - began
    return Session(tuple(judged), loaded, stopped, ended.cpu, wall, ended.peak, tuple(seconds)), near


def _near(ended: Ended) -> bool:
    """Whether a time limit was passed by so little, or with so much waiting, that the machine's load may be why."""
    return ended.cut in ("", "stopped") or (ended.cut == "wall" and ended.waited >= NEAR * ended.wall)


def _stopped(frames: list[tuple[Any, ...]], ended: Ended, limits: dict[str, Any], complaint: str) -> Judged | None:
    """What kept the session from its end, seen from outside; None where every test was judged."""
    reports = {frame[0]: frame for frame in frames}
    last = frames[-2] if len(frames) > 1 and "end" in reports else frames[-1] if frames else ("",)
    gone = last[0] == "test" and last[1] == "gone"
    lost = Judged(*last[1:]) if gone else Judged("runtime_error")
    if ended.cut not in ("", "stopped") or (ended.cpu > limits["cpu"] and "broken" not in reports):
        outcome, error = beyond(ended.cut, limits)
        return lost._replace(outcome=outcome, error=error)
    if "broken" in reports:
        return Judged("harness_error", error=f"the test code does not load: {reports['broken'][1]}")
    if ended.broken and "loaded" not in reports:
        return Judged("harness_error", error=f"the isolated process did not start: {ended.broken}")
    if gone or (reports.get("refused") or ("", ""))[1] == "gone":
        outcome, error = died(ended.status)
        if ended.cut == "stopped" and ended.status == -signal.SIGKILL:  # by us: it was alive, and is not heard
            error = "the program broke its connection"
        return lost._replace(outcome=outcome, error=error)
    if "refused" in reports:
        _, outcome, error, line = reports["refused"]
        return Judged(outcome, error=error, line=line)
    if "end" in reports:
        return None
    if "ready" in reports:
        return Judged("wrong_answer", error="what the program sent ends the process that compares it")
    return Judged("harness_error", error=f"the judge ended early: {complaint}")


def beyond(cut: str, limits: dict[str, Any]) -> tuple[str, str]:
    """Outcome and words for a limit that was passed."""
    if cut == "memory":
        return "memory_limit", f"more than {int(limits['memory']) >> 20} MiB of memory"
    if cut == "output":
        return "output_limit", f"the program printed more than {int(limits['output']) >> 10} KiB"
    if cut == "lost":
        return "runtime_error", "the program ended the process that watches it"
    return "time_limit", BEYOND_TIME


def died(status: int) -> tuple[str, str]:
    """Outcome and words for a main process that ended by itself."""
    if status == -signal.SIGXCPU:
        return "time_limit", BEYOND_TIME
    if status == -signal.SIGSYS:
        return "sandbox_violation", "the program called the kernel in a way that is not allowed"
    if status < 0:
        return "runtime_error", f"the program's process was ended by signal {-status} ({signal.strsignal(-status)})"
    return "runtime_error", f"the program ended its process with exit code {status}"

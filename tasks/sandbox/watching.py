"""Following a program and its judge until all is reported or a limit is passed.

Covered: one deadline for everything; the CPU time and memory of the program's tree and the judge's CPU
time, measured every 50 ms; output beyond the cap; the end of either process at any moment.
Not covered: what is used and given back between two measurements.
"""

import contextlib
import os
import selectors
import time
from typing import IO, Any, NamedTuple

from blocks.limits import Limits
from tasks.records import Outcome
from tasks.sandbox.execute import Isolated
from tasks.sandbox.judging import Judge
from tasks.sandbox.processes import Usage, cpu_seconds, largest
from tasks.sandbox.reader import read

MEASURE_EVERY = 0.05
LAST_WORDS = 2.0
BEYOND_TIME = "beyond the time limit"  # one text, for which clock ran out depends on the machine's load


class Judged(NamedTuple):
    """One test. `error` is what was raised or went wrong, `line` of the program (0: not known)."""

    outcome: Outcome
    source: str = ""
    call: str = ""
    got: str = ""
    expected: str = ""
    error: str = ""
    line: int = 0


class Watched(NamedTuple):
    """What the judge reported, what the program printed first, what cut it off, the most it used."""

    frames: list[tuple[Any, ...]]
    output: bytes
    cut: Judged | None
    usage: Usage


def watch(program: Isolated, judging: Judge, results: IO[bytes], limits: Limits, stop: int, end: float) -> Watched:
    """Follow both processes until the judge has reported all.

    A program beyond its limits is ended; the judge then tells in which call that was.
    """
    frames, reported, output, printed = list[tuple[Any, ...]](), b"", b"", 0
    usage, cut, measured = Usage(), None, time.monotonic()
    with selectors.DefaultSelector() as selector:
        for descriptor in (results.fileno(), program.output, program.ended, stop):
            selector.register(descriptor, selectors.EVENT_READ)
        while not (frames and frames[-1][0] in ("end", "broken")):
            for key, _ in selector.select(min(MEASURE_EVERY, max(0.0, end - time.monotonic()))):
                if key.fd == stop:
                    return Watched(frames, output, Judged("harness_error", error="cancelled"), usage)
                if key.fd == program.ended:
                    selector.unregister(program.ended)
                    program.end()
                elif key.fd == program.output:
                    part = os.read(program.output, 1 << 16)
                    output, printed = (output + part)[:4096], printed + len(part)
                    if not part:
                        selector.unregister(program.output)
                elif part := os.read(results.fileno(), 1 << 16):
                    reported = _read_frames(reported + part, frames)
                else:
                    return Watched(frames, output, cut, usage)
            now = time.monotonic()
            if cut is not None:
                if now >= end:
                    break
                continue
            if now - measured >= MEASURE_EVERY or now >= end:
                measured, usage = now, largest(usage, program.usage())
                cut = _beyond(usage, _cpu_of(judging), limits, now >= end)
            if printed > limits.output_kb << 10:
                cut = Judged("output_limit", error=f"the program printed more than {limits.output_kb} KiB")
            if cut is not None and cut.outcome == "wrong_answer":
                break
            if cut is not None:
                program.end()
                end = now + LAST_WORDS
    return Watched(frames, output, cut, usage)


def _cpu_of(judging: Judge) -> float:
    with contextlib.suppress(OSError):  # it has ended
        return cpu_seconds(judging.pid)
    return 0.0


def _read_frames(data: bytes, frames: list[tuple[Any, ...]]) -> bytes:
    """Take the whole frames off `data`."""
    while len(data) >= 4 and len(data) >= 4 + (length := int.from_bytes(data[:4], "big")):
        frame = read(data[4 : 4 + length])
        frames.append(frame if isinstance(frame, tuple) else ("broken", "an unreadable report"))
        data = data[4 + length :]
    return data


def _beyond(usage: Usage, judge_cpu: float, limits: Limits, late: bool) -> Judged | None:
    """The limit that is passed, if one is."""
    if usage.memory_mb is not None and usage.memory_mb > limits.memory_mb:
        return Judged("memory_limit", error=f"more than {limits.memory_mb} MiB of memory")
    if usage.cpu_seconds is not None and usage.cpu_seconds >= limits.cpu_seconds:
        return Judged("time_limit", error=BEYOND_TIME)
    if judge_cpu >= limits.cpu_seconds:
        return Judged("wrong_answer", error="what the program returned is too costly to compare")
    if late:
        return Judged("time_limit", error=BEYOND_TIME)
    return None

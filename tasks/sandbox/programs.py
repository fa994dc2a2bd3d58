"""Whole programs, which read standard input and write standard output: build them, run them, compare.

Runs in the grading host; the expected outputs stay here. Every test is a fresh isolated process with real pipes.

Covered: compile errors, compilers that take too long, too much or say too much; programs that never read, never end,
print too much, or end in any way.
Not covered: what `tasks.sandbox.confine` does not cover; checkers of a problem's own.
"""

from __future__ import annotations

import marshal
from typing import TYPE_CHECKING, Any, NamedTuple

from tasks.sandbox import languages
from tasks.sandbox.calls import beyond, died
from tasks.sandbox.compare import first_difference, same_output
from tasks.sandbox.execute import Ended, Program, Setting, handed

if TYPE_CHECKING:
    from tasks.sandbox.host import Host

NEAR = 0.1
OUT_OF_MEMORY = (b"MemoryError", b"std::bad_alloc", b"java.lang.OutOfMemoryError", b"heap out of memory")
LONGEST = 1 << 16  # characters of an output that go back
BUILDING = {
    "cpu": 60.0, "wall": 120.0, "memory": 2 << 30, "output": 64 << 20, "processes": 512, "open_files": 1024,
    "file": 256 << 20, "tmp": 1 << 30, "tmp_inodes": 1 << 16, "address_space": 0, "keep_output": True,
}  # fmt: skip


class Ran(NamedTuple):
    """One test, or the compiler. `error` is what went wrong, `line` the first that differs; seconds and bytes."""

    outcome: str
    got: str = ""
    error: str = ""
    line: int = 0
    cpu: float = 0.0
    wall: float = 0.0
    peak: int = 0


class _Built(NamedTuple):
    kind: str
    payload: bytes


async def grade(
    host: Host, language: str, source: str, pairs: list[tuple[str, str | None]], limits: dict[str, Any],
    setting: tuple[Any, ...],
) -> list[Ran]:  # fmt: skip
    """Run a program on each input, and compare where there is an expected output.

    One result a test, until one has passed a limit: those after it are not run. A program that does not compile has
    one result. Raises OSError where no process starts.
    """
    entry = languages.LANGUAGES[language]
    limits = {
        **limits,
        "cpu": limits["cpu"] + entry.more_seconds,
        "wall": limits["wall"] + 3 * entry.more_seconds,
        "memory": limits["memory"] + (entry.more_memory_mb << 20),
        "address_space": limits["address_space"] if entry.bounded else 0,
    }
    isolation, python = setting
    built = await _built(host, entry, source, limits, isolation, python)
    if isinstance(built, Ran):
        return [built]
    running = Setting(isolation, python, languages.readable(entry, building=False))
    results = list[Ran]()
    with handed(built.payload) as payload:
        for given, expected in pairs:
            results.append(await _ran(host, running, built.kind, payload, given, expected, limits))
            if results[-1].outcome in (
                "time_limit",
                "memory_limit",
                "output_limit",
                "compile_error",
                "harness_error",
            ):
                break
    return results


async def _built(
    host: Host, entry: languages.Language, source: str, limits: dict[str, Any], isolation: str, python: str
) -> _Built | Ran:
    """What a worker is to run; or why there is nothing."""
    try:
        text = source.encode()
    except UnicodeEncodeError:
        return Ran("compile_error", error="the program is not Unicode text")
    file, main = entry.file(source)
    if entry.name == "Python3":
        return _Built("main", marshal.dumps((file, text), 2))
    if (lacking := languages.missing(entry, isolation)) is not None:
        return Ran("harness_error", error=lacking)
    values = {"file": file, "main": main, "memory": (limits["memory"] >> 20) - entry.more_memory_mb}
    run, environment = languages.filled(entry.run, **values), languages.environment(entry)
    if not entry.build:
        return _Built("command", marshal.dumps((run, environment, [(file, 0o644, text)], b""), 2))
    commands = [languages.filled(command, **values) for command in entry.build]
    building = Setting(isolation, python, languages.readable(entry, building=True))
    with handed(marshal.dumps((commands, environment, [(file, 0o644, text)]), 2)) as payload:
        ended = await host.places.run(building, Program("build", BUILDING, payload))
    if ended.broken:
        return Ran("harness_error", error=ended.broken)
    if ended.cut or ended.status:
        said = ended.error.decode("utf-8", "replace").strip()
        if ended.cut:
            said = f"the compiler: {beyond(ended.cut, BUILDING)[1]}\n{said}".strip()
        return Ran("compile_error", error=said, cpu=ended.cpu, wall=ended.wall, peak=ended.peak)
    kept = [(file, 0o644, text)] if entry.keeps_source else []
    return _Built("command", marshal.dumps((run, environment, kept, ended.output), 2))


async def _ran(
    host: Host, setting: Setting, kind: str, payload: int, given: str, expected: str | None, limits: dict[str, Any]
) -> Ran:
    with handed(given.encode("utf-8", "surrogateescape")) as stdin:
        program = Program(kind, limits, payload, stdin)
        ended = await host.places.run(setting, program)
        if near(ended, limits):
            async with host.places.alone():
                ended = await host.places.run(setting, program)
    printed = ended.output.decode("utf-8", "replace")
    outcome, error, line = _judged(ended, printed, expected, limits)
    return Ran(outcome, printed[:LONGEST], error, line, ended.cpu, ended.wall, ended.peak)


def near(ended: Ended, limits: dict[str, Any]) -> bool:
    """Whether a time limit was passed by so little, or with so much waiting, that the machine's load may be why."""
    if ended.cut == "wall" and not {"M", "F"} & set(ended.state):
        return ended.waited >= NEAR * ended.wall
    return not ended.cut and ended.cpu > limits["cpu"]


def _judged(ended: Ended, printed: str, expected: str | None, limits: dict[str, Any]) -> tuple[str, str, int]:
    """Outcome, what went wrong, and the first line that differs."""
    if ended.broken:
        return "harness_error", f"the isolated process did not start: {ended.broken}", 0
    complaint = ended.error.decode("utf-8", "replace").rstrip()
    waits = ended.cut == "wall" and "M" in ended.state  # for a thread that outlives the program: its output stands
    if ended.cut == "wall" and "F" in ended.state:
        return "runtime_error", complaint[-2000:], 0
    if (ended.cut and not waits) or ended.cpu > limits["cpu"]:
        return *beyond(ended.cut, limits), 0
    if "C" in ended.state:
        return "compile_error", complaint, 0
    if not waits and ended.status:
        if any(words in ended.error[-4096:] for words in OUT_OF_MEMORY):
            return "memory_limit", complaint[-2000:], 0
        outcome, error = died(ended.status)
        said = complaint[-2000:] if ended.status > 0 and complaint else f"{error}\n{complaint[-2000:]}".strip()
        return outcome, said, 0
    if expected is None or same_output(printed, expected):
        return "passed", "", 0
    return "wrong_answer", "", first_difference(printed, expected)


PROBE = """
total = 0
for number in range(400_000):
    total += number * number % 7
words = {str(number): number for number in range(40_000)}
print(total, sum(map(len, words)))
"""
PROBE_SECONDS = 0.06  # CPU time of the probe on the machines that the limits are meant for


async def calibrate(host: Host, limits: dict[str, Any], setting: tuple[Any, ...]) -> tuple[float, str]:
    """How much slower this machine is than the limits suppose, 1.0 or more; and why nothing can be run, or ""."""
    isolation, python = setting
    source = PROBE
    place = Setting(isolation, python, languages.readable(languages.LANGUAGES["Python3"], building=False))
    measured = list[float]()
    with handed(marshal.dumps(("main.py", source.encode()), 2)) as payload, handed(b"") as stdin:
        for _ in range(3):
            ended = await host.places.run(place, Program("main", limits, payload, stdin))
            if ended.broken or ended.cut or ended.status:
                complaint = ended.error.decode("utf-8", "replace").strip()[-300:]
                return 1.0, ended.broken or complaint or f"a trial ended with {ended.status} {ended.cut}"
            measured.append(ended.cpu)
    return max(1.0, round(min(measured) / PROBE_SECONDS, 2)), ""

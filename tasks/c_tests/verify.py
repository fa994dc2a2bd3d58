"""Run any program against generated tests, in the sandbox: a translation of the C program into Rust, say.

Covered: a program of one file, and files that its command line names, which are copied into the sandbox; what is
installed in /usr is there as well.
Not covered: programs that need more of the host: a folder of modules, a network, an environment.
"""

import asyncio
import marshal
import re
import shlex
import shutil
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path, PurePosixPath
from typing import Literal, NamedTuple

from blocks.errors import UsageError
from blocks.limits import Limits
from tasks.c_tests.building import run
from tasks.c_tests.files import Test, TestsFolder, read_tests
from tasks.c_tests.trying import Feed, expected, fed
from tasks.grading import HarnessError
from tasks.sandbox.binaries import Shown
from tasks.sandbox.calls import beyond, died

SYSTEM = ("/usr", "/bin", "/lib", "/lib64")
READABLE = ("/bin", "/usr/bin", "/usr/share")

_FIELD = re.compile(r"\{(path|folder|name|stem)\}")


class Target(NamedTuple):
    """A program to run: the archive of its files, and its command line where they are."""

    archive: bytes
    command: tuple[str, ...]


class Verified(NamedTuple):
    """What became of one test of a program; `seconds` of wall time; `reason` and `detail` where it did not pass."""

    path: str
    number: int
    outcome: Literal["passed", "failed", "error"]
    seconds: float
    reason: str = ""
    detail: str = ""


async def verify(
    folder: TestsFolder,
    paths: Sequence[str],
    template: Sequence[str],
    feed: Feed | None,
    limits: Limits,
    at_once: int,
) -> list[Verified]:
    """Run the tests of these programs on the target of each, so many programs at a time; results in their order.

    In the words of `template` {path}, {folder}, {name} and {stem} stand for p001/C/p001.c, p001/C, p001.c and p001.
    `feed` None: as the folder says of each program, else to standard input.
    """
    places = asyncio.Semaphore(at_once)

    async def one(path: str) -> list[Verified]:
        async with places:
            return await _verified(folder, path, template, feed or folder.feed_of(path) or "stdin", limits)

    async with asyncio.TaskGroup() as group:
        work = [group.create_task(one(path)) for path in paths]
    return [each for done in work for each in done.result()]


def words_of(command: str) -> list[str]:
    """Split a command line, or a template of one, as a shell does; raises UsageError where it is none."""
    try:
        words = shlex.split(command)
    except ValueError as problem:
        raise UsageError(f"target command {command!r}: {problem}") from None
    if not words:
        raise UsageError("target command: it is empty; name a program")
    return words


def filled(template: Sequence[str], path: str) -> list[str]:
    """Return the words of the command line of a program's target.

    They are split before and filled in one pass: whatever a name holds, it is a part of one word and read once.
    """
    file = PurePosixPath(path)
    known = {"path": path, "folder": str(file.parent), "name": file.name, "stem": file.stem}
    return [_FIELD.sub(lambda field: known[field[1]], word) for word in template]


def target(words: Sequence[str]) -> Target:
    """Return the program of a command line; raises UsageError where there is none, or a file cannot be read."""
    program = words[0] if "/" in words[0] else shutil.which(words[0])
    if program is None or not _is_file(Path(program)):
        raise UsageError(f"target command {shlex.join(words)}: there is no program {words[0]!r}")
    files, placed = [], []
    for number, word in enumerate([program, *words[1:]]):
        path = Path(word)
        if _is_file(path) and not any(path.resolve().is_relative_to(root) for root in SYSTEM):
            name = f"{number}-{path.name}"
            try:
                files.append((name, 0o755, path.read_bytes()))
            except OSError as problem:
                said = f"{word!r} cannot be read ({problem.strerror})"
                raise UsageError(f"target command {shlex.join(words)}: {said}") from None
            placed.append(f"./{name}")
        else:
            placed.append(str(path.absolute()) if number == 0 else word)
    return Target(marshal.dumps(files, 2), tuple(placed))


async def run_tests(program: Target, tests: Sequence[Test], feed: Feed, limits: Limits, path: str) -> list[Verified]:
    """Run tests on a program; raises HarnessError where the sandbox fails."""
    commands = []
    for test in tests:
        given = fed(test.input, feed)
        commands.append(([*program.command, *given.arguments], given.stdin))
    shown = await run(program.archive, commands, limits, readable=READABLE)
    return [
        _compared(path, number, test, each, limits)
        for number, (test, each) in enumerate(zip(tests, shown, strict=True))
    ]


async def _verified(
    folder: TestsFolder, path: str, template: Sequence[str], feed: Feed, limits: Limits
) -> list[Verified]:
    """Every test has its row, whatever kept it from running; a file of tests that cannot be read is one row."""
    count = 1
    try:
        tests = read_tests(folder.file(path))
        count = len(tests)
        return await run_tests(target(filled(template, path)), tests, feed, limits, path)
    except (ValueError, HarnessError) as problem:
        return [Verified(path, number, "error", 0.0, str(problem), str(problem)) for number in range(count)]


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a word too long for a path, or with a null character
        return False


def _compared(path: str, number: int, test: Test, shown: Shown, limits: Limits) -> Verified:
    def failed(reason: str, detail: str = "") -> Verified:
        told = f"{reason}\nInput:\n{test.input}\n{detail}".rstrip("\n")
        return Verified(path, number, "failed", shown.wall, reason, told)

    if shown.cut or shown.late:
        numbers = {"memory": limits.memory_mb << 20, "output": limits.output_kb << 10}
        return failed(beyond(shown.cut or "cpu", numbers)[1])
    try:
        got = expected(shown.output, shown.error)
    except UnicodeDecodeError:
        return failed("what it printed is not UTF-8 text")
    told = f"Expected output:\n{test.output}\nOutput:\n{got}"
    if shown.status:
        return failed(died(shown.status)[1], told)
    if got != test.output:
        return failed(f"line {_first_difference(got, test.output)} of the output differs", told)
    return Verified(path, number, "passed", shown.wall)


def _first_difference(got: str, wanted: str) -> int:
    pairs = zip_longest(got.split("\n"), wanted.split("\n"))
    return next(number for number, (mine, theirs) in enumerate(pairs, start=1) if mine != theirs)

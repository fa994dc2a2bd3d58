"""How much of a C program some inputs reach, by gcov: lines, branches, and the lines that none reaches.

A build of its own, without optimisation, runs on every input in one isolated folder, where gcov adds up.
Source of the format: gcov(1), --json-format.
"""

import shlex
from collections.abc import Sequence
from pathlib import PurePosixPath

from pydantic import BaseModel, ValidationError

from blocks.limits import Limits
from blocks.records import Record
from tasks.c_tests.building import COMPILING, Program, make, tool
from tasks.c_tests.trying import Feed, fed
from tasks.sandbox.reader import read
from tasks.sandbox.values import Malformed

REPORT = "coverage.json"
SCRIPT, OBJECT = "measure.sh", "program.o"


class Coverage(Record):
    """Percentages, to one decimal, None where there is nothing to reach; and the numbers of the lines not reached."""

    line: float | None
    branch: float | None
    missed: tuple[int, ...] = ()


async def coverage(program: Program, inputs: Sequence[str], feed: Feed, limits: Limits) -> Coverage | None:
    """Return what accepted inputs reach; None where gcov has nothing to say. Raises HarnessError."""
    script, files = _script(program, inputs, feed)
    # Nothing is optimised, whatever the program's own flags say.
    source = ("-x", "c", program.file, "-x", "none", *program.cflags, "-O0")
    commands = [
        [tool("gcc"), "-w", "--coverage", "-c", "-o", OBJECT, *source],
        [tool("gcc"), "--coverage", "-o", "main", OBJECT, *program.cflags],
        [tool("sh"), SCRIPT],
    ]
    files = [(program.file, 0o644, program.text.encode()), (SCRIPT, 0o644, script.encode()), *files]
    seconds = COMPILING * limits.scale + len(inputs) * limits.cpu_seconds
    made = await make(commands, files, seconds, limits)
    return _read(made.archive, program.file)


def _script(program: Program, inputs: Sequence[str], feed: Feed) -> tuple[str, list[tuple[str, int, bytes]]]:
    """A shell script that runs the program on every input and then gcov, and the files of what is fed."""
    lines, files = [], []
    for number, text in enumerate(inputs):
        given = fed(text, feed)
        files.append((f"input-{number}", 0o644, given.stdin))
        lines.append(f"{shlex.join(['./main', *given.arguments])} <input-{number} >printed 2>&1")
    lines.append(f"{shlex.quote(tool('gcov'))} --json-format --branch-probabilities --stdout {OBJECT} >{REPORT}")
    return "\n".join([*lines, "rm -f printed", ""]), files


class _Branch(BaseModel):
    count: int


class _Line(BaseModel):
    line_number: int
    count: int
    branches: list[_Branch] = []


class _File(BaseModel):
    file: str
    lines: list[_Line]


class _Report(BaseModel):
    files: list[_File]


def _read(archive: bytes, file: str) -> Coverage | None:
    """Read gcov's report out of what the sandbox made, which a program may have written itself."""
    try:
        content = next(body for name, _, body in read(archive) if name.removeprefix("./") == REPORT)
        report = _Report.model_validate_json(content)
    except (Malformed, StopIteration, ValidationError, TypeError, AttributeError):
        return None
    lines: dict[int, _Line] = {}
    for each in report.files:
        for line in each.lines if PurePosixPath(each.file) == PurePosixPath(file) else ():  # a ./ may be left out
            known = lines.get(line.line_number)
            if known is None or line.count > known.count:  # a line of several functions is there for each
                lines[line.line_number] = line
    branches = [branch.count for line in lines.values() for branch in line.branches]
    missed = tuple(sorted(number for number, line in lines.items() if not line.count))
    return Coverage(
        line=_percent(len(lines) - len(missed), len(lines)),
        branch=_percent(sum(count > 0 for count in branches), len(branches)),
        missed=missed,
    )


def _percent(part: int, whole: int) -> float | None:
    return round(100 * part / whole, 1) if whole else None

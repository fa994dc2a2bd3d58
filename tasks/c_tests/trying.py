"""Try inputs on a C program, in the sandbox, and say what each is good for.

An input is accepted where the plain build ends with status 0 within its limits and prints the same twice, and the
build with sanitizers has nothing to report. What the plain build printed is the expected output.

Covered: crashes, endless loops, floods of output, what depends on chance, and by waiting a second on the clock.
Not covered: what a program does by its process id, or with memory that it never set but always finds the same.
"""

import asyncio
import re
import shlex
from collections.abc import Sequence
from typing import Literal, NamedTuple

from blocks.limits import Limits
from blocks.records import Record
from tasks.c_tests.building import FINDING, Builds, Program, run
from tasks.c_tests.findings import finding, without_addresses
from tasks.sandbox.binaries import Shown
from tasks.sandbox.calls import beyond, died

Feed = Literal["stdin", "args"]
Outcome = Literal[
    "accepted", "runtime_error", "sanitizer", "time_limit", "memory_limit", "output_limit", "nondeterministic",
    "not_text", "bad_arguments", "sandbox_violation",
]  # fmt: skip

SLOWER, LARGER = 6, 4  # times that the build with sanitizers may take
MOST_COMPLAINT = (1 << 16) - 1  # bytes of standard error that are kept, less one
TICK = 1.1  # seconds after which the clock of a program that looks at it shows another time
LONGEST = 400  # characters of what a program said, in a detail

_CLOCK = re.compile(r"\b(?:time|clock\w*|gettimeofday|ftime|timespec_get)\s*\(|__TIME__|__DATE__")


class Tried(Record):
    """One input and what became of it. `output` is the expected output of an accepted one, `detail` the reason else.

    `doubtful`: the build with sanitizers printed something else, so that the output hangs on what C leaves open.
    """

    input: str
    outcome: Outcome
    output: str = ""
    detail: str = ""
    doubtful: bool = False
    cpu_seconds: float | None = None
    wall_seconds: float | None = None
    peak_memory: float | None = None


async def try_inputs(
    program: Program, builds: Builds, inputs: Sequence[str], feed: Feed, limits: Limits
) -> list[Tried]:
    """Try inputs, and return what became of each in their order. Raises HarnessError where the sandbox fails."""
    given: dict[int, Given] = {}
    tried: dict[int, Tried] = {}
    for number, text in enumerate(inputs):
        try:
            given[number] = fed(text, feed)
        except ValueError as problem:
            tried[number] = Tried(
                input=text, outcome="bad_arguments" if feed == "args" else "not_text", detail=str(problem)
            )
    first = await _runs(builds.plain, given, limits)
    # A crash is worth a sanitizer's word on it; what passed a limit is not run again.
    alive = {number: what for number, what in given.items() if not first[number].cut and not first[number].late}
    reports = await _runs(builds.checked, alive, _roomier(limits), checked=True)
    again: dict[int, Given] = {}
    for number in given:
        tried[number] = _judged(program, inputs[number], first[number], reports.get(number), limits)
        if tried[number].outcome == "accepted":
            again[number] = given[number]
    if again and _CLOCK.search(program.text):
        await asyncio.sleep(TICK)
    for number, shown in (await _runs(builds.plain, again, limits)).items():
        if (shown.status, shown.output, shown.error) != (0, first[number].output, first[number].error):
            said = "it printed something else when it was run again"
            tried[number] = tried[number].model_copy(
                update={"outcome": "nondeterministic", "output": "", "detail": said, "doubtful": False}
            )
    return [tried[number] for number in range(len(inputs))]


class Given(NamedTuple):
    """An input as a program gets it: its arguments, and its standard input."""

    arguments: tuple[str, ...]
    stdin: bytes


def fed(text: str, feed: Feed) -> Given:
    """Return an input as a program gets it; raises ValueError where it cannot be given.

    As arguments it is split as a shell would, with quotes and backslashes, and without anything else of a shell's.
    """
    data = text.encode()
    if feed == "stdin":
        return Given((), data)
    if b"\0" in data:
        raise ValueError("an argument cannot hold a null character")
    try:
        return Given(tuple(shlex.split(text)), b"")
    except ValueError:
        raise ValueError("a quotation in the arguments is never closed") from None


def expected(output: bytes, error: bytes) -> str:
    """Return what a program printed as tests have it: both streams, without white space at the ends of lines.

    Raises UnicodeDecodeError where that is no text.
    """
    lines = (output + error).decode().split("\n")
    return "\n".join(line.rstrip() for line in (lines[:-1] if not lines[-1] else lines))


async def _runs(
    archive: bytes, given: dict[int, Given], limits: Limits, *, checked: bool = False
) -> dict[int, Shown]:
    if not given:
        return {}
    commands = [(["./main", *each.arguments], each.stdin) for each in given.values()]
    return dict(zip(given, await run(archive, commands, limits, checked=checked), strict=True))


def _roomier(limits: Limits) -> Limits:
    return limits.model_copy(
        update={
            "cpu_seconds": SLOWER * limits.cpu_seconds,
            "wall_seconds": SLOWER * limits.wall_seconds,
            "memory_mb": LARGER * limits.memory_mb,
        }
    )


def _judged(program: Program, text: str, plain: Shown, checked: Shown | None, limits: Limits) -> Tried:
    used = {
        "cpu_seconds": round(plain.cpu, 6),
        "wall_seconds": round(plain.wall, 6),
        "peak_memory": round(plain.peak / 2**20, 3) if plain.peak else None,
    }

    def rejected(outcome: str, detail: str) -> Tried:
        return Tried.model_validate({"input": text, "outcome": outcome, "detail": detail, **used})

    if plain.cut or plain.late or len(plain.error) > MOST_COMPLAINT:
        return rejected(*beyond(plain.cut or ("cpu" if plain.late else "output"), _numbers(limits)))
    found = finding(checked.error, program.file) if checked is not None and checked.status == FINDING else None
    if plain.status:
        outcome, said = died(plain.status)
        return rejected(outcome, f"{said}{f'; {found}' if found else ''}{_last_words(plain)}")
    if found:
        return rejected("sanitizer", found)
    if checked is not None and (checked.cut or checked.late):
        outcome, said = beyond(checked.cut or "cpu", _numbers(_roomier(limits)))
        return rejected(outcome, f"with sanitizers: {said}")
    if checked is not None and checked.status:
        return rejected("sanitizer", f"with sanitizers: {died(checked.status)[1]}")
    try:
        output = expected(plain.output, plain.error)
    except UnicodeDecodeError:
        return rejected("not_text", "what it printed is not UTF-8 text")
    doubtful = checked is not None and (checked.output, checked.error) != (plain.output, plain.error)
    return Tried(input=text, outcome="accepted", output=output, doubtful=doubtful, **used)


def _numbers(limits: Limits) -> dict[str, int]:
    return {"memory": limits.memory_mb << 20, "output": limits.output_kb << 10}


def _last_words(shown: Shown) -> str:
    """What a program printed before it ended, without what differs from run to run."""
    said = (shown.output + shown.error).decode("utf-8", "replace").strip()[-LONGEST:]
    return f"\n{without_addresses(said)}" if said else ""

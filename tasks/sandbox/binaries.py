"""Binaries: made with command lines of the caller's, run as often as wanted; how each run ended is told as it is.

Runs in the grading host. Nothing is compared or judged here, and nothing is known of languages: a made thing is an
archive of the files that the commands left, which goes back to whoever asked and comes again with every request.

Covered: as in `tasks.sandbox.programs`: every command and every run is a fresh isolated process within limits.
Not covered: what is in an archive. It was made by commands that had a stranger's source before them, so it is
unpacked in the sandbox alone, and read outside with `tasks.sandbox.reader`.
"""

from __future__ import annotations

import asyncio
import marshal
from typing import TYPE_CHECKING, Any, NamedTuple

from tasks.sandbox.execute import Program, Setting, handed
from tasks.sandbox.programs import BUILDING, near

if TYPE_CHECKING:
    from tasks.sandbox.host import Host

File = tuple[str, int, bytes]  # name, mode, content


class Made(NamedTuple):
    """What commands left: an archive of new files, or why there is none. `cut` is the limit that ended them."""

    archive: bytes
    status: int
    cut: str
    said: bytes
    broken: str
    cpu: float = 0.0
    wall: float = 0.0


class Shown(NamedTuple):
    """How one run ended: see `tasks.sandbox.execute.Ended`. `late`: it passed its CPU limit, if by little."""

    status: int
    cut: str
    late: bool
    output: bytes
    error: bytes
    broken: str
    cpu: float
    wall: float
    peak: int


async def make(
    host: Host, commands: list[list[str]], environment: dict[str, str], files: list[File], seconds: float,
    setting: tuple[Any, ...],
) -> Made:  # fmt: skip
    """Run commands, one after the other, in a folder with these files; each has to end with status 0.

    `seconds` of CPU for all of them. Raises OSError where no process starts.
    """
    limits = {**BUILDING, "cpu": seconds, "wall": 2 * seconds}
    with handed(marshal.dumps((commands, environment, files), 2)) as payload:
        ended = await host.places.run(Setting(*setting), Program("build", limits, payload))
    failed = bool(ended.cut or ended.status or ended.broken)
    archive = b"" if failed else ended.output
    return Made(archive, ended.status, ended.cut, ended.error, ended.broken, ended.cpu, ended.wall)


async def run(
    host: Host, archive: bytes, runs: list[tuple[list[str], bytes]], environment: dict[str, str],
    limits: dict[str, Any], fixed: bool, setting: tuple[Any, ...],
) -> list[Shown]:  # fmt: skip
    """Run the archive's files: one result for each command line and standard input, in their order.

    With `fixed` the address space is laid out the same way every time, and there is more stack: sanitizers of some
    compilers fail without the one, and all use more of the other. A run that came near its time limit is tried once
    more, alone. Raises OSError where no process starts.
    """

    async def once(command: list[str], given: bytes) -> Shown:
        with handed(marshal.dumps((command, environment, [], archive), 2)) as payload, handed(given) as stdin:
            program = Program("fixed" if fixed else "command", limits, payload, stdin)
            ended = await host.places.run(place, program)
            if near(ended, limits):
                async with host.places.alone():
                    ended = await host.places.run(place, program)
        late = not ended.cut and ended.cpu > limits["cpu"]
        return Shown(
            ended.status, ended.cut, late, ended.output, ended.error, ended.broken, ended.cpu, ended.wall, ended.peak
        )  # fmt: skip

    place = Setting(*setting)
    return list(await asyncio.gather(*(once(command, given) for command, given in runs)))

"""C programs built in the sandbox, and what was built run there: plain, and with sanitizers."""

import asyncio
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from blocks.limits import Limits
from blocks.records import Record
from tasks import grading
from tasks.grading import HarnessError
from tasks.sandbox import grader, languages
from tasks.sandbox.binaries import File, Made, Shown

PLAIN = ("-O1", "-w")
CHECKED = (
    "-O1", "-w", "-g", "-fno-omit-frame-pointer", "-fsanitize=address,undefined", "-fno-sanitize-recover=all",
)  # fmt: skip
FINDING = 86  # the exit status of a run in which a sanitizer found something
# Leaks are no fault of an input's, and looking for them takes ptrace(2), which the sandbox refuses.
OPTIONS = f"detect_leaks=0:exitcode={FINDING}:print_stacktrace=1:detect_stack_use_after_return=1"
LIBM = ("-lm",)  # what gcc is told behind a program, unless it is told otherwise
COMPILING = 30.0  # CPU seconds


class Program(Record):
    """A C program to build: its text, the path of its file, and what gcc is told behind that."""

    text: str
    path: str
    cflags: tuple[str, ...] = LIBM

    @property
    def file(self) -> str:
        """The file as gcc sees it, and as `__FILE__` is."""
        name = PurePosixPath(self.path).name
        return f"./{name}" if name.startswith("-") else name


class Builds(NamedTuple):
    """The plain build and the one with sanitizers, as archives of the sandbox."""

    plain: bytes
    checked: bytes


class DoesNotCompile(Exception):
    """What the compiler said."""


async def build(program: Program, limits: Limits) -> Builds:
    """Build a program twice. Raises DoesNotCompile, and HarnessError where the sandbox itself fails."""
    return Builds(*await asyncio.gather(*(_built(program, flags, limits) for flags in (PLAIN, CHECKED))))


async def missing(limits: Limits) -> str | None:
    """Return what keeps this machine from building with sanitizers, with the remedy; None where nothing does."""
    if (lacking := languages.missing(languages.LANGUAGES["C"], limits.isolation)) is not None:
        return lacking
    try:
        await build(Program(text="int main(void) { return 0; }\n", path="trial.c"), limits)
    except DoesNotCompile as problem:
        said = str(problem).splitlines()[-1:]
        return f"gcc builds nothing with sanitizers here ({' '.join(said)}); install libasan and libubsan (gcc's own)"
    return None


async def run(
    archive: bytes, commands: Sequence[tuple[list[str], bytes]], limits: Limits, *, checked: bool = False,
    readable: tuple[str, ...] = (),
) -> list[Shown]:  # fmt: skip
    """Run command lines with their standard inputs where an archive's files are, each in a process tree of its own.

    `checked`: what is run has sanitizers. `readable`: paths of the host that the programs see besides the system's
    libraries. Raises HarnessError where the sandbox fails.
    """
    language = languages.LANGUAGES["C"]
    isolation, python = grading.setting_of(limits.isolation)
    setting = (isolation, python, (*languages.readable(language, building=False), *readable))
    numbers = grading.numbers_of(limits, keep_output=True)
    environment = languages.environment(language)
    if checked:
        numbers["address_space"] = 0  # of which they reserve terabytes
        environment |= {"ASAN_OPTIONS": OPTIONS, "UBSAN_OPTIONS": OPTIONS}
    said = await _asked("run", archive, list(commands), environment, numbers, checked, setting)
    shown = [Shown(*each) for each in said]
    _raise_broken(shown)
    return shown


async def make(commands: Sequence[list[str]], files: Sequence[File], seconds: float, limits: Limits) -> Made:
    """Run build commands in a folder with these files, within so much CPU time; raises HarnessError."""
    language = languages.LANGUAGES["C"]
    isolation, python = grading.setting_of(limits.isolation)
    setting = (isolation, python, languages.readable(language, building=True))
    said = await _asked("make", list(commands), languages.environment(language), list(files), seconds, setting)
    made = Made(*said)
    _raise_broken([made])
    return made


def tool(name: str) -> str:
    """Return the path of a build tool; its name on a machine that has none."""
    return languages.located(name) or name


async def _built(program: Program, flags: Sequence[str], limits: Limits) -> bytes:
    command = [tool("gcc"), *flags, "-o", "main", "-x", "c", program.file, "-x", "none", *program.cflags]
    made = await make([command], [(program.file, 0o644, program.text.encode())], COMPILING * limits.scale, limits)
    if made.cut or made.status:
        said = made.said.decode("utf-8", "replace").strip()
        raise DoesNotCompile(f"the compiler took more than it may ({made.cut})\n{said}".strip() if made.cut else said)
    return made.archive


async def _asked(kind: str, *arguments: Any) -> Any:
    """Ask the grading host; once more where it failed."""
    try:
        return await grader.ask(kind, *arguments)
    except grader.Broken:
        try:
            return await grader.ask(kind, *arguments)
        except grader.Broken as problem:
            raise HarnessError(str(problem)) from None


def _raise_broken(ended: Sequence[Made | Shown]) -> None:
    for each in ended:
        if each.broken:
            raise HarnessError(each.broken)

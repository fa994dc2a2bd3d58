"""The job of verifying a program against generated tests: what is checked first, the table, the JUnit XML."""

import logging
import os
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed
from rich.console import Console
from rich.table import Table

from blocks.errors import UsageError
from blocks.limits import Limits
from blocks.server import load_environment
from tasks import grading
from tasks.c_tests.files import TestsFolder
from tasks.c_tests.junit import write_junit
from tasks.c_tests.trying import Feed
from tasks.c_tests.verify import Verified, filled, target, verify, words_of
from tasks.sandbox.grader import at_once
from tasks.solving import check_numbers, options_of, sandbox_of

MOST_ROWS = 100  # of a table in which all went well


class Verification(NamedTuple):
    """What is to be verified."""

    folder: TestsFolder
    paths: tuple[str, ...]
    command: tuple[str, ...]
    feed: Feed | None
    junit: Path
    limits: Limits


async def verification(**parameters: Any) -> State[Any]:
    """Verify, print the table, write the JUnit XML, and return the flow's final state."""
    job = await prepare_verification(**parameters)
    limits = await grading.prepare(job.limits)
    results = await verify(job.folder, job.paths, job.command, job.feed, limits, at_once())
    passed = sum(each.outcome == "passed" for each in results)
    said = f"passed {passed} of {len(results)} tests; programs: {len(job.paths)}"
    logging.getLogger("prefect.flow_runs").addFilter(_is_news)
    console = Console()
    console.print(_table(results))
    try:
        write_junit(job.junit, results)
    except OSError as problem:
        return Failed(message=f"{said}; --junit {job.junit}: cannot be written ({problem.strerror})")
    told = [said] if passed == len(results) else []  # of what failed the command's last line is the state's message
    for line in (*told, f"junit: {job.junit}"):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    return Completed(message=said) if passed == len(results) else Failed(message=said)


async def prepare_verification(
    *,
    target_command: str,
    tests: Path,
    feed: Feed | None,
    problems: str | None,
    junit: Path | None,
    **parameters: Any,
) -> Verification:
    """Check parameters into what can be verified; raises UsageError."""
    load_environment()
    options = options_of(flow="verify_tests", dataset=str(tests), **parameters)
    check_numbers(options)
    folder = TestsFolder(tests)
    known = folder.paths() if tests.is_dir() else []
    if not known:
        raise UsageError(f"--tests {tests}: there are no generated tests; name the folder that holds them")
    chosen = [name.strip() for name in problems.split(",") if name.strip()] if problems is not None else known
    if not chosen:
        raise UsageError(
            f"--problems {problems!r}: it names no program; give paths such as {known[0]}, or leave it out"
        )
    for name in chosen:
        if name not in known:
            raise UsageError(f"--problems {name!r}: {tests} has no tests of that program")
    command = tuple(words_of(target_command))
    if filled(command[:1], chosen[0]) == [command[0]]:
        target(command[:1])  # one program for all tests: it has to be there
    limits = (await sandbox_of(options)).limits()
    junit = junit or tests / "logs" / "verify.xml"
    _make_room(junit)
    return Verification(folder, tuple(chosen), command, feed, junit, limits)


def _make_room(junit: Path) -> None:
    """Make the folder of a file that is to be written at the end; raises UsageError where it will not be."""
    if junit.is_dir():
        raise UsageError(f"--junit {junit}: that is a folder; name a file")
    try:
        junit.parent.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise UsageError(f"--junit {junit}: its folder cannot be made ({problem.strerror}); name another") from None
    if not os.access(junit.parent, os.W_OK | os.X_OK):
        raise UsageError(f"--junit {junit}: nothing can be written there; name another")


def _is_news(record: logging.LogRecord) -> bool:
    """Leave out what the command's last line says."""
    return not record.getMessage().startswith("Finished in state")


def _table(results: list[Verified]) -> Table:
    """A row for each program; in a long table only those that did not pass."""
    said = Table()
    for column in ("program", "tests", "passed", "failed", "errors", "seconds"):
        said.add_column(column, justify="left" if column == "program" else "right", overflow="fold")
    programs = {name: list(found) for name, found in groupby(results, key=lambda each: each.path)}
    for name, mine in programs.items():
        counts = [sum(each.outcome == outcome for each in mine) for outcome in ("passed", "failed", "error")]
        if len(programs) <= MOST_ROWS or counts[0] < len(mine):
            seconds = sum(each.seconds for each in mine)
            said.add_row(name, str(len(mine)), *map(str, counts), f"{seconds:.2f}")
    return said

"""A problem and a program make a verdict: the hidden suite for the record, the samples for the model.

Covered and not covered: see the Sandbox block, and the modules of `tasks.sandbox`, which do the work.
"""

import os
import re
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Literal, TypeVar

from blocks.bubblewrap import interpreter
from blocks.errors import UsageError
from blocks.limits import Limits
from tasks.records import Outcome, Pair, Problem, SampleReport, Suite, TestResult, Verdict
from tasks.sandbox import grader, languages
from tasks.sandbox.calls import Judged, Session
from tasks.sandbox.programs import Ran
from tasks.sandbox.uids import reachable_interpreter

LONGEST_REPORT = 20_000  # characters of one sample's part of a report
LONGEST_DETAIL = 500
ROOM = 1 << 30  # bytes of address space beyond twice the memory: thread stacks are reserved, and hardly used
RATIO = 3.0  # a wall limit is at least so many times the CPU limit

T = TypeVar("T")


class HarnessError(Exception):
    """The machinery failed, twice: nothing is known about the program."""

    kind = "harness_error"


async def prepare(limits: Limits) -> Limits:
    """Try the sandbox once and return the limits scaled to this machine's speed.

    Raises UsageError where no program can be run as the limits ask, with the remedy.
    """
    if sys.platform != "linux":
        raise UsageError("programs are graded on Linux alone: run this in a Linux container or virtual machine")
    setting = setting_of(limits.isolation)
    trial = limits.model_copy(update={"cpu_seconds": 20.0, "wall_seconds": 60.0})
    try:
        scale, complaint = await grader.ask("calibrate", numbers_of(trial, keep_output=True), setting)
    except grader.Broken as problem:
        scale, complaint = 1.0, str(problem)
    if complaint:
        raise UsageError(
            f"the sandbox ({limits.isolation}) cannot run a program: {complaint}; try --isolation "
            f"{'process' if limits.isolation == 'bubblewrap' else 'bubblewrap'}, or give it more memory and time"
        )
    return limits.model_copy(
        update={
            "scale": scale,
            "cpu_seconds": limits.cpu_seconds * scale,
            "wall_seconds": limits.wall_seconds * scale,
        }
    )


async def grade(
    problem: Problem,
    program: str,
    limits: Limits,
    *,
    suite: Literal["hidden", "extended"] = "hidden",
    language: str = "Python3",
) -> Verdict:
    """What a suite says of a program. A `harness_error` has been tried twice."""
    tests = problem.extended if suite == "extended" else problem.hidden
    limits = limits_of(problem, limits)
    if problem.entry_point:
        results = await _graded_calls(problem, program, tests, limits)
    else:
        results = await _graded_runs(program, tests.pairs, limits, language)
    outcome: Outcome = next((test.outcome for test in results if test.outcome != "passed"), "passed")
    return Verdict(outcome=outcome, tests=tuple(results), isolation=limits.isolation, limits=limits)


def limits_of(problem: Problem, limits: Limits) -> Limits:
    """The limits with the problem's own in place, where the run lets them."""
    own: dict[str, float] = {}
    if limits.time_by_problem and problem.time_limit:
        ratio = max(RATIO, limits.wall_seconds / limits.cpu_seconds)
        own["cpu_seconds"] = problem.time_limit * limits.scale
        own["wall_seconds"] = own["cpu_seconds"] * ratio
    if limits.memory_by_problem and problem.memory_limit_mb:
        own["memory_mb"] = max(64, problem.memory_limit_mb)
    return limits.model_copy(update=own) if own else limits


async def _graded_calls(problem: Problem, program: str, suite: Suite, limits: Limits) -> list[TestResult]:
    """Assertions share one process; its CPU time is shared out to them by their wall time."""
    try:
        session = await _tried_twice(
            partial(_session, problem, program, suite.setup, suite.assertions, limits), _broken
        )
    except grader.Broken as failure:
        return [_result("harness_error", str(failure), 0.0, 0.0, 0, "")]
    tests = [*session.judged, *([session.stopped] if session.stopped else [])]
    seconds = [*session.seconds[: len(session.judged)]]
    seconds += [max(0.0, session.wall - sum(seconds))] * (len(tests) - len(seconds))
    total = sum(seconds) or 1.0
    results = []
    for test, wall in zip(tests, seconds, strict=True):
        detail = "" if test.outcome == "passed" else tidy(f"{test.source}\n{_said(test, program)}".strip())
        results.append(
            _result(
                test.outcome, detail[:LONGEST_DETAIL], session.cpu * wall / total, wall, session.peak, "assertion"
            )
        )
    return results


async def _graded_runs(program: str, pairs: Sequence[Pair], limits: Limits, language: str) -> list[TestResult]:
    results = []
    for number, ran in enumerate(await _runs(program, pairs, limits, language)):
        detail = "" if ran.outcome == "passed" else tidy(_differs(ran, pairs[number], LONGEST_DETAIL))
        results.append(_result(ran.outcome, detail, ran.cpu, ran.wall, ran.peak, "tokens"))
    return results


def _result(outcome: Any, detail: str, cpu: float, wall: float, peak: int, comparison: str) -> TestResult:
    return TestResult(
        outcome=outcome,
        detail=detail,
        cpu_seconds=round(cpu, 6),
        wall_seconds=round(wall, 6),
        peak_memory=round(peak / 2**20, 3) if peak else None,
        comparison=comparison if outcome in ("passed", "wrong_answer") else "",
    )


async def run_samples(problem: Problem, program: str, limits: Limits, *, language: str = "Python3") -> SampleReport:
    """Run every public sample; the report's text is what a model is shown to debug.

    A program that ended in one sample is started again for those after it. After a sample that passed
    a limit, and where the program does not load, the others are not run. Raises HarnessError.
    """
    limits = limits_of(problem, limits)
    if not problem.entry_point:
        return await _ran_samples(problem, program, limits, language)
    judged, left = list[Judged](), problem.samples.assertions
    while left:
        try:
            session = await _tried_twice(
                partial(_session, problem, program, problem.samples.setup, left, limits), _broken
            )
        except grader.Broken as failure:
            raise HarnessError(str(failure)) from None
        if (broken := _broken(session)) is not None:
            raise HarnessError(tidy(broken))
        failed = session.stopped
        if failed is not None and not session.loaded:
            text = f"The program could not be loaded: {_said(failed, program)}"
            passed = sum(test.outcome == "passed" for test in judged)
            samples = problem.samples.size
            return SampleReport(passed=False, samples=samples, samples_passed=passed, text=tidy(text))
        judged += session.judged
        left = left[len(session.judged) :]
        if failed is not None and left:
            judged.append(failed._replace(source=left[0]))
            left = left[1:] if failed.outcome == "runtime_error" else ()
    said = [
        (test.outcome == "passed", test.source, "" if test.outcome == "passed" else _said(test, program))
        for test in judged
    ]
    return _report(said, problem.samples.assertions)


async def _ran_samples(problem: Problem, program: str, limits: Limits, language: str) -> SampleReport:
    pairs = problem.samples.pairs
    named = [f"Input:\n{pair.input.rstrip()}" for pair in pairs]
    ran = await _runs(program, pairs, limits, language) if pairs else []
    for each in ran:
        if each.outcome == "harness_error":
            raise HarnessError(tidy(each.error))
    if ran and ran[0].outcome == "compile_error":
        text = tidy(f"The program does not compile:\n{ran[0].error}")
        return SampleReport(passed=False, samples=len(pairs), samples_passed=0, text=text)
    said = [
        (each.outcome == "passed", source, _differs(each, pair, LONGEST_REPORT).partition("\n")[2])
        for each, pair, source in zip(ran, pairs, named, strict=False)
    ]
    return _report(said, named)


def _report(said: list[tuple[bool, str, str]], sources: Sequence[str]) -> SampleReport:
    """Of each sample that was run whether it passed, its source, what happened; and all sources."""
    samples, passed = len(sources), sum(each[0] for each in said)
    parts = [f"{passed} of {samples} sample tests passed." if samples else "There are no sample tests."]
    parts += [f"{source}\n{happened}" for good, source, happened in said if not good]
    parts += [f"{source}\nnot run" for source in sources[len(said) :]]
    text = "\n\n".join(tidy(part) for part in parts)
    return SampleReport(passed=passed == samples, samples=samples, samples_passed=passed, text=text)


async def _session(problem: Problem, program: str, setup: str, tests: tuple[str, ...], limits: Limits) -> Session:
    work = (program, problem.context, problem.entry_point, problem.names, setup, tests)
    numbers = numbers_of(limits, keep_output=False)
    readable = languages.readable(languages.LANGUAGES["Python3"], building=False)
    told = Session(*await grader.ask("calls", work, numbers, (*setting_of(limits.isolation), readable)))
    judged = tuple(Judged(*test) for test in told.judged)
    return told._replace(judged=judged, stopped=Judged(*told.stopped) if told.stopped else None)


async def _runs(program: str, pairs: Sequence[Pair], limits: Limits, language: str) -> list[Ran]:
    return await run_program(program, [(pair.input, pair.output) for pair in pairs], limits, language)


async def run_program(
    program: str, work: Sequence[tuple[str, str | None]], limits: Limits, language: str = "Python3"
) -> list[Ran]:
    """Run a whole program on each input, and compare where an output is expected; a `harness_error` is tried twice.

    After an input on which it passed a limit, and where it does not compile, the others are not run.
    """

    async def once() -> list[Ran]:
        numbers, setting = numbers_of(limits, keep_output=True), setting_of(limits.isolation)
        return [Ran(*ran) for ran in await grader.ask("programs", language, program, list(work), numbers, setting)]

    def broken(ran: list[Ran]) -> str | None:
        return next((each.error for each in ran if each.outcome == "harness_error"), None)

    try:
        return await _tried_twice(once, broken)
    except grader.Broken as problem:
        return [Ran("harness_error", error=str(problem))]


async def _tried_twice(work: Callable[[], Awaitable[T]], broken: Callable[[T], str | None]) -> T:
    """Do it; once more where the machinery failed in the first."""
    try:
        done = await work()
    except grader.Broken:
        return await work()
    return done if broken(done) is None else await work()


def _broken(session: Session) -> str | None:
    """What went wrong in the machinery or the test code."""
    tests = [*session.judged, *([session.stopped] if session.stopped else [])]
    return next((test.error for test in tests if test.outcome == "harness_error"), None)


def setting_of(isolation: str) -> tuple[str, str]:
    """Isolation, and the Python that programs run in. Raises UsageError where root has none for another uid."""
    if isolation == "bubblewrap" or os.geteuid() != 0:
        return isolation, interpreter()
    python = reachable_interpreter()
    if python is None:
        raise UsageError(
            "process isolation as root needs a Python (3.11 or later) that another uid can start; there is none: "
            "install bubblewrap, or the system's python3, or run as an ordinary user"
        )
    return isolation, python


def numbers_of(limits: Limits, keep_output: bool) -> dict[str, object]:
    """The limits in seconds and bytes, as the worker takes them."""
    memory = limits.memory_mb << 20
    return {
        "cpu": limits.cpu_seconds,
        "wall": limits.wall_seconds,
        "memory": memory,
        "output": limits.output_kb << 10,
        "processes": limits.processes,
        "open_files": limits.open_files,
        "file": limits.file_mb << 20,
        "tmp": limits.tmp_mb << 20,
        "tmp_inodes": limits.tmp_inodes,
        "address_space": 2 * memory + ROOM,
        "keep_output": keep_output,
    }


def _said(test: Judged, program: str) -> str:
    """What happened in a test that did not pass, and where in the program if that is known."""
    lines = []
    if test.got:
        lines.append(f"{test.call} returned {test.got}" + (f", expected {test.expected}" if test.expected else ""))
    elif test.call and test.line:
        lines.append(f"{test.call} raised {test.error}")
    elif test.call:
        lines.append(f"{test.call}: {test.error}")
    if test.error and not (test.call and not test.got):
        lines.append(test.error)
    source = re.split(r"\r\n|\r|\n", program)
    if 0 < test.line <= len(source):
        lines.append(f"line {test.line} of the program: {source[test.line - 1].strip()}")
    return "\n".join(lines)


def _differs(ran: Ran, pair: Pair, longest: int) -> str:
    """What happened in a run that did not pass; its first line says which line of the output, or what else."""
    if ran.outcome != "wrong_answer":
        return f"{ran.outcome}\n{ran.error[-longest:]}"
    expected, got = pair.output.rstrip()[:longest], ran.got.rstrip()[:longest]
    return f"line {ran.line} differs\nExpected output:\n{expected}\nOutput:\n{got}"


def tidy(text: str) -> str:
    """Without what differs from run to run (addresses, the private folder's name) or is not Unicode."""
    text = text[:LONGEST_REPORT]
    text = re.sub(r"0x[0-9a-fA-F]{6,}", "0x…", text)
    text = re.sub(re.escape(f"{tempfile.gettempdir()}/consort-") + r"\d+-[a-z0-9_]{8}(/\d+)?", "/tmp", text)
    return text.encode("utf-8", "backslashreplace").decode("utf-8")

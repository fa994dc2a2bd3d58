"""A problem and a program make a verdict: the hidden suite for the record, the samples for the model.

Covered and not covered: see `tasks.sandbox.calls` and `tasks.sandbox.execute`, which do the work.
"""

import re
import tempfile

from blocks.limits import Limits
from tasks.records import Problem, SampleReport, TestResult, Verdict
from tasks.sandbox.calls import Judged, Session, Work, run_tests

LONGEST_REPORT = 20_000  # characters of one sample's part of a report
LONGEST_DETAIL = 500


class HarnessError(Exception):
    """The machinery failed, twice: nothing is known about the program."""


async def grade(problem: Problem, program: str, limits: Limits) -> Verdict:
    """The hidden suite's verdict, as one test. A `harness_error` has been tried twice."""
    session = await _tried_twice(problem, program, problem.test, ("check(candidate)",), limits)
    test = session.stopped or session.judged[0]
    detail = "" if test.outcome == "passed" else _tidy(f"{test.source}\n{_said(test, program)}".strip())
    result = TestResult(
        outcome=test.outcome,
        detail=detail[:LONGEST_DETAIL],
        cpu_seconds=session.usage.cpu_seconds,
        wall_seconds=session.wall_seconds,
        peak_memory=session.usage.peak_mb,
    )
    return Verdict(outcome=test.outcome, tests=(result,), isolation=limits.isolation)


async def run_samples(problem: Problem, program: str, limits: Limits) -> SampleReport:
    """Run every public sample; the report's text is what a model is shown to debug.

    A program that ended in one sample is started again for those after it. After a sample that passed
    a limit, and where the program does not load, the others are not run. Raises HarnessError.
    """
    judged, left = list[Judged](), problem.samples
    while left:
        session = await _tried_twice(problem, program, "", left, limits)
        if session.broken:
            raise HarnessError(_tidy(session.broken))
        failed = session.stopped
        if failed is not None and not session.loaded:
            text = f"The program could not be loaded: {_said(failed, program)}"
            passed = sum(test.outcome == "passed" for test in judged)
            samples = len(problem.samples)
            return SampleReport(passed=False, samples=samples, samples_passed=passed, text=_tidy(text))
        judged += session.judged
        left = left[len(session.judged) :]
        if failed is not None and left:
            judged.append(failed._replace(source=left[0]))
            left = left[1:] if failed.outcome == "runtime_error" else ()
    return _report(problem, judged, program)


async def _tried_twice(problem: Problem, program: str, setup: str, tests: tuple[str, ...], limits: Limits) -> Session:
    """A session; one more where the machinery failed in the first."""
    work = Work(program, problem.context, problem.entry_point, setup, tests)
    session = await run_tests(work, limits)
    return await run_tests(work, limits) if session.broken else session


def _report(problem: Problem, judged: list[Judged], program: str) -> SampleReport:
    samples = len(problem.samples)
    passed = sum(test.outcome == "passed" for test in judged)
    parts = [f"{passed} of {samples} sample tests passed." if samples else "There are no sample tests."]
    parts += [f"{test.source}\n{_said(test, program)}" for test in judged if test.outcome != "passed"]
    parts += [f"{source}\nnot run" for source in problem.samples[len(judged) :]]
    text = "\n\n".join(_tidy(part) for part in parts)
    return SampleReport(passed=passed == samples, samples=samples, samples_passed=passed, text=text)


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


def _tidy(text: str) -> str:
    """Without what differs from run to run (addresses, the private folder's name) or is not Unicode."""
    text = text[:LONGEST_REPORT]
    text = re.sub(r"0x[0-9a-fA-F]{6,}", "0x…", text)
    text = re.sub(re.escape(f"{tempfile.gettempdir()}/consort-") + "[a-z0-9_]{8}", "/tmp", text)
    return text.encode("utf-8", "backslashreplace").decode("utf-8")

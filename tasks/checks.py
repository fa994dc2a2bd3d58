"""Tests that a model wrote, run with the program they test: what the tester of a strategy reports to its coder.

Covered: such tests are no more trusted than the program, so both run in one isolated process, or the tests are data
(inputs and outputs). Not covered: a program that forges the report. It tells a model that the program is right, and
decides nothing: hidden tests do, and they run elsewhere.
"""

import functools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from blocks.limits import Limits
from tasks.grading import HarnessError, limits_of, run_program, run_samples, tidy
from tasks.records import Checks, Problem, SampleReport, Suite
from tasks.sandbox.programs import Ran

PROGRAM = Path(__file__).resolve().parent / "sandbox" / "check_program.py"


async def run_checks(
    problem: Problem, program: str, checks: Checks, limits: Limits, *, language: str = "Python3"
) -> SampleReport:
    """Run a model's tests on a program; the report names each that failed, with what came out.

    Deterministic, without times and paths. Raises HarnessError where the sandbox itself fails.
    """
    if not problem.entry_point:
        tested = problem.model_copy(update={"samples": Suite(pairs=checks.pairs)})
        report = await run_samples(tested, program, limits, language=language)
        return report.model_copy(update={"text": report.text.replace("sample tests", "tests", 1)})
    work = {
        "context": problem.context,
        "program": program,
        "entry_point": problem.entry_point,
        "tests": checks.source,
    }
    ran = (await run_program(_program(), [(json.dumps(work), None)], limits_of(problem, limits)))[0]
    if ran.outcome == "harness_error":
        raise HarnessError(tidy(ran.error))
    return _report(list(_events(ran.got)), ran)


class _Check(NamedTuple):
    source: str
    fault: str | None  # empty: it passed; None: it did not come to an end


def _report(events: list[dict[str, object]], ran: Ran) -> SampleReport:
    """Say what became of each check, and what kept the others from being run."""
    checks: list[_Check] = []
    void: list[str] = []
    for event in events:
        if "begun" in event:
            checks.append(_Check(str(event["begun"]), None))
        elif "ended" in event and checks:
            checks[-1] = checks[-1]._replace(fault=str(event["ended"]))
        elif "void" in event and checks:
            void.append(f"{checks.pop().source}\n{event['void']}")
    faults = [str(event["fault"]) for event in events if "fault" in event]
    if not faults and not any("done" in event for event in events):
        faults = [_ended(ran)]
    passed = sum(check.fault == "" for check in checks)
    failed = [check for check in checks if check.fault != ""]
    parts = [f"{passed} of {len(checks)} tests passed."] if checks else []
    parts += [f"{check.source}\n{check.fault or 'it did not come to an end'}" for check in failed]
    parts += void
    parts += faults or [said for event in events if (said := str(event.get("done", "")))]
    return SampleReport(
        passed=not failed and not faults,
        samples=len(checks) + (1 if faults and not failed else 0),
        samples_passed=passed,
        text=tidy("\n\n".join(parts) or "No assertion was reached."),
    )


def _events(printed: str) -> Iterator[dict[str, object]]:
    for line in printed.splitlines():
        try:
            event = json.loads(line)
        except (ValueError, RecursionError):
            continue  # cut off, or not ours
        if isinstance(event, dict):
            yield event


def _ended(ran: Ran) -> str:
    if ran.outcome == "passed":
        return "The program ended before its tests did."
    last = ran.error.strip().splitlines()[-1:]
    return f"The program ended before its tests did: {ran.outcome.replace('_', ' ')}" + (
        f" ({last[0]})" if last else ""
    )


@functools.cache
def _program() -> str:
    return PROGRAM.read_text(encoding="utf-8")

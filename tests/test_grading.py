"""Verdicts and sample reports, and the real programs: all of HumanEval's own, and 125 of gpt-3.5's."""

import asyncio
import json
import os
from collections import Counter
from pathlib import Path

import pytest

from blocks.bubblewrap import detect_isolation
from blocks.limits import Limits
from tasks.grading import grade, run_samples
from tasks.records import Problem

MEDIAN = Problem(
    id="median",
    statement="",
    entry_point="median",
    context="def half(x):\n    return x / 2\n",
    test="def check(candidate):\n    assert candidate([3, 1]) == half(4)\n    assert candidate([1]) == 1\n",
    samples=("assert median([3, 1]) == 2.0", "assert median([]) == None", "assert half(median([2])) == 1"),
)


@pytest.fixture(params=["bubblewrap", "process"])
def limits(request: pytest.FixtureRequest) -> Limits:
    if request.param == "bubblewrap" and detect_isolation() != "bubblewrap":
        pytest.skip("bubblewrap is missing or refused here")
    return Limits(isolation=request.param, cpu_seconds=0.5, wall_seconds=1.5)


async def test_a_right_program_passes(limits: Limits) -> None:
    program = "def median(xs):\n    return half(sum(xs[:2])) * (1 + (len(xs) == 1)) if xs else None\n"
    verdict = await grade(MEDIAN, program, limits)
    assert verdict.passed and len(verdict.tests) == 1 and verdict.isolation == limits.isolation
    report = await run_samples(MEDIAN, program, limits)
    assert (report.passed, report.samples, report.samples_passed) == (True, 3, 3)
    assert report.text == "3 of 3 sample tests passed."


async def test_the_detail_names_assertion_got_and_expected(limits: Limits) -> None:
    verdict = await grade(MEDIAN, "def median(xs): return 7", limits)
    assert verdict.tests[0].detail == "assert candidate([3, 1]) == half(4)\nmedian([3, 1]) returned 7, expected 2.0"


async def test_the_report_tells_what_was_got_and_what_was_raised(limits: Limits) -> None:
    report = await run_samples(MEDIAN, "def median(xs):\n    return xs[1]\n", limits)
    assert (report.passed, report.samples, report.samples_passed) == (False, 3, 0)
    assert report.text == (
        "0 of 3 sample tests passed.\n\n"
        "assert median([3, 1]) == 2.0\n"
        "median([3, 1]) returned 1, expected 2.0\n\n"
        "assert median([]) == None\n"
        "median([]) raised IndexError: list index out of range\n"
        "line 2 of the program: return xs[1]\n\n"
        "assert half(median([2])) == 1\n"
        "median([2]) raised IndexError: list index out of range\n"
        "line 2 of the program: return xs[1]"
    )


async def test_a_program_that_ended_is_started_again(limits: Limits) -> None:
    program = "import os\ndef median(xs):\n    if not xs: os._exit(1)\n    return 2\n"
    report = await run_samples(MEDIAN, program, limits)
    assert (report.samples, report.samples_passed) == (3, 2)
    assert report.text == (
        "2 of 3 sample tests passed.\n\nassert median([]) == None\n"
        "median([]): the program ended its process with exit code 1"
    )


async def test_after_a_hang_the_others_are_not_run(limits: Limits) -> None:
    program = "def median(xs):\n    while not xs: pass\n    return 2\n"
    report = await run_samples(MEDIAN, program, limits)
    assert (report.samples, report.samples_passed) == (3, 1)
    assert report.text == (
        "1 of 3 sample tests passed.\n\n"
        "assert median([]) == None\nmedian([]): beyond the time limit\n\n"
        "assert half(median([2])) == 1\nnot run"
    )


async def test_a_program_that_does_not_load(limits: Limits) -> None:
    report = await run_samples(MEDIAN, "import math\n\ndef median(xs)\n    return 1", limits)
    assert report.text == (
        "The program could not be loaded: SyntaxError: expected ':'\nline 3 of the program: def median(xs)"
    )
    assert (report.passed, report.samples, report.samples_passed) == (False, 3, 0)
    report = await run_samples(MEDIAN, "def mean(xs): return 1", limits)
    assert report.text == "The program could not be loaded: the program defines no function 'median'"


async def test_no_samples_pass_unchecked(limits: Limits) -> None:
    report = await run_samples(MEDIAN.model_copy(update={"samples": ()}), "nonsense(", limits)
    assert (report.passed, report.samples, report.samples_passed) == (True, 0, 0)


async def test_reports_are_deterministic(limits: Limits) -> None:
    program = (
        "import tempfile\nclass Thing: pass\ndef median(xs):\n"
        "    if len(xs) == 2: return {str(n) for n in range(50)}\n"
        "    if len(xs) == 1: raise ValueError(f'{Thing()} {tempfile.gettempdir()} \\ud800')\n"
        "    return repr(Thing())\n"
    )
    reports = [await run_samples(MEDIAN, program, limits) for _ in range(3)]
    assert reports[0] == reports[1] == reports[2]
    assert "raised ValueError: <program.Thing object at 0x…> /tmp \\ud800" in reports[0].text
    reports[0].model_dump_json()


async def test_details_are_cut(limits: Limits) -> None:
    verdict = await grade(MEDIAN, "def median(xs): return 'x' * 100_000", limits)
    assert len(verdict.tests[0].detail) == 500


def data() -> Path:
    folder = os.environ.get("CONSORT_DATA")
    if not folder or not Path(folder, "humaneval.jsonl").exists():
        pytest.skip("CONSORT_DATA does not name the folder of real data")
    return Path(folder)


def rows(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def humaneval() -> dict[str, Problem]:
    problems = {}
    for row in rows(data() / "humaneval.jsonl"):
        context = row["prompt"][: row["prompt"].index(f"def {row['entry_point']}(")]
        problems[row["task_id"]] = Problem(
            id=row["task_id"],
            statement=row["prompt"],
            entry_point=row["entry_point"],
            context=context,
            samples=tuple(row["sample_io"]),
            test=row["test"],
            reference=row["prompt"] + row["canonical_solution"],
        )
    return problems


async def graded(programs: dict[str, str], limits: Limits) -> Counter[str]:
    problems, at_once = humaneval(), asyncio.Semaphore(4)
    ample = limits.model_copy(update={"cpu_seconds": 10.0, "wall_seconds": 60.0})

    async def one(name: str) -> str:
        async with at_once:
            return (await grade(problems[name], programs[name], ample)).outcome

    return Counter(await asyncio.gather(*map(one, programs)))


async def test_all_canonical_solutions_pass(limits: Limits) -> None:
    references = {name: problem.reference or "" for name, problem in humaneval().items()}
    assert await graded(references, limits) == {"passed": 164}


async def test_of_the_programs_of_gpt_3_5_125_pass(limits: Limits) -> None:
    path = data() / "solutions" / "humaneval_self_collaboration_gpt-3.5-turbo-0301.jsonl"
    outcomes = await graded({row["task_id"]: row["completion"] for row in rows(path)}, limits)
    assert outcomes == {"passed": 125, "wrong_answer": 37, "runtime_error": 2}


async def test_all_canonical_solutions_pass_their_samples(limits: Limits) -> None:
    problems, at_once = humaneval(), asyncio.Semaphore(4)
    ample = limits.model_copy(update={"cpu_seconds": 10.0, "wall_seconds": 60.0})

    async def one(problem: Problem) -> str:
        async with at_once:
            report = await run_samples(problem, problem.reference or "", ample)
            return "" if report.passed else f"{problem.id} {report.text}"

    assert {text for text in await asyncio.gather(*map(one, problems.values())) if text} == set()

"""Verdicts and sample reports, and the real programs: all of HumanEval's own, and 125 of gpt-3.5's."""

import asyncio
import json
import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest

from blocks.bubblewrap import detect_isolation
from blocks.errors import UsageError
from blocks.limits import Limits
from tasks.datasets.load import load
from tasks.grading import grade, prepare, run_samples
from tasks.records import Pair, Problem, Suite

MEDIAN = Problem(
    id="median",
    statement="",
    entry_point="median",
    context="def half(x):\n    return x / 2\n",
    hidden=Suite(
        setup="def check(candidate):\n    assert candidate([3, 1]) == half(4)\n    assert candidate([1]) == 1\n",
        assertions=("check(candidate)",),
    ),
    extended=Suite(
        assertions=("assert median([3, 1]) == 2", "assert median([5, 1]) == 3", "assert median([1]) == 1")
    ),
    samples=Suite(
        assertions=("assert median([3, 1]) == 2.0", "assert median([]) == None", "assert half(median([2])) == 1")
    ),
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
    report = await run_samples(MEDIAN.model_copy(update={"samples": Suite()}), "nonsense(", limits)
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


async def graded(problems: Iterable[Problem], programs: dict[str, str], limits: Limits) -> Counter[str]:
    ample = limits.model_copy(update={"cpu_seconds": 10.0, "wall_seconds": 60.0})
    at_once = asyncio.Semaphore(4)

    async def one(problem: Problem) -> str:
        async with at_once:
            verdict = await grade(problem, programs[problem.id], ample)
            assert verdict.isolation == limits.isolation
            return verdict.outcome

    return Counter(await asyncio.gather(*map(one, problems)))


@pytest.mark.parametrize(("dataset", "count"), [("humaneval", 164), ("mbpp_974", 974)])
async def test_all_reference_programs_pass(dataset: str, count: int, limits: Limits) -> None:
    problems = load(str(data() / f"{dataset}.jsonl")).problems
    references = {problem.id: problem.reference or "" for problem in problems}
    assert await graded(problems, references, limits) == {"passed": count}


async def test_of_the_programs_of_gpt_3_5_125_pass(limits: Limits) -> None:
    problems = load(str(data() / "humaneval.jsonl")).problems
    path = data() / "solutions" / "humaneval_self_collaboration_gpt-3.5-turbo-0301.jsonl"
    outcomes = await graded(problems, {row["task_id"]: row["completion"] for row in rows(path)}, limits)
    assert outcomes == {"passed": 125, "wrong_answer": 37, "runtime_error": 2}


async def test_all_canonical_solutions_pass_their_samples(limits: Limits) -> None:
    problems, at_once = load(str(data() / "humaneval.jsonl")).problems, asyncio.Semaphore(4)
    ample = limits.model_copy(update={"cpu_seconds": 10.0, "wall_seconds": 60.0})

    async def one(problem: Problem) -> str:
        async with at_once:
            report = await run_samples(problem, problem.reference or "", ample)
            return "" if report.passed else f"{problem.id} {report.text}"

    assert {text for text in await asyncio.gather(*map(one, problems)) if text} == set()


async def test_the_extended_suite_has_a_result_an_assertion(limits: Limits) -> None:
    verdict = await grade(
        MEDIAN, "def median(xs): return sum(xs) / len(xs) + (xs == [5, 1])", limits, suite="extended"
    )
    assert verdict.outcome == "wrong_answer"
    assert [test.outcome for test in verdict.tests] == ["passed", "wrong_answer", "passed"]
    assert all(test.comparison == "assertion" and test.cpu_seconds and test.peak_memory for test in verdict.tests)
    assert "median([5, 1]) returned 4.0, expected 3" in verdict.tests[1].detail


SUM = Problem(
    id="sum",
    statement="",
    hidden=Suite(pairs=(Pair(input="1 2\n", output="3\n"), Pair(input="", output="0\n"))),
    samples=Suite(pairs=(Pair(input="2 2\n", output="4\n"), Pair(input="5\n", output="5.0\n"))),
    time_limit=0.25,
    memory_limit_mb=128,
)


async def test_a_whole_program_is_judged_by_its_output(limits: Limits) -> None:
    verdict = await grade(SUM, "import sys\nprint(sum(map(int, sys.stdin.read().split())))\n", limits)
    assert (verdict.outcome, [test.comparison for test in verdict.tests]) == ("passed", ["tokens", "tokens"])
    verdict = await grade(SUM, "print(3)", limits)
    assert [test.outcome for test in verdict.tests] == ["passed", "wrong_answer"]
    assert verdict.tests[1].detail == "line 1 differs\nExpected output:\n0\nOutput:\n3"


async def test_a_problem_s_own_limits_go_before_the_usual_ones(limits: Limits) -> None:
    verdict = await grade(SUM, "print(3)", limits.model_copy(update={"scale": 2.0}))
    assert (verdict.limits.cpu_seconds, verdict.limits.wall_seconds, verdict.limits.memory_mb) == (0.5, 1.5, 128)
    given = limits.model_copy(update={"time_by_problem": False, "memory_by_problem": False})
    assert (await grade(SUM, "print(3)", given)).limits == given


async def test_the_samples_report_of_a_whole_program(limits: Limits) -> None:
    report = await run_samples(SUM, "print(sum(map(int, input().split())))", limits)
    assert (report.passed, report.text) == (True, "2 of 2 sample tests passed.")
    report = await run_samples(SUM, "print(len(input()) + 1)", limits)
    assert (report.samples, report.samples_passed) == (2, 1)
    assert report.text == "1 of 2 sample tests passed.\n\nInput:\n5\nExpected output:\n5.0\nOutput:\n2"
    report = await run_samples(SUM, "print(", limits)
    assert report.text.startswith("The program does not compile:\n") and "SyntaxError" in report.text


async def test_preparing_scales_the_limits_and_says_what_cannot_be_run(limits: Limits) -> None:
    prepared = await prepare(limits)
    assert prepared.scale >= 1 and prepared.cpu_seconds == pytest.approx(limits.cpu_seconds * prepared.scale)
    with pytest.raises(UsageError, match="cannot run a program"):
        await prepare(limits.model_copy(update={"memory_mb": 1, "file_mb": 1}))

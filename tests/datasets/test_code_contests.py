"""CodeContests, as the hub has it and flattened."""

import json
from pathlib import Path
from typing import Any

import pytest

from tasks.datasets.load import DatasetError, load
from tasks.records import Pair, Problem, Suite
from tests.datasets.given import written

CONTEST: dict[str, Any] = {
    "name": "1_A. Echo",
    "description": "Print it.",
    "public_tests": {"input": ["1\n"], "output": ["1\n"]},
    "private_tests": {"input": ["7\n", "1\n"], "output": ["7\n", "1\n"]},
    "generated_tests": {"input": ["7\n", "9\n"], "output": ["7\n", "9\n"]},
    "solutions": {"language": [1, 2, 3], "solution": ["print raw_input()", "int main() {}", "print(input())"]},
}


def contest(folder: Path, **fields: object) -> Problem:
    (problem,) = load(str(written(folder, {**CONTEST, **fields}))).problems
    return problem


def test_a_row_of_code_contests(tmp_path: Path):
    problem = contest(tmp_path, time_limit={"seconds": 2, "nanos": 500_000_000}, memory_limit_bytes=256_000_000)
    assert (problem.id, problem.statement, problem.entry_point) == ("1_A. Echo", "Print it.", "")
    assert [pair.input for pair in problem.samples.pairs] == ["1\n"]
    assert [pair.input for pair in problem.hidden.pairs] == ["1\n", "7\n", "9\n"]
    assert (problem.time_limit, problem.memory_limit_mb) == (2.5, 245)
    assert (problem.reference, problem.reference_language) == ("print(input())", "Python3")


@pytest.mark.parametrize(
    ("limit", "seconds"),
    [
        (None, None),
        (0, None),
        (3, 3.0),
        (0.5, 0.5),
        ("2.5s", 2.5),
        ({"seconds": 1, "nanos": None}, 1.0),
        ({}, None),
        ("", None),
        ("seconds: 2\n", 2.0),
        ("seconds: 1 nanos: 500000000", 1.5),
        ("nanos: 250000000\n", 0.25),
    ],
)
def test_time_limits_of_code_contests(tmp_path: Path, limit: object, seconds: float | None):
    problem = contest(tmp_path, time_limit=limit, memory_limit_bytes=0)
    assert (problem.time_limit, problem.memory_limit_mb) == (seconds, None)


def test_a_memory_limit_may_be_a_text(tmp_path: Path):
    assert contest(tmp_path, memory_limit_bytes="256000000").memory_limit_mb == 245


@pytest.mark.parametrize(
    ("solutions", "reference"),
    [
        ({"language": [1, 4, 2], "solution": ["a", "b", "c"]}, ("c", "C++")),
        ({"language": [4], "solution": ["b"]}, ("b", "Java")),
        ([{"language": "PYTHON3", "solution": "d"}], ("d", "Python3")),
        ({"language": [1], "solution": ["a"]}, (None, "Python3")),
        (None, (None, "Python3")),
    ],
)
def test_references_of_code_contests(tmp_path: Path, solutions: object, reference: tuple[str | None, str]):
    problem = contest(tmp_path, solutions=solutions)
    assert (problem.reference, problem.reference_language) == reference


@pytest.mark.parametrize("packed", [False, True])
def test_the_flattened_form_of_code_contests(tmp_path: Path, packed: bool):
    tests: Any = {"inputs": ["1", "2", "1"], "outputs": ["3", "4", "3"]}
    row = {"problem_id": 12, "description": "?", "all_test_cases": json.dumps(tests) if packed else tests}
    (problem,) = load(str(written(tmp_path, row))).problems
    assert (problem.id, problem.samples) == ("12", Suite())
    assert problem.hidden.pairs == (Pair(input="1", output="3"), Pair(input="2", output="4"))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (
            {"private_tests": {"input": ["1"], "output": []}},
            "field 'private_tests' does not have 'input' and 'output'",
        ),
        ({"private_tests": [{"input": "1"}]}, "field 'private_tests' does not have 'input' and 'output' in pairs"),
        (
            {"public_tests": {"input": [1], "output": [1]}},
            "field 'public_tests' holds inputs or outputs that are no text",
        ),
        ({"time_limit": "soon"}, "field 'time_limit' is not a duration: 'soon'"),
        ({"time_limit": -1}, "field 'time_limit' is not a duration: -1"),
        ({"memory_limit_bytes": "much"}, "field 'memory_limit_bytes' is not a number of bytes: 'much'"),
        ({"name": " "}, "field 'name' is missing, and there is no 'problem_id' or 'id' either"),
        ({"description": ""}, "field 'description' is not a non-empty str (read as code_contests)"),
    ],
)
def test_a_row_of_code_contests_that_does_not_fit(tmp_path: Path, fields: dict[str, object], said: str):
    with pytest.raises(DatasetError) as caught:
        contest(tmp_path, **fields)
    assert f"mine.jsonl, line 1: {said}" in str(caught.value)


def test_rows_of_code_contests_that_cannot_be_graded_are_skipped(tmp_path: Path):
    none: dict[str, Any] = {"input": [], "output": []}
    rows = [
        {**CONTEST, "name": "a", "input_file": "in.txt"},
        {**CONTEST, "name": "b", "public_tests": none, "private_tests": none, "generated_tests": None},
        {**CONTEST, "name": "c", "generated_checker": "import sys"},
        CONTEST,
    ]
    dataset = load(str(written(tmp_path, *rows)))
    assert [problem.id for problem in dataset.problems] == ["1_A. Echo"]
    assert dataset.skipped == (
        "line 1: a: its programs use a file, in.txt, in place of standard input and output",
        "line 2: b: it has no tests",
        "line 3: c: its outputs are for a checker of its own to judge (field 'generated_checker')",
    )

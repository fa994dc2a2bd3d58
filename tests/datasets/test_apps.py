"""APPS as the hub has it."""

import json
from pathlib import Path
from typing import Any

import pytest

from tasks.datasets.load import DatasetError, load
from tasks.records import Pair, Problem, Suite
from tests.datasets.given import written

HUB = {"problem_id": 0, "question": "Double it.", "solutions": '["print(2)"]', "starter_code": "", "url": "x"}


def apps(folder: Path, tests: object, **fields: object) -> Problem:
    packed = json.dumps(tests)
    (problem,) = load(str(written(folder, {**HUB, "input_output": packed, **fields}))).problems
    return problem


def test_a_row_of_apps_that_reads_standard_input(tmp_path: Path):
    problem = apps(tmp_path, {"inputs": ["1\n", ["1", "2"]], "outputs": ["2\n", ["3", 4.5]]})
    assert (problem.id, problem.entry_point, problem.context) == ("0", "", "")
    assert problem.hidden == Suite(pairs=(Pair(input="1\n", output="2\n"), Pair(input="1\n2", output="3\n4.5")))
    assert (problem.samples, problem.reference, problem.time_limit) == (Suite(), "print(2)", None)
    assert problem.statement == "Double it.\n"


def test_a_row_of_apps_that_calls_a_function(tmp_path: Path):
    tests = {"fn_name": "f", "inputs": [[1, "a"], [{"1": [None]}], [[]]], "outputs": [[2], {"3": True}, "x"]}
    problem = apps(tmp_path, tests)
    assert (problem.entry_point, problem.names) == ("f", ())
    assert problem.hidden.assertions == (
        "assert listed(f(1, 'a')) in ([2], 2)",
        "assert listed(f({1: [None]})) == {3: True}",
        "assert f([]) == 'x'",
    )
    assert problem.statement == "Double it.\n\nThe program must define the function `f`.\n"
    names: dict[str, Any] = {"f": lambda *given: "x" if given == ([],) else (2,) if len(given) == 2 else {3: 1}}
    exec(problem.hidden.setup, names)
    for assertion in problem.hidden.assertions:
        exec(assertion, names)


def test_a_row_of_apps_that_calls_a_method(tmp_path: Path):
    starter = "class Solution:\n    def twoSum(self, nums: List[int], target: int) -> List[int]:\n        "
    tests = {"fn_name": "twoSum", "inputs": [[[1, 2], 3]], "outputs": [[0, 1]]}
    problem = apps(tmp_path, tests, starter_code=starter, solutions="")
    assert (problem.entry_point, problem.reference) == ("Solution", None)
    assert problem.hidden.assertions == ("assert listed(Solution().twoSum([1, 2], 3)) in ([0, 1], 0)",)
    assert problem.statement.endswith(f"```python\n{starter.strip()}\n```\n")
    program: dict[str, Any] = {}
    exec(problem.context, program)
    exec(starter + "return 0, 1", program)
    exec(problem.hidden.setup, program)
    exec(problem.hidden.assertions[0], program)


def test_tests_of_apps_that_python_has_no_words_for_are_left_out(tmp_path: Path):
    deep: list[object] = []
    for _ in range(80):
        deep = [deep]
    tests = {"fn_name": "f", "inputs": [[1], [float("nan")], [deep], [2]], "outputs": [1, 2, 3, float("inf")]}
    dataset = load(str(written(tmp_path, {**HUB, "input_output": json.dumps(tests)})))
    assert dataset.problems[0].hidden.assertions == ("assert f(1) == 1",)
    assert [note.partition(":")[0] for note in dataset.notes] == ["line 1, 0"] * 3


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"input_output": "{"}, "field 'input_output' is not JSON"),
        ({"input_output": "[1]"}, "field 'input_output' is not a JSON object"),
        ({"input_output": '{"inputs": ["1"], "outputs": []}'}, "field 'input_output' has not one output for each"),
        ({"input_output": '{"inputs": ["\\ud800"], "outputs": ["1"]}'}, "field 'input_output' is not JSON"),
        ({"problem_id": None}, "field 'problem_id' is missing, and there is no 'id' either"),
        ({"question": 1}, "field 'question' is not a non-empty str"),
    ],
)
def test_a_row_of_apps_that_does_not_fit(tmp_path: Path, fields: dict[str, object], said: str):
    with pytest.raises(DatasetError) as caught:
        apps(tmp_path, {"inputs": ["1"], "outputs": ["1"]}, **fields)
    assert f"mine.jsonl, line 1: {said}" in str(caught.value)

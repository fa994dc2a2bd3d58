"""Every loader's problems in the real sandbox: the reference passes, and a program that is nearly right does not."""

from pathlib import Path
from typing import Any, Literal, NamedTuple

import pytest

from tasks.datasets.load import loaders
from tests.datasets.given import ROW, outcome, problem
from tests.datasets.test_eval_plus import HUB_MEAN, HUB_SCRIPT, HUB_TEST, MEAN, SHARED
from tests.datasets.test_live_code_bench import STDIN, TWICE
from tests.datasets.test_xcode_eval import DOUBLE

ECHO = {
    "name": "1_A. Echo",
    "description": "Print it.",
    "public_tests": {"input": ["1\n"], "output": ["1\n"]},
    "private_tests": {"input": ["7\n"], "output": ["7\n"]},
    "solutions": {"language": [3], "solution": ["print(input())"]},
}
APPS = {
    "problem_id": 0,
    "question": "Double it.",
    "starter_code": "def f(n):",
    "solutions": '["def f(n): return 2*n"]',
}
MAPCODER = {"name": "5", "id": 5, "description": "?", "starter_code": "def f(word, words):"}
MBPP = {"text": "Add.", "code": "def add(a, b): return a + b", "task_id": 7}
MULTIPLE = {
    "name": "mbpp_1_add",
    "language": "py",
    "prompt": "def add(a: int, b: int) -> int:\n",
    "entry_point": "add",
    "test": "def check(candidate):\n    assert candidate(1, 2) == 3\n\ndef t():\n    check(add)\n\nt()\n",
}


class Graded(NamedTuple):
    row: dict[str, Any]
    wrong: str
    right: str = ""  # in place of the reference
    suite: Literal["hidden", "extended"] = "hidden"


CASES = {
    "humaneval": Graded(ROW, "def area(radius, scale=1): return radius + 1"),
    "humaneval, ET": Graded(
        {**ROW, "test_case_list": ["assert area(2, 0) == 0"]}, "def area(r, s=1): return r", suite="extended"
    ),
    "humaneval, EvalPlus on the hub": Graded(
        {**HUB_MEAN, "test": HUB_TEST}, "def mean(xs): return float(round(sum(xs) / len(xs), 3))"
    ),
    "eval_plus": Graded(MEAN, "def mean(xs): return sum(xs) / 2"),
    "eval_plus, plus": Graded(
        MEAN, "def mean(xs): return sum(xs) / len(xs) if xs[0] == 1 else 0.0", suite="extended"
    ),
    "eval_plus, MBPP": Graded(SHARED, "def similar_elements(a, b): return (4, 5)", suite="extended"),
    "mbpp": Graded({**MBPP, "test_list": ["assert add(1, 2) == 3"]}, "def add(a, b): return a - b"),
    "mbpp, EvalPlus on the hub": Graded(
        {**MBPP, "prompt": "Add.", "test_list": ["assert add(1, 2) == 3"], "test": HUB_SCRIPT},
        "def add(a, b): return 3 if a == 1 else 0",
        suite="extended",
    ),
    "multipl_e": Graded(MULTIPLE, "def add(a, b): return 0", right="def add(a, b): return a + b"),
    "apps": Graded({**APPS, "input_output": {"fn_name": "f", "inputs": [[1]], "outputs": [2]}}, "def f(n): return n"),
    "apps, whole programs": Graded(
        {**APPS, "solutions": '["print(2)"]', "input_output": {"inputs": ["1"], "outputs": ["2"]}}, "print(input())"
    ),
    "apps_mapcoder": Graded(
        {**MAPCODER, "test_list": [{"input": "a\n['b', 'a']", "output": [1]}]},
        "def f(word, words): return len(words)",
        right="def f(word, words): return words.count(word)",
    ),
    "code_contests": Graded(ECHO, "print(1)"),
    "xcode_eval": Graded(DOUBLE, "print(8)"),
    "live_code_bench": Graded(
        TWICE,
        "class Solution:\n    def twice(self, n): return [n]",
        right="class Solution:\n    def twice(self, n: List[int]) -> Optional[List[int]]: return tuple(n * 2)",
    ),
    "live_code_bench, whole programs": Graded(STDIN, "print(4)", right="print(2 * int(input()))"),
}


def test_every_loader_has_a_case():
    assert {name.partition(",")[0] for name in CASES} == set(loaders())


@pytest.mark.parametrize("name", CASES)
async def test_the_reference_passes_and_a_wrong_program_does_not(tmp_path: Path, name: str):
    case, made = CASES[name], problem(tmp_path, CASES[name].row)
    assert [each for each in loaders() if loaders()[each].recognises(case.row)] == [name.partition(",")[0]]
    right = case.right or made.reference
    assert right is not None
    assert await outcome(made, right, case.suite) == "passed"
    assert await outcome(made, case.wrong, case.suite) == "wrong_answer"

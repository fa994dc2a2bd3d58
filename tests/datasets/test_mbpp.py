"""MBPP, whole, sanitized, with more tests (ET, EvalPlus), and as MultiPL-E writes it."""

from pathlib import Path
from typing import Any

import pytest

from tasks.datasets.load import DatasetError, load
from tasks.records import Problem, Suite
from tests.datasets.given import written

SUM = {
    "text": "Add two numbers.",
    "code": "def add(a, b):\r\n\treturn a + b\r\n",
    "task_id": 7,
    "test_setup_code": "",
}
TESTS = ["assert add(1, 2) == 3", "assert add(2, 2) == 4"]


def mbpp(folder: Path, **fields: object) -> Problem:
    (problem,) = load(
        str(written(folder, {**SUM, "test_list": TESTS, "challenge_test_list": ["assert 0"], **fields}))
    ).problems
    return problem


def test_a_row_of_mbpp(tmp_path: Path):
    problem = mbpp(tmp_path)
    assert (problem.id, problem.entry_point, problem.context, problem.names) == ("MBPP/7", "add", "", ())
    assert problem.hidden == Suite(assertions=tuple(TESTS))
    assert problem.samples == Suite(assertions=(TESTS[0],))
    assert problem.extended == Suite()
    assert problem.reference == SUM["code"]
    assert problem.statement == f"Add two numbers.\n\nThe program must pass this test:\n\n{TESTS[0]}\n"


def test_a_row_of_sanitized_mbpp_with_extended_tests(tmp_path: Path):
    problem = mbpp(
        tmp_path,
        text=None,
        prompt="Add.",
        test_imports=["import math"],
        test_list=["assert math.isclose(add(0.1, 0.2), 0.3)"],
        test_case_list=["assert add(0, 0) == 0"],
        entry_point="add",
    )
    assert problem.hidden == Suite(setup="import math", assertions=("assert math.isclose(add(0.1, 0.2), 0.3)",))
    assert problem.extended == Suite(setup="import math", assertions=("assert add(0, 0) == 0",))
    assert problem.statement.startswith(
        "Add.\n\nThe program must pass this test:\n\nimport math\nassert math.isclose("
    )


@pytest.mark.parametrize(
    ("code", "tests", "entry_point", "names", "setup"),
    [
        ("def f(x): pass", "assert set(f(1)) == set(f(2))", "f", (), ""),
        ("def f(x): pass\ndef g(x): pass", "assert f(g(1)) == 1", "f", ("g",), ""),
        ("def f(x): pass\ndef g(x): pass", "assert g(f(1)) == 1", "g", ("f",), ""),
        ("class P: pass\ndef f(x): pass", "assert len([P(1), f(P(1))]) == 1", "f", ("P",), ""),
        ("class P: pass", "assert P(1).x == 1", "P", (), ""),
        ("f = lambda x: x\nroot = 7", "assert f(root) == 7", "f", ("root",), ""),
        ("def sum(a): pass\ndef max(a): pass", "assert sum([max(1)]) == 1", "sum", ("max",), ""),
        ("def f(x): pass\ndef max(a): pass", "assert f(1) == min(1, 2)", "f", (), ""),
        ("import sys, re\ndef f(x): pass", "assert f(1) == sys.getsizeof(1)", "f", (), "import sys, re"),
        ("from math import isclose as near\ndef f(x): pass", "assert near(f(1), 1)", "f", (),
         "from math import isclose as near"),
        ("import os.path\ndef f(x): pass", "assert f(1) == os.path.sep", "f", (), "import os.path"),
        ("from x import y\ndef y(): pass\ndef f(x): pass", "assert f(y()) == 1", "f", ("y",), ""),
        ("n = 1\ndef f(x): pass", "assert f(1) == [n for n in range(1)]", "f", (), ""),
        ("n = 1\ndef f(x): pass", "assert f(lambda n: n) == 1", "f", (), ""),
    ],
)  # fmt: skip
def test_what_the_assertions_of_mbpp_use(
    tmp_path: Path, code: str, tests: str, entry_point: str, names: tuple[str, ...], setup: str
):
    problem = mbpp(tmp_path, code=code, test_list=[tests, tests])
    assert (problem.entry_point, problem.names, problem.hidden.setup) == (entry_point, names, setup)
    assert problem.samples.setup == setup


def test_the_setup_of_mbpp_is_run_once_and_shown(tmp_path: Path):
    setup = "root = Node(1)\r\nroot.left = Node(2)"
    code = "root = None\r\nclass Node: pass\r\ndef height(node): pass"
    problem = mbpp(tmp_path, code=code, test_setup_code=setup, test_list=["assert height(root) == 2"])
    assert problem.hidden == Suite(setup=setup, assertions=("assert height(root) == 2",))
    assert problem.names == ("Node",)
    assert "\n\nroot = Node(1)\nroot.left = Node(2)\nassert height(root) == 2\n" in problem.statement


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"test_list": ["assert 1"]}, "field 'test_list': the assertions call no function that field 'code' defines"),
        ({"test_list": ["assert ("]}, "field 'test_list' holds no assertion"),
        ({"test_list": []}, "field 'test_list' is not a non-empty list"),
        ({"code": "def"}, "field 'code' is not Python"),
        ({"text": None}, "field 'text' is missing, and so is 'prompt'"),
        ({"task_id": None}, "field 'task_id' is not a non-empty int | str"),
    ],
)
def test_a_row_of_mbpp_that_does_not_fit(tmp_path: Path, fields: dict[str, object], said: str):
    with pytest.raises(DatasetError) as caught:
        mbpp(tmp_path, **fields)
    assert f"mine.jsonl, line 1: {said}" in str(caught.value)


def test_the_real_mbpp(data: Path):
    dataset = load(str(data / "mbpp_974.jsonl"))
    problems = {problem.id: problem for problem in dataset.problems}
    assert list(problems) == [f"MBPP/{number}" for number in range(1, 975)]
    assert dataset.warnings() == ()
    assert all(problem.reference and problem.samples.size == 1 for problem in dataset.problems)
    assert {problem.hidden.size for problem in dataset.problems} == {3}
    named = {problem.id: problem.names for problem in dataset.problems if problem.names}
    assert named == {"MBPP/367": ("Node",), "MBPP/601": ("Pair",), "MBPP/927": ("Node",)}
    assert {id for id, problem in problems.items() if problem.hidden.setup} == {"MBPP/367", "MBPP/596", "MBPP/927"}
    assert (problems["MBPP/126"].entry_point, problems["MBPP/596"].hidden.setup) == ("sum", "import sys")


def test_the_real_mbpp_of_multipl_e(data: Path):
    dataset = load(str(data / "mbpp.jsonl"))
    assert len(dataset.problems) == 397
    assert [note.partition(" left")[0] for note in dataset.notes] == ["line 172, mbpp_297_flatten_list:"]
    for problem in dataset.problems:
        assert problem.hidden.assertions == ("check(candidate)",)
        names: dict[str, Any] = {"__name__": "test"}
        exec(problem.hidden.setup, names)
        assert {"check"} == names.keys() - {"__name__", "__builtins__"}


def test_the_many_tests_of_mbpp_et_are_the_extended_suite(tmp_path: Path):
    tests = [f"assert f({n}) == {n}" for n in range(100)]
    problem = mbpp(tmp_path, code="def f(x): return x", test_list=tests, entry_point="f")
    assert problem.hidden.assertions == tuple(tests[:3])
    assert problem.extended.assertions == tuple(tests)
    assert problem.statement.endswith("assert f(0) == 0\n")
    few = mbpp(tmp_path, code="def f(x): return x", test_list=tests[:3], entry_point="f")
    assert (few.hidden.size, few.extended.size) == (3, 3)
    own = mbpp(tmp_path, code="def f(x): return x", test_list=tests[:7], test_case_list=tests[:9], entry_point="f")
    assert (own.hidden.size, own.extended.size) == (7, 9)

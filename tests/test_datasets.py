"""Datasets as files that people have: found by name, read by the loader that knows them, or refused by line."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from tasks.datasets import humaneval
from tasks.datasets.load import BUNDLED, Dataset, DatasetError, find, load, loaders
from tasks.records import Pair, Problem, Suite

PROMPT = '''import math
from typing import List


def helper(n: int) -> int:
    """Help.
    >>> helper(1)
    2
    """
    return n + 1


def area(radius: float, scale: float = 1) -> float:
    """Say how large a circle is.
    >>> area(0)
    0
    >>> round(area(1), 2) # a comment
    3.14
    >>> area(1) > 3
    True
    >>> x = area(2)
    >>> area(
    ...     2, scale=0)
    0.0
    >>> area(-1)
    Traceback (most recent call last):
    ValueError
    >>> area(3)
    28.27…

    And so on.
    >>> helper(4)
    5
    """
'''
ROW: dict[str, Any] = {
    "task_id": "HumanEval/0",
    "prompt": PROMPT,
    "entry_point": "area",
    "canonical_solution": "    return math.pi * radius**2 * scale\n",
    "test": "METADATA = {}\n\n\ndef check(candidate):\n    assert candidate(0) == 0\n",
}
SAMPLES = ["assert area(0) == 0", "assert area(1) > 3"]


def written(folder: Path, *rows: object, name: str = "mine.jsonl") -> Path:
    path = folder / name
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows), encoding="utf-8")
    return path


# HumanEval


def test_a_row_with_sample_assertions(tmp_path: Path):
    path = written(tmp_path, {**ROW, "sample_io": SAMPLES})
    dataset = load(str(path))
    (problem,) = dataset.problems
    assert (dataset.name, dataset.path) == ("mine", path)
    assert dataset.hash == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (problem.id, problem.statement, problem.entry_point) == ("HumanEval/0", PROMPT, "area")
    assert problem.samples == Suite(assertions=tuple(SAMPLES))
    assert problem.hidden == Suite(setup=ROW["test"], assertions=("check(candidate)",))
    assert (problem.extended.size, problem.names, problem.time_limit) == (0, (), None)
    assert problem.context == PROMPT[: PROMPT.index("def area")]
    assert "def helper" in problem.context
    assert problem.reference == PROMPT + ROW["canonical_solution"]


def test_a_row_of_the_original_has_the_examples_of_its_docstring(tmp_path: Path):
    """Those of the entry point whose result is a value; neither its comments nor the closing quotes get in."""
    (problem,) = load(str(written(tmp_path, ROW))).problems
    assert problem.samples.assertions == (
        "assert area(0) == 0",
        "assert round(area(1), 2) == 3.14",
        "assert (area(1) > 3) == True",
        "assert area(2, scale=0) == 0.0",
    )


@pytest.mark.parametrize(
    ("docstring", "samples"),
    [
        ("No example.", ()),
        (">>> f(1)\n    2", ("assert f(1) == 2",)),
        (">>> f(1)\n    2\n    >>> f('a')\n    ['x', None]", ("assert f(1) == 2", "assert f('a') == ['x', None]")),
        (">>>f(1)\n    2", ()),
        ("f(1) == 2", ()),
        (">>> f(1)\n    f(2)", ()),
        (">>> f(1)\n    <object at 0x1>", ()),
    ],
)
def test_examples_of_a_docstring(tmp_path: Path, docstring: str, samples: tuple[str, ...]):
    prompt = f'def f(x):\n    """{docstring}\n    """\n'
    (problem,) = load(str(written(tmp_path, {**ROW, "entry_point": "f", "prompt": prompt}))).problems
    assert problem.samples.assertions == samples


def test_a_prompt_that_is_no_python_by_itself_has_no_examples(tmp_path: Path):
    row = {**ROW, "entry_point": "f", "prompt": "def f(x):\n    # >>> f(1)\n    # 2\n"}
    assert load(str(written(tmp_path, row))).problems[0].samples == Suite()


def test_no_samples_said_is_no_samples(tmp_path: Path):
    assert load(str(written(tmp_path, {**ROW, "sample_io": []}))).problems[0].samples == Suite()


@pytest.mark.parametrize("solution", [None, "", "  \n"])
def test_a_solution_may_be_missing(tmp_path: Path, solution: str | None):
    row = {**ROW, "canonical_solution": solution, "prompt": "async def area(r):\n    pass\n"}
    (problem,) = load(str(written(tmp_path, row))).problems
    assert problem.reference is None


def test_rows_keep_their_order_and_blank_lines_their_number(tmp_path: Path):
    rows = [{**ROW, "task_id": name} for name in ("b", "a", "c/ü 🎻")]
    path = written(tmp_path, "\ufeff" + json.dumps(rows[0]), "", "  ", *rows[1:], "")
    assert [problem.id for problem in load(str(path)).problems] == ["b", "a", "c/ü 🎻"]
    windows = written(tmp_path, *(json.dumps(row) + "\r" for row in rows), name="windows.jsonl")
    assert load(str(windows)).problems == load(str(path)).problems


# What cannot be read


def without(field: str) -> dict[str, Any]:
    return {name: value for name, value in ROW.items() if name != field}


SECOND = {**ROW, "task_id": "second"}


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([ROW, without("test")], "line 2: field 'test' is missing or empty, and there is no 'test_case_list' either"),
        ([ROW, "", without("prompt")], "line 3: field 'prompt' is missing (read as humaneval)"),
        ([without("task_id")], "line 1: field 'task_id' is missing (read as humaneval)"),
        ([without("entry_point")], "line 1: field 'entry_point' is missing (read as humaneval)"),
        ([{**ROW, "test": ""}], "line 1: field 'test' is missing or empty"),
        ([{**ROW, "test": None}], "line 1: field 'test' is missing or empty"),
        ([{**ROW, "prompt": ""}], "line 1: field 'prompt' is not a non-empty str"),
        ([{**ROW, "task_id": 7}], "line 1: field 'task_id' is not a non-empty str"),
        ([{**ROW, "entry_point": "perimeter"}], "line 1: field 'prompt' does not define the entry point 'perimeter'"),
        ([{**ROW, "entry_point": "are"}], "does not define the entry point 'are'"),
        ([{**ROW, "sample_io": "assert True"}], "line 1: field 'sample_io' is not a list of assertions"),
        ([{**ROW, "sample_io": [1]}], "line 1: field 'sample_io' is not a list of assertions"),
        (
            [{**ROW, "test_case_list": {}}, {**SECOND, "test_case_list": [7]}],
            "line 2: field 'test_case_list' is not a",
        ),
        ([SECOND, {**ROW, "test": "def check(candidate:\n  pass"}], "line 2: field 'test' is not Python"),
        ([{**ROW, "test": "assert area(0) == 0"}], "line 1: field 'test' does not define check(candidate)"),
        ([ROW, SECOND, {**ROW, "sample_io": []}], "line 3: the id 'HumanEval/0' is that of line 1 too"),
        ([ROW, "{"], "line 2: not JSON"),
        ([ROW, "[" * 100_000], "line 2: not JSON"),
        (['{"task_id": "\\ud83c"}'], "line 1: not JSON"),
        (["[1]"], "line 1: not a JSON object"),
        (["null"], "line 1: not a JSON object"),
        (["{}"], "line 1: field "),
        ([], "holds no rows"),
        (["", " \t"], "holds no rows"),
    ],
)
def test_what_cannot_be_read_is_one_line_with_file_line_and_field(tmp_path: Path, rows: list[object], said: str):
    path = written(tmp_path, *rows)
    with pytest.raises(DatasetError) as caught:
        load(str(path))
    message = str(caught.value)
    assert message.startswith(str(path))
    assert said in message
    assert len(message.splitlines()) == 1


def test_a_file_that_is_no_text(tmp_path: Path):
    path = tmp_path / "binary.jsonl"
    path.write_bytes(b"\x80\x81\xff")
    with pytest.raises(DatasetError, match="is not UTF-8 text"):
        load(str(path))


# Names


def test_a_name_in_any_case_is_found_in_the_folder_of_consort_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = written(tmp_path, ROW, name="MySet.jsonl")
    monkeypatch.setenv("CONSORT_DATA", str(tmp_path))
    for name in ("MySet", "myset", "MYSET"):
        assert find(name) == path
        assert load(name).name == "MySet"
    assert find("Problems") == BUNDLED / "problems.jsonl"
    assert find(str(path)) == path


@pytest.mark.parametrize("name", ["nothing", "missing.jsonl", "", "/", "..", "mySet.jsonl/x"])
def test_an_unknown_name_names_the_known_and_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str):
    written(tmp_path, ROW, name="mine.jsonl")
    monkeypatch.setenv("CONSORT_DATA", str(tmp_path))
    with pytest.raises(DatasetError) as caught:
        load(name)
    message = str(caught.value)
    assert message.startswith(f"dataset {name!r}: no such file")
    assert "mine, problems" in message
    assert "CONSORT_DATA" in message
    assert len(message.splitlines()) == 1


@pytest.mark.parametrize("folder", ["", "/no/such/folder"])
def test_consort_data_may_be_missing(monkeypatch: pytest.MonkeyPatch, folder: str):
    monkeypatch.setenv("CONSORT_DATA", folder)
    assert find("problems") == BUNDLED / "problems.jsonl"
    with pytest.raises(DatasetError, match=r"known: problems, questions\)"):
        find("humaneval")


# Real ones


def test_the_bundled_samples():
    dataset = load("problems")
    assert [problem.id for problem in dataset.problems] == [f"Sample/{number}" for number in range(12)]
    assert [problem.id for problem in dataset.problems if not problem.samples.size] == ["Sample/10"]
    assert all(problem.reference for problem in dataset.problems)


def test_the_real_humaneval(data: Path):
    dataset = load("HumanEval")
    assert dataset.path == data / "humaneval.jsonl"
    assert [problem.id for problem in dataset.problems] == [f"HumanEval/{number}" for number in range(164)]
    assert [problem.id for problem in dataset.problems if not problem.samples.size] == [
        "HumanEval/41",
        "HumanEval/83",
    ]
    assert all(problem.reference for problem in dataset.problems)
    helped = {problem.id for problem in dataset.problems if "def " in problem.context}
    assert helped == {"HumanEval/10", "HumanEval/32", "HumanEval/38", "HumanEval/50"}


def test_the_real_humaneval_in_the_fields_of_the_original(tmp_path: Path, data: Path):
    lines = (data / "humaneval.jsonl").read_text().splitlines()
    original = [{k: v for k, v in json.loads(line).items() if k != "sample_io"} for line in lines]
    problems = load(str(written(tmp_path, *original))).problems
    assert len(problems) == 164
    samples = {problem.id: problem.samples.assertions for problem in problems}
    assert samples["HumanEval/2"] == ("assert truncate_number(3.5) == 0.5",)
    assert samples["HumanEval/32"][0] == "assert round(find_zero([1, 2]), 2) == -0.5"
    assert sum(len(found) for found in samples.values()) > 150
    for problem in problems:
        for sample in problem.samples.assertions:
            compile(sample, problem.id, "exec")
            assert problem.entry_point in sample


def test_the_loaders_are_the_files_of_their_folder():
    assert "humaneval" in loaders()
    assert loaders()["humaneval"] is humaneval
    assert "load" not in loaders()


# Parts and rows that cannot be used


def test_an_assertion_that_is_no_python_is_left_out_and_named(tmp_path: Path):
    row = {
        **ROW,
        "sample_io": [SAMPLES[0], "assert area(", SAMPLES[1]],
        "test_case_list": ["assert area(1) >", "assert 1"],
    }
    dataset = load(str(written(tmp_path, "", row)))
    (problem,) = dataset.problems
    assert problem.samples.assertions == tuple(SAMPLES)
    assert problem.extended.assertions == ("assert 1",)
    assert [note[:56] for note in dataset.notes] == [
        "line 2, HumanEval/0: left out: field 'sample_io' is not ",
        "line 2, HumanEval/0: left out: field 'test_case_list' is",
    ]
    (said,) = dataset.warnings()
    assert said.startswith("mine.jsonl: parts that are not used: 2 (line 2, HumanEval/0: ")
    assert len(said.splitlines()) == 1


def test_a_row_that_repeats_another_is_skipped_and_counted(tmp_path: Path):
    dataset = load(str(written(tmp_path, ROW, SECOND, *[ROW] * 7)))
    assert [problem.id for problem in dataset.problems] == ["HumanEval/0", "second"]
    assert dataset.skipped[0] == "line 3: HumanEval/0 repeats line 1"
    (said,) = dataset.warnings()
    assert said.startswith("mine.jsonl: rows that are not used: 7 (line 3: HumanEval/0 repeats line 1; line 4: ")
    assert said.endswith("line 7: HumanEval/0 repeats line 1; …)")


def test_a_dataset_without_a_row_that_can_be_used_is_refused(tmp_path: Path):
    path = written(tmp_path, {"problem_id": 0, "question": "?", "input_output": ""})
    with pytest.raises(DatasetError, match=r"mine.jsonl: no row can be used; line 1: 0: it has no tests"):
        load(str(path))


# HumanEval-ET


def test_extended_assertions_are_a_suite_of_their_own(tmp_path: Path):
    row = {**ROW, "test_case_list": ["assert area(2, 0) == 0", "assert candidate(0) == 0"]}
    (problem,) = load(str(written(tmp_path, row))).problems
    assert problem.extended == Suite(assertions=("assert area(2, 0) == 0", "assert candidate(0) == 0"))
    assert problem.hidden.setup == ROW["test"]


@pytest.mark.parametrize("missing", [("test",), ("test", "canonical_solution")])
def test_extended_tests_alone_are_no_hidden_suite(tmp_path: Path, missing: tuple[str, ...]):
    row = {name: value for name, value in ROW.items() if name not in missing} | {
        "test_case_list": ["assert area(0) == 0"]
    }
    (problem,) = load(str(written(tmp_path, row))).problems
    assert (problem.hidden, problem.extended.size) == (Suite(), 1)
    assert (problem.reference is None) == ("canonical_solution" in missing)


# MBPP

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


# APPS

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


# APPS as MapCoder writes it


def mapcoder(
    folder: Path, starter: str, tests: list[tuple[str, Any]], description: str = "?", **more: Any
) -> Dataset:
    listed = [{"input": given, "output": [output]} for given, output in tests]
    row = {
        "name": "5",
        "id": 5,
        "description": description,
        "sample_io": [],
        "test_list": listed,
        "starter_code": starter,
    }
    return load(str(written(folder, {**row, **more})))


def test_a_whole_program_in_mapcoders_shape(tmp_path: Path):
    samples = [{"input": "1\n", "output": ["2\n"]}]
    (problem,) = mapcoder(tmp_path, "", [("3\n", "6\n"), ("4\n", 8)], sample_io=samples).problems
    assert (problem.id, problem.entry_point, problem.statement) == ("5", "", "?\n")
    assert problem.samples.pairs == (Pair(input="1\n", output="2\n"),)
    assert problem.hidden.pairs == (Pair(input="3\n", output="6\n"), Pair(input="4\n", output="8"))


@pytest.mark.parametrize(
    ("starter", "description", "inputs", "calls"),
    [
        ("def f(n):", "", ["1", "2"], ["f(1)", "f(2)"]),
        ("def f(n):", "f('1') is 1", ["1", "2"], ["f('1')", "f('2')"]),
        ("def f(pin):", "", ["1234", "a234", ""], ["f('1234')", "f('a234')", "f('')"]),
        ("def f(n):", "`f(12)` returns 1", ["1", "a", "-1.5"], ["f(1)", "f('a')", "f(-1.5)"]),
        ("def f(n):", "f(n) for f(g(1)), f(", ["None", "True"], ["f(None)", "f(True)"]),
        ("def f(s, b):", "", ["ab\n[1, 'c']", "7\n[]"], ["f('ab', [1, 'c'])", "f('7', [])"]),
        ("def f(s, b=1, *c):", "", ["ab\n2", "cd"], ["f('ab', 2)", "f('cd')"]),
        ("def f(a, b):", "", ['[true, "x"]\n{"1": null}'], ["f([True, 'x'], {1: None})"]),
        ("def f(text):", "", ["two\nlines"], ["f('two\\nlines')"]),
        ("def f(text, marks):", "", ["a\n['#']", "b\nc\nd\n['!']"], ["f('a', ['#'])", "f('b\\nc\\nd', ['!'])"]),
        ("def f():", "", [""], ["f()"]),
        ("def g(a):\n    return a\n\ndef f(n):\n\t", "", ["(1, 2)"], ["f('(1, 2)')"]),
        ("class K:\n    def f(self, n: List[int], m) -> int:\n        ", "", ["[1]\n2"], ["K().f([1], 2)"]),
    ],
)
def test_what_the_lines_of_an_input_are(
    tmp_path: Path, starter: str, description: str, inputs: list[str], calls: list[str]
):
    dataset = mapcoder(tmp_path, starter, [(each, 0) for each in inputs], description or "?")
    assert dataset.notes == ()
    (problem,) = dataset.problems
    assert problem.hidden.assertions == tuple(f"assert {call} == 0" for call in calls)
    assert problem.entry_point == ("K" if "class" in starter else "f")
    assert starter.strip() in problem.statement


def test_a_test_that_stays_unclear_is_left_out(tmp_path: Path):
    tests = [("a\nb", 1), ("a\nb\nc", 2), ("a", 3)]
    dataset = mapcoder(tmp_path, "def f(a, b):", tests)
    assert dataset.problems[0].hidden.assertions == ("assert f('a', 'b') == 1",)
    assert dataset.notes == (
        "line 1, 5: test_list[1] left out: 3 lines of input do not fit 2 parameters",
        "line 1, 5: test_list[2] left out: 1 lines of input do not fit 2 parameters",
    )


def test_any_of_several_outputs_is_right_for_a_function(tmp_path: Path):
    listed = [{"input": "1", "output": [[2], 3]}, {"input": "2", "output": []}]
    dataset = mapcoder(tmp_path, "def f(n):", [], test_list=listed)
    assert dataset.problems[0].hidden.assertions == ("assert listed(f(1)) in ([2], 3)",)
    assert dataset.notes == ("line 1, 5: test_list[1] left out: it has no output",)
    pairs = [{"input": "1", "output": ["2", "3"]}, {"input": "2", "output": ["5"]}]
    dataset = mapcoder(tmp_path, "", [], test_list=pairs)
    assert dataset.problems[0].hidden.pairs == (Pair(input="2", output="5"),)
    assert dataset.notes == ("line 1, 5: test_list[0] left out: it has 2 outputs that are right",)


@pytest.mark.parametrize("starter", ["", "def f(a, b):"])
def test_samples_that_cannot_be_used_are_no_samples(tmp_path: Path, starter: str):
    samples = [{"input": "1", "output": []}]
    dataset = mapcoder(tmp_path, starter, [("1\n2", "3")], sample_io=samples)
    assert (dataset.problems[0].samples.size, dataset.problems[0].hidden.size) == (0, 1)
    assert dataset.notes[0].startswith("line 1, 5: sample_io[0] left out: ")


@pytest.mark.parametrize("tests", [[("1\n2\n3", 1)], [("1", 1)], []])
def test_a_problem_without_tests_that_can_be_used_is_skipped(tmp_path: Path, tests: list[tuple[str, Any]]):
    with pytest.raises(DatasetError, match=r"5: none of its tests can be used|'test_list' is not a non-empty list"):
        mapcoder(tmp_path, "def f(a, b):", tests)


@pytest.mark.parametrize("broken", [{"input": "1"}, {"output": ["1"]}, "1", None])
def test_a_test_that_is_none_is_refused(tmp_path: Path, broken: object):
    with pytest.raises(
        DatasetError, match=r"line 1: field 'sample_io' is not a list of tests with 'input' and 'output'"
    ):
        mapcoder(tmp_path, "", [("1", "1")], sample_io=[broken])


def test_a_starter_code_that_is_no_python_is_skipped(tmp_path: Path):
    with pytest.raises(DatasetError, match=r"line 1: 5: its starter code begins no function \(int main\(\) \{\)"):
        mapcoder(tmp_path, "int main() {", [("1", 1)])


def test_the_real_apps_150(data: Path):
    dataset = load(str(data / "apps_150.jsonl"))
    assert len(dataset.problems) == 128
    assert len(dataset.skipped) == 22
    assert all(" repeats line " in said for said in dataset.skipped)
    assert dataset.notes == ()
    problems = {problem.id: problem for problem in dataset.problems}
    assert sum(not problem.entry_point for problem in problems.values()) == 49
    assert sum(not problem.samples.size for problem in problems.values()) == 12
    first = {id: problem.hidden.assertions[0] for id, problem in problems.items() if problem.entry_point}
    assert first["3554"] == "assert get_score([1]) == 100"
    assert first["4440"] == "assert validate_pin('1') == False"
    assert first["4468"].startswith("assert simplify(8964631) == '8*1000000+")
    assert first["1627"] == "assert is_polydivisible('123', 10) == True"
    assert first["1613"].startswith(
        "assert solution('apples, pears # and bananas\\ngrapes\\nbananas !apples', ['#', '!'])"
    )
    assert first["4335"] == "assert listed(anagrams('abba', ['aabb', 'abcd', 'bbaa', 'dada'])) == ['aabb', 'bbaa']"
    for problem in problems.values():
        for assertion in (*problem.samples.assertions, *problem.hidden.assertions):
            compile(assertion, problem.id, "exec")


# CodeContests

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
    [(None, None), (0, None), (3, 3.0), (0.5, 0.5), ("2.5s", 2.5), ({"seconds": 1, "nanos": None}, 1.0), ({}, None)],
)
def test_time_limits_of_code_contests(tmp_path: Path, limit: object, seconds: float | None):
    problem = contest(tmp_path, time_limit=limit, memory_limit_bytes=0)
    assert (problem.time_limit, problem.memory_limit_mb) == (seconds, None)


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
        CONTEST,
    ]
    dataset = load(str(written(tmp_path, *rows)))
    assert [problem.id for problem in dataset.problems] == ["1_A. Echo"]
    assert dataset.skipped == (
        "line 1: a: its programs use a file, in.txt, in place of standard input and output",
        "line 2: b: it has no tests",
    )

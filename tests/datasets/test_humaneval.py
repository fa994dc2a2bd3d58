"""HumanEval, HumanEval-ET and HumanEval+ as the hub has it."""

import hashlib
import json
from pathlib import Path

import pytest

from tasks.datasets.load import load
from tasks.records import Suite
from tests.datasets.given import PROMPT, ROW, SAMPLES, written


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

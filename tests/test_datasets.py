"""Datasets as files that people have: found by name, read by the loader that knows them, or refused by line."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from tasks.datasets import humaneval
from tasks.datasets.load import BUNDLED, DatasetError, find, load, loaders

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
    assert problem.samples == tuple(SAMPLES)
    assert problem.test == ROW["test"]
    assert problem.context == PROMPT[: PROMPT.index("def area")]
    assert "def helper" in problem.context
    assert problem.reference == PROMPT + ROW["canonical_solution"]


def test_a_row_of_the_original_has_the_examples_of_its_docstring(tmp_path: Path):
    """Those of the entry point whose result is a value; neither its comments nor the closing quotes get in."""
    (problem,) = load(str(written(tmp_path, ROW))).problems
    assert problem.samples == (
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
    assert problem.samples == samples


def test_a_prompt_that_is_no_python_by_itself_has_no_examples(tmp_path: Path):
    row = {**ROW, "entry_point": "f", "prompt": "def f(x):\n    # >>> f(1)\n    # 2\n"}
    assert load(str(written(tmp_path, row))).problems[0].samples == ()


def test_no_samples_said_is_no_samples(tmp_path: Path):
    assert load(str(written(tmp_path, {**ROW, "sample_io": []}))).problems[0].samples == ()


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
        ([ROW, without("test")], "line 2: field 'test' is missing (read as humaneval)"),
        ([ROW, "", without("prompt")], "line 3: field 'prompt' is missing (read as humaneval)"),
        ([without("task_id")], "line 1: field 'task_id' is missing (read as humaneval)"),
        ([without("entry_point")], "line 1: field 'entry_point' is missing (read as humaneval)"),
        ([{**ROW, "test": ""}], "line 1: field 'test' is not a non-empty str"),
        ([{**ROW, "test": None}], "line 1: field 'test' is not a non-empty str"),
        ([{**ROW, "task_id": 7}], "line 1: field 'task_id' is not a non-empty str"),
        ([{**ROW, "entry_point": "perimeter"}], "line 1: field 'prompt' does not define the entry point 'perimeter'"),
        ([{**ROW, "entry_point": "are"}], "does not define the entry point 'are'"),
        ([{**ROW, "sample_io": "assert True"}], "line 1: field 'sample_io' is not a list of assertions"),
        ([{**ROW, "sample_io": [1]}], "line 1: field 'sample_io' is not a list of assertions"),
        ([{**ROW, "sample_io": ["assert area(", "x"]}], "line 1: field 'sample_io' is not Python"),
        ([SECOND, {**ROW, "test": "def check(candidate:\n  pass"}], "line 2: field 'test' is not Python"),
        ([{**ROW, "test": "assert area(0) == 0"}], "line 1: field 'test' does not define check(candidate)"),
        ([ROW, SECOND, ROW], "line 3: the id 'HumanEval/0' is that of line 1 too"),
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
    with pytest.raises(DatasetError, match=r"known: problems\)"):
        find("humaneval")


# Real ones


def test_the_bundled_samples():
    dataset = load("problems")
    assert [problem.id for problem in dataset.problems] == [f"Sample/{number}" for number in range(12)]
    assert [problem.id for problem in dataset.problems if not problem.samples] == ["Sample/10"]
    assert all(problem.reference for problem in dataset.problems)


def test_the_real_humaneval(data: Path):
    dataset = load("HumanEval")
    assert dataset.path == data / "humaneval.jsonl"
    assert [problem.id for problem in dataset.problems] == [f"HumanEval/{number}" for number in range(164)]
    assert [problem.id for problem in dataset.problems if not problem.samples] == ["HumanEval/41", "HumanEval/83"]
    assert all(problem.reference for problem in dataset.problems)
    helped = {problem.id for problem in dataset.problems if "def " in problem.context}
    assert helped == {"HumanEval/10", "HumanEval/32", "HumanEval/38", "HumanEval/50"}


def test_the_real_humaneval_in_the_fields_of_the_original(tmp_path: Path, data: Path):
    lines = (data / "humaneval.jsonl").read_text().splitlines()
    original = [{k: v for k, v in json.loads(line).items() if k != "sample_io"} for line in lines]
    problems = load(str(written(tmp_path, *original))).problems
    assert len(problems) == 164
    samples = {problem.id: problem.samples for problem in problems}
    assert samples["HumanEval/2"] == ("assert truncate_number(3.5) == 0.5",)
    assert samples["HumanEval/32"][0] == "assert round(find_zero([1, 2]), 2) == -0.5"
    assert sum(len(found) for found in samples.values()) > 150
    for problem in problems:
        for sample in problem.samples:
            compile(sample, problem.id, "exec")
            assert problem.entry_point in sample


def test_the_loaders_are_the_files_of_their_folder():
    assert "humaneval" in loaders()
    assert loaders()["humaneval"] is humaneval
    assert "load" not in loaders()

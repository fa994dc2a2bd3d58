"""Datasets as people have them: found by name, read by the loader that knows them, or refused by line."""

import json
from pathlib import Path
from typing import Any

import pytest

from tasks.datasets import humaneval
from tasks.datasets.load import BUNDLED, DatasetError, find, load, loaders
from tests.datasets.given import ROW, SAMPLES, written


def test_rows_keep_their_order_and_blank_lines_their_number(tmp_path: Path):
    rows = [{**ROW, "task_id": name} for name in ("b", "a", "c/ü 🎻")]
    path = written(tmp_path, "\ufeff" + json.dumps(rows[0]), "", "  ", *rows[1:], "")
    assert [problem.id for problem in load(str(path)).problems] == ["b", "a", "c/ü 🎻"]
    windows = written(tmp_path, *(json.dumps(row) + "\r" for row in rows), name="windows.jsonl")
    assert load(str(windows)).problems[0] == load(str(path)).problems[0]


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
        ([{**SECOND, "test_case_list": [7]}], "line 1: field 'test_case_list' is not a"),
        ([{**ROW, "test": "def check(candidate:\n  pass"}], "line 1: field 'test' is not Python"),
        ([{**ROW, "test": "assert area(0) == 0"}], "line 1: field 'test' does not define check(candidate)"),
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


@pytest.mark.parametrize("name", ["nothing", "missing.jsonl", "", " ", "mySet.jsonl/x"])
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
    with pytest.raises(DatasetError, match=r"known: problems, .*questions\)"):
        find("humaneval")


def test_the_bundled_samples():
    dataset = load("problems")
    assert [problem.id for problem in dataset.problems] == [f"Sample/{number}" for number in range(12)]
    assert [problem.id for problem in dataset.problems if not problem.samples.size] == ["Sample/10"]
    assert all(problem.reference for problem in dataset.problems)


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


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (
            {**ROW, "task_id": "b", "test": ""},
            "b: field 'test' is missing or empty, and there is no 'test_case_list'",
        ),
        ({**ROW, "task_id": "b", "test": "def check(candidate:\n  pass"}, "b: field 'test' is not Python"),
        ({**ROW, "task_id": "b", "test_case_list": [7]}, "b: field 'test_case_list' is not a"),
        ({**ROW, "task_id": "b", "prompt": ""}, "b: field 'prompt' is not a non-empty str (read as humaneval)"),
        ({**ROW, "task_id": "b", "prompt": None}, "b: field 'prompt' is not a non-empty str (read as humaneval)"),
        ({**ROW, "entry_point": "other"}, "HumanEval/0: field 'prompt' does not define the entry point 'other'"),
        ({**ROW, "prompt": f"{ROW['prompt']}# another"}, "the id 'HumanEval/0' is that of line 1 too"),
    ],
)
def test_a_broken_row_is_named_and_costs_the_others_nothing(tmp_path: Path, row: dict[str, object], said: str):
    dataset = load(str(written(tmp_path, ROW, row, SECOND)))
    assert [problem.id for problem in dataset.problems] == ["HumanEval/0", "second"]
    assert len(dataset.skipped) == 1
    assert said in dataset.skipped[0]
    assert dataset.skipped[0].startswith("line 2: ")


def test_a_line_that_is_no_row_of_the_dataset_ends_the_loading(tmp_path: Path):
    for row in ({**ROW, "task_id": 7}, {key: ROW[key] for key in ROW if key != "prompt"}):
        with pytest.raises(DatasetError, match=r"mine.jsonl, line 2: field '(task_id|prompt)' is"):
            load(str(written(tmp_path, SECOND, row)))

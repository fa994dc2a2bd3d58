"""xCodeEval: rows with and without the hub's prefix, and the folder with the tests in a file of their own."""

import json
from pathlib import Path
from typing import Any

import pytest

from tasks.datasets.load import DatasetError, load
from tasks.records import Pair
from tests.datasets.given import outcome, problem, told, written

UID = "9ce37bc2d361f5bb8a0568fb479b8a38"
DOUBLE: dict[str, Any] = {
    "src_uid": UID,
    "description": "Print $$$n$$$ twice.",
    "input_from": "standard input",
    "output_to": "standard output",
    "time_limit": "2 seconds",
    "memory_limit": "256 megabytes",
    "input_spec": "The number.",
    "output_spec": "Twice the number.",
    "notes": "NoteIt is easy.",
    "sample_inputs": ["4"],
    "sample_outputs": ["8"],
    "tags": ["math"],
    "difficulty": 800,
    "hidden_unit_tests": '[{"input": "4\\r\\n", "output": ["8"]}, {"input": "3\\n", "output": ["6\\r\\n", "6\\n"]}]',
    "source_code": "print(2 * int(input()))",
    "lang": "PyPy 3",
    "lang_cluster": "Python",
    "exec_outcome": "PASSED",
}


def test_a_row(tmp_path: Path):
    made = problem(tmp_path, DOUBLE)
    assert (made.id, made.entry_point, made.time_limit, made.memory_limit_mb) == (UID, "", 2.0, 256)
    assert made.samples.pairs == (Pair(input="4", output="8"),)
    assert made.hidden.pairs == (Pair(input="4\n", output="8"), Pair(input="3\n", output="6\n"))
    assert (made.reference, made.reference_language) == (DOUBLE["source_code"], "Python3")
    assert made.statement == (
        "Print $n$ twice.\n\nInput\nThe number.\n\nOutput\nTwice the number.\n\n"
        "Example\nInput:\n4\nOutput:\n8\n\nNotes\nNoteIt is easy.\n"
    )


def test_a_row_of_the_hub(tmp_path: Path):
    own = (
        "src_uid",
        "tags",
        "difficulty",
        "hidden_unit_tests",
        "source_code",
        "lang",
        "lang_cluster",
        "exec_outcome",
    )
    row = {key if key in own else f"prob_desc_{key}": value for key, value in DOUBLE.items()}
    assert problem(tmp_path, row) == problem(tmp_path, DOUBLE)
    printed = {key: str(value) if isinstance(value, list) else value for key, value in row.items()}
    printed["hidden_unit_tests"] = str(json.loads(DOUBLE["hidden_unit_tests"]))
    assert problem(tmp_path, printed) == problem(tmp_path, DOUBLE)


@pytest.mark.parametrize(
    ("fields", "reference"),
    [
        ({"lang": "GNU C++17", "lang_cluster": "C++"}, ("C++", True)),
        ({"lang": "Python 2", "lang_cluster": "Python"}, ("Python3", False)),
        ({"exec_outcome": "WRONG_ANSWER"}, ("Python3", False)),
        ({"source_code": None}, ("Python3", False)),
    ],
)
def test_references(tmp_path: Path, fields: dict[str, object], reference: tuple[str, bool]):
    made = problem(tmp_path, {**DOUBLE, **fields})
    assert (made.reference_language, made.reference is not None) == reference


@pytest.mark.parametrize(
    ("fields", "seconds", "megabytes"),
    [
        ({"time_limit": "1 second", "memory_limit": "64 megabytes"}, 1.0, 64),
        ({"time_limit": "0.5 seconds", "memory_limit": "1 gigabyte"}, 0.5, 1024),
        ({"time_limit": "500 milliseconds", "memory_limit": "4096 kilobytes"}, 0.5, 4),
        ({"time_limit": None, "memory_limit": ""}, None, None),
    ],
)
def test_limits(tmp_path: Path, fields: dict[str, object], seconds: float | None, megabytes: int | None):
    made = problem(tmp_path, {**DOUBLE, **fields})
    assert (made.time_limit, made.memory_limit_mb) == (seconds, megabytes)


def test_a_test_with_several_right_outputs_is_left_out(tmp_path: Path):
    tests = [
        {"input": "1", "output": ["2", "two"]},
        {"input": "2", "output": []},
        {"input": "3"},
        {"input": "4", "output": "8"},
    ]
    dataset = load(str(written(tmp_path, {**DOUBLE, "hidden_unit_tests": tests})))
    assert dataset.problems[0].hidden.pairs == (Pair(input="4", output="8"),)
    assert dataset.notes == (
        f"line 1, {UID}: hidden_unit_tests[0] left out: it has 2 outputs that are right",
        f"line 1, {UID}: hidden_unit_tests[1] left out: it has 0 outputs that are right",
        f"line 1, {UID}: hidden_unit_tests[2] left out: it has 0 outputs that are right",
    )


def test_rows_that_cannot_be_graded_are_skipped(tmp_path: Path):
    rows = [
        {**DOUBLE, "src_uid": "a", "input_from": "input.txt"},
        {**DOUBLE, "src_uid": "b", "output_to": "output.txt"},
        {**DOUBLE, "src_uid": "c", "hidden_unit_tests": "[]"},
        {**DOUBLE, "src_uid": "d", "hidden_unit_tests": None},
        DOUBLE,
    ]
    assert load(str(written(tmp_path, *rows))).skipped == (
        "line 1: a: its programs use input.txt, in place of standard input and output",
        "line 2: b: its programs use output.txt, in place of standard input and output",
        "line 3: c: it has no tests that can be used",
        "line 4: d: it has no tests that can be used",
    )


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"description": None}, "field 'description' is missing or empty"),
        ({"time_limit": "soon"}, "field 'time_limit' is not a limit in seconds or milliseconds: 'soon'"),
        (
            {"memory_limit": "3 acres"},
            "field 'memory_limit' is not a limit in kilobytes or megabytes or",
        ),
        ({"hidden_unit_tests": "[{"}, "field 'hidden_unit_tests' is not JSON"),
        ({"hidden_unit_tests": "__import__('os')"}, "field 'hidden_unit_tests' is not JSON"),
        ({"hidden_unit_tests": '{"a": 1}'}, "field 'hidden_unit_tests' is not a list of tests with 'input' and"),
        ({"hidden_unit_tests": "[1]"}, "field 'hidden_unit_tests' is not a list of tests with 'input' and 'output'"),
        ({"sample_outputs": []}, "field 'sample_outputs' has not one output for each of 'sample_inputs'"),
        ({"src_uid": 7}, "field 'src_uid' is not a non-empty str (read as xcode_eval)"),
    ],
)
def test_a_row_that_does_not_fit(tmp_path: Path, fields: dict[str, object], said: str):
    with pytest.raises(DatasetError) as caught:
        problem(tmp_path, {**DOUBLE, **fields})
    assert f"mine.jsonl, line 1: {said}" in told(str(caught.value))


@pytest.mark.parametrize("indent", [None, 2])
async def test_the_folder_with_the_tests_in_a_file_of_their_own(tmp_path: Path, indent: int | None):
    """The file of tests is looked through for its keys; a text of a test that looks like one is none."""
    uids = ["0" * 32, "ab" * 16, "f" * 32, "c" * 32]
    tricky = json.dumps({uids[0]: [{"input": "9", "output": ["wrong"]}]})
    tests = {
        uids[1]: [{"input": "5\n", "output": ["10"]}, {"input": tricky, "output": [tricky + "]},}"]}],
        uids[0]: json.loads(DOUBLE["hidden_unit_tests"]),
        uids[3]: [],
    }
    rows = [{key: DOUBLE[key] for key in DOUBLE if key != "hidden_unit_tests"} | {"src_uid": uid} for uid in uids]
    folder = tmp_path / "xCodeEval"
    folder.mkdir()
    written(folder, *rows, name="problem_descriptions.jsonl")
    (folder / "unittest_db.json").write_text(json.dumps(tests, indent=indent))
    dataset = load(str(folder))
    assert (dataset.name, [each.id for each in dataset.problems]) == ("xCodeEval", uids[:2])
    assert dataset.skipped == tuple(
        f"line {number}: {uid}: it has no tests that can be used" for number, uid in enumerate(uids[2:], start=3)
    )
    assert dataset.problems[0].hidden == problem(tmp_path, DOUBLE).hidden
    assert [pair.input for pair in dataset.problems[1].hidden.pairs] == ["5\n", tricky]
    assert dataset.problems[1].hidden.pairs[1].output == tricky + "]},}"
    assert await outcome(dataset.problems[0], "print(2 * int(input()))") == "passed"
    (folder / "unittest_db.json").write_text(json.dumps({**tests, uids[3]: tests[uids[0]]}))
    assert load(str(folder)).hash != dataset.hash


def test_descriptions_under_another_name_have_the_tests_beside_them(tmp_path: Path):
    """As MapCoder cut it: a folder, or one of its files by name."""
    uids = ["0" * 32, "ab" * 16]
    tests = {uid: [{"input": f"{number}\n", "output": ["1"]}] for number, uid in enumerate(uids)}
    rows = [{key: DOUBLE[key] for key in DOUBLE if key != "hidden_unit_tests"} | {"src_uid": uid} for uid in uids]
    written(tmp_path, rows[0], name="prog_syn_val.jsonl")
    written(tmp_path, rows[1], name="prog_syn_test.jsonl")
    (tmp_path / "unittest_db.json").write_text(json.dumps(tests))
    whole = load(str(tmp_path))
    assert [(each.id, each.hidden.pairs[0].input) for each in whole.problems] == [(uids[1], "1\n"), (uids[0], "0\n")]
    one = load(str(tmp_path / "prog_syn_val.jsonl"))
    assert (one.name, [each.id for each in one.problems]) == ("prog_syn_val", uids[:1])
    (tmp_path / "unittest_db.json").write_text(json.dumps({uids[1]: tests[uids[1]]}))
    assert load(str(tmp_path)).skipped == (
        f"prog_syn_val.jsonl, line 1: {uids[0]}: it has no tests that can be used",
    )


def test_a_statement_is_shown_as_its_page_shows_it(tmp_path: Path):
    made = problem(
        tmp_path,
        {
            **DOUBLE,
            "description": "If $$$a&lt;b$$$ print &quot;1&quot;.",
            "sample_inputs": ["&lt;"],
            "sample_outputs": ["1"],
        },
    )
    assert made.statement.startswith('If $a<b$ print "1".\n')
    assert "Input:\n&lt;\nOutput:" in made.statement

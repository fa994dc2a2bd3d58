"""LiveCodeBench: functions and whole programs; private tests packed in every way that they are, or could be."""

import base64
import json
import pickle
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import pytest

from tasks.datasets import live_code_bench
from tasks.datasets.load import DatasetError, load
from tasks.records import Pair
from tests.datasets.given import problem, told, written


def cases_of(kind: str, *pairs: tuple[str, str]) -> str:
    return json.dumps([{"input": given, "output": output, "testtype": kind} for given, output in pairs])


PRIVATE = cases_of("functional", ("[1, 2]", "[1, 2, 1, 2]"), ("[]", "[]"))
TWICE: dict[str, Any] = {
    "question_title": "Twice",
    "question_content": "Return the list twice.",
    "platform": "leetcode",
    "question_id": "9001",
    "contest_id": "weekly",
    "contest_date": "2024-01-06T00:00:00",
    "starter_code": "class Solution:\n    def twice(self, n: List[int]) -> List[int]:\n        ",
    "difficulty": "easy",
    "public_test_cases": cases_of("functional", ("[3]", "[3, 3]")),
    "private_test_cases": PRIVATE,
    "metadata": '{"func_name": "twice"}',
}
STDIN = {
    **TWICE,
    "question_id": "abc1_a",
    "question_content": "Print n twice.",
    "starter_code": "",
    "public_test_cases": cases_of("stdin", ("2\n", "4\n")),
    "private_test_cases": cases_of("stdin", ("3\n", "6\n"), ("2\n", "4\n")),
    "metadata": "{}",
}


def packed(content: bytes) -> str:
    return base64.b64encode(zlib.compress(content)).decode()


class Opened:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return open, (str(self.path), "w")


def test_a_function(tmp_path: Path):
    made = problem(tmp_path, TWICE)
    assert (made.id, made.entry_point, made.time_limit) == ("9001", "Solution", None)
    assert made.samples.assertions == ("assert listed(Solution().twice([3])) == [3, 3]",)
    assert made.hidden.assertions == (
        "assert listed(Solution().twice([3])) == [3, 3]",
        "assert listed(Solution().twice([1, 2])) == [1, 2, 1, 2]",
        "assert listed(Solution().twice([])) == []",
    )
    assert "class Solution:\n    def twice(self" in made.statement
    defined: dict[str, Any] = {}
    exec(made.context, defined)
    assert defined["List"] and defined["inf"] and defined["pow"] is pow


def test_arguments_are_one_json_value_a_line(tmp_path: Path):
    tests = cases_of("functional", ('"a\\nb"\n[1, null]\n{"1": true}\n', '"x"'), ("nothing", "1"), ("1", ""))
    row = {**TWICE, "public_test_cases": tests, "private_test_cases": None, "starter_code": "def twice(a, b, c):"}
    dataset = load(str(written(tmp_path, row)))
    assert dataset.problems[0].hidden.assertions == ("assert twice('a\\nb', [1, None], {1: True}) == 'x'",)
    assert [note.partition(" (")[0] for note in dataset.notes[:2]] == [
        "line 1, 9001: public_test_cases[1] left out: it is not JSON",
        "line 1, 9001: public_test_cases[2] left out: it is not JSON",
    ]


def test_a_whole_program(tmp_path: Path):
    made = problem(tmp_path, STDIN)
    assert (made.entry_point, made.statement) == ("", "Print n twice.\n")
    assert made.samples.pairs == (Pair(input="2\n", output="4\n"),)
    assert made.hidden.pairs == (Pair(input="2\n", output="4\n"), Pair(input="3\n", output="6\n"))


@pytest.mark.parametrize(
    "tests",
    [json.loads(PRIVATE), packed(PRIVATE.encode()), packed(json.dumps(PRIVATE).encode()), f"\n {PRIVATE}"],
    ids=["a list", "packed", "packed as a text", "plain"],
)
def test_private_tests_in_other_forms(tmp_path: Path, tests: object):
    assert problem(tmp_path, {**TWICE, "private_test_cases": tests}) == problem(tmp_path, TWICE)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_is_refused_and_never_read(tmp_path: Path, protocol: int):
    made = tmp_path / "made"
    for content in (PRIVATE, Opened(made)):
        row = {**TWICE, "private_test_cases": packed(pickle.dumps(content, protocol))}
        path = written(tmp_path, TWICE, {**row, "question_id": "9002"})
        with pytest.raises(DatasetError) as caught:
            load(str(path))
        said = told(str(caught.value))
        assert said.startswith(f"{path}, line 2: field 'private_test_cases' holds no JSON when it is unpacked")
        assert "pickle, which is never read here" in said
        assert said.endswith("convert the tests once, in a place that you trust, to JSON")
    assert not made.exists()


def test_no_module_of_the_loader_knows_pickle():
    assert "import pickle" not in Path(live_code_bench.__file__).read_text()


@pytest.mark.parametrize(
    ("tests", "said"),
    [
        ("nothing at all", "field 'private_test_cases' is neither JSON nor base64; convert the tests"),
        ("[{", "field 'private_test_cases' is not JSON"),
        (base64.b64encode(b"plain").decode(), "field 'private_test_cases' is neither JSON nor packed by zlib"),
        (packed(b"[" * 9999), "field 'private_test_cases' holds no JSON when it is unpacked"),
        (
            base64.b64encode(zlib.compress(PRIVATE.encode())[:-9]).decode(),
            "field 'private_test_cases' is cut off, or",
        ),
        (packed(b"7"), "field 'private_test_cases' is not a list of tests"),
        ('[{"input": "1"}]', "field 'private_test_cases': test 0 has no 'input', 'output' or known 'testtype'"),
        (cases_of("drawn", ("1", "2")), "field 'private_test_cases': test 0 has no 'input', 'output' or known 'test"),
    ],
)
def test_private_tests_that_are_none(tmp_path: Path, tests: str, said: str):
    with pytest.raises(DatasetError) as caught:
        problem(tmp_path, {**TWICE, "private_test_cases": tests})
    assert f"mine.jsonl, line 1: {said}" in told(str(caught.value))


def test_a_pickle_in_one_row_refuses_them_all(tmp_path: Path):
    pickled = {**TWICE, "question_id": "b", "private_test_cases": packed(pickle.dumps(PRIVATE))}
    with pytest.raises(DatasetError, match=r"line 2: field 'private_test_cases' holds no JSON .* a pickle"):
        load(str(written(tmp_path, TWICE, pickled)))


def test_a_bomb_takes_no_more_memory_than_the_limit(tmp_path: Path):
    zeros = zlib.compressobj(1)
    bomb = b"".join(zeros.compress(bytes(1 << 20)) for _ in range(1 << 10)) + zeros.flush()  # a gigabyte
    row = {**TWICE, "private_test_cases": base64.b64encode(bomb).decode()}
    path = written(tmp_path, row)
    tracemalloc.start()
    with pytest.raises(DatasetError, match=r"is cut off, or larger than 256 MiB when it is unpacked$"):
        load(str(path))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2.5 * live_code_bench.LARGEST


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"question_id": None}, "field 'question_id' is missing"),
        ({"question_content": ""}, "field 'question_content' is not a non-empty str (read as live_code_bench)"),
        ({"public_test_cases": "{}"}, "field 'public_test_cases' is not a list of tests"),
        ({"metadata": "{}"}, "field 'metadata' does not name the function of its functional tests, 'func_name'"),
        ({"metadata": '{"func_name": "a b"}'}, "field 'metadata' does not name the function"),
        ({"metadata": "{"}, "field 'metadata' is not JSON"),
    ],
)
def test_a_row_that_does_not_fit(tmp_path: Path, fields: dict[str, object], said: str):
    with pytest.raises(DatasetError) as caught:
        problem(tmp_path, {**TWICE, **fields})
    assert f"mine.jsonl, line 1: {said}" in told(str(caught.value))


def test_rows_that_cannot_be_graded_are_skipped(tmp_path: Path):
    unclear = cases_of("functional", ("x", "x"))
    rows = [
        {**TWICE, "question_id": "a", "public_test_cases": "[]", "private_test_cases": "[]"},
        {**TWICE, "question_id": "b", "private_test_cases": STDIN["private_test_cases"]},
        {**TWICE, "question_id": "c", "public_test_cases": unclear, "private_test_cases": None},
        TWICE,
    ]
    assert load(str(written(tmp_path, *rows))).skipped == (
        "line 1: a: it has no tests",
        "line 2: b: its tests are of several kinds",
        "line 3: c: none of its tests can be used",
    )

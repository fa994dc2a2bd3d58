"""APPS as MapCoder writes it."""

from pathlib import Path
from typing import Any

import pytest

from tasks.datasets.load import Dataset, DatasetError, load
from tasks.records import Pair
from tests.datasets.given import written


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


def test_problems_of_one_contest_are_told_by_their_names(tmp_path: Path):
    """Of CodeContests the number is the contest's."""
    test = {"input": "1\n", "output": ["1\n"]}
    rows = [
        {"name": f"1575_{letter}. Sort", "id": 1575, "description": "Sort.", "sample_io": [test], "test_list": [test]}
        for letter in "AB"
    ]
    assert [problem.id for problem in load(str(written(tmp_path, *rows))).problems] == [
        "1575_A. Sort",
        "1575_B. Sort",
    ]

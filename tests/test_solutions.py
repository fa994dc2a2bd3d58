"""Files of solutions: which problem a row is about, what its program is and in which language, what is refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from blocks.errors import UsageError
from tasks.records import Pair, Problem, Suite
from tasks.solutions import Grading, Program, prepare_grading, read_solutions, whole_program
from tasks.solving import Options
from tests.conftest import SAMPLES

HIDDEN = Suite(assertions=("assert f(1) == 1",))
FUNCTION = Problem(id="Set/1", statement='def f(x):\n    """Return x."""\n', entry_point="f", hidden=HIDDEN)
WHOLE = Problem(id="Set/2", statement="Print what you read.", hidden=Suite(pairs=(Pair(input="1", output="1"),)))
PROBLEMS = {problem.id: problem for problem in (FUNCTION, WHOLE)}
BODY = "    return x\n"


def written(path: Path, *rows: object) -> Path:
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows), encoding="utf-8")
    return path


def read(folder: Path, *rows: object, problems: dict[str, Problem] = PROBLEMS) -> dict[str, list[Program]]:
    return read_solutions(written(folder / "mine.jsonl", *rows), problems).programs


# Programs


def test_a_body_goes_on_where_the_prompt_ends():
    assert whole_program(FUNCTION, BODY) == FUNCTION.statement + BODY
    for whole in (
        "def f(x): return 1",
        "f = abs",
        "class f: pass",
        "async def f(x): pass",
        "not python(",
    ):
        assert whole_program(FUNCTION, whole) == whole


@pytest.mark.parametrize("program", [BODY, "", "print(input())", "int main() {}", " x = 1\n\ty"])
def test_a_program_that_reads_standard_input_is_left_alone(program: str):
    assert whole_program(WHOLE, program) == program


@pytest.mark.parametrize("name", ["Set/1", "set/1", "SET/1", "1", 1])
def test_a_problem_is_named_by_its_id_or_its_number(tmp_path: Path, name: object):
    assert read(tmp_path, {"task_id": name, "completion": BODY}) == {"Set/1": [Program(FUNCTION.statement + BODY)]}


@pytest.mark.parametrize("name", ["Other/1", "3", 3, "/1", "", True, None, 1.0, "x\ud800"])
def test_a_problem_that_is_not_there(tmp_path: Path, name: object):
    with pytest.raises(UsageError, match=r"mine\.jsonl, line 2: field 'task_id'"):
        read(tmp_path, "", {"task_id": name, "completion": BODY})


def test_a_number_that_two_problems_end_in_names_neither(tmp_path: Path):
    both = {**PROBLEMS, "Other/1": FUNCTION.model_copy(update={"id": "Other/1"})}
    with pytest.raises(UsageError, match="the dataset has no problem '1'"):
        read(tmp_path, {"task_id": "1", "completion": BODY}, problems=both)
    assert list(read(tmp_path, {"task_id": "other/1", "completion": BODY}, problems=both)) == ["Other/1"]


def test_names_of_multipl_e_and_ids_of_mbpp_are_the_same_problems(tmp_path: Path):
    named = {"mbpp_7_f": FUNCTION.model_copy(update={"id": "mbpp_7_f"})}
    for name in ("MBPP/7", "Mbpp/7", "7", 7, "mbpp_7_other"):
        assert list(read(tmp_path, {"task_id": name, "completion": BODY}, problems=named)) == ["mbpp_7_f"]
    numbered = {"MBPP/7": FUNCTION.model_copy(update={"id": "MBPP/7"})}
    assert list(read(tmp_path, {"task_id": "mbpp_7_f", "completion": BODY}, problems=numbered)) == ["MBPP/7"]


async def test_programs_of_other_problems_are_named_and_not_graded(tmp_path: Path):
    """A suite of fewer problems, such as MBPP+, grades the programs of a run over all."""
    rows = [{"task_id": name, "completion": "x"} for name in ("Sample/0", "Sample/99", "Sample/98")]
    grading = await prepared(SAMPLES, written(tmp_path / "mine.jsonl", *rows), limit=1)
    assert list(grading.programs) == ["Sample/0"]
    assert grading.job.warnings == (
        "programs of problems that the dataset does not have, not graded: 2 (Sample/99, Sample/98)",
    )


def test_rows_of_one_problem_are_its_samples_and_may_name_a_language(tmp_path: Path):
    rows: list[dict[str, Any]] = [
        {"task_id": "Set/2", "completion": "a", "language": "c++"},
        {"task_id": "Set/1", "completion": BODY, "language": None},
        {"task_id": "Set/2", "completion": "b", "language": "PYTHON3"},
        {"task_id": "Set/2", "completion": ""},
    ]
    assert read(tmp_path, *rows)["Set/2"] == [Program("a", "C++"), Program("b", "Python3"), Program("", None)]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"task_id": "Set/1"}, "field 'completion' is missing or not text"),
        ({"task_id": "Set/1", "completion": None}, "field 'completion' is missing or not text"),
        ({"task_id": "Set/1", "completion": "x\ud800"}, "field 'completion' is missing or not text"),
        (
            {"task_id": "Set/1", "completion": "", "language": "Cobol"},
            "field 'language': 'Cobol' is none of Python3, C, ",
        ),
        ({"task_id": "Set/1", "completion": "", "language": 3}, "field 'language': 3 is none of"),
        ({"task_id": "Set/1", "source_codes": [1]}, "field 'source_codes' is not a list of texts"),
        ("{", "not JSON"),
        ("[]", "not a JSON object"),
    ],
)
def test_what_cannot_be_read_is_one_line_with_line_and_field(tmp_path: Path, row: object, said: str):
    with pytest.raises(UsageError) as caught:
        read(tmp_path, "", row)
    assert f"mine.jsonl, line 2: {said}" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_the_results_of_a_run_are_solutions(tmp_path: Path):
    """A reply without a program counts as a wrong one; an attempt that is to be tried again does not count."""
    details = [{"outcome": outcome} for outcome in ("passed", "bad_reply", "error")]
    row = {"task_id": "Set/1", "language": "Python3", "source_codes": ["f = abs", None, None], "run_details": details}
    assert read(tmp_path, row) == {"Set/1": [Program("f = abs", "Python3"), Program("", "Python3")]}


# The job


async def prepared(dataset: Path, solutions: object, **options: Any) -> Grading:
    return await prepare_grading(Options(flow="grade", dataset=str(dataset), **options), str(solutions))


CONTEST = {"name": "1_A", "description": "Echo.", "private_tests": {"input": ["1"], "output": ["1"]}}
ROW = {"task_id": "R/0", "prompt": "def f(x):\n", "entry_point": "f", "canonical_solution": BODY}
TEST = "def check(candidate):\n    assert candidate(1) == 1\n"


async def test_the_references_of_a_dataset():
    grading = await prepared(SAMPLES, "reference", limit=3)
    assert list(grading.programs) == ["Sample/0", "Sample/1", "Sample/2"]
    assert {program.language for programs in grading.programs.values() for program in programs} == {"Python3"}
    assert (grading.job.configuration.suite, grading.job.warnings) == ("hidden", ())


async def test_a_reference_in_another_language(tmp_path: Path):
    row = {**CONTEST, "solutions": {"language": [2], "solution": ["int main() {}"]}}
    grading = await prepared(written(tmp_path / "contest.jsonl", row), "reference")
    assert grading.programs == {"1_A": [Program("int main() {}", "C++")]}


async def test_a_function_is_python(tmp_path: Path):
    dataset = written(tmp_path / "set.jsonl", {**ROW, "test": TEST})
    file = written(tmp_path / "mine.jsonl", {"task_id": "R/0", "completion": "x", "language": "C"})
    with pytest.raises(UsageError, match=r"--language C: problem 'R/0' of .*set.jsonl asks for a function"):
        await prepared(dataset, file)


async def test_problems_without_the_suite_that_is_asked_for_are_named(tmp_path: Path):
    rows = [
        {**ROW, "test_case_list": ["assert f(1) == 1"]},
        {**ROW, "task_id": "R/1", "test": TEST, "test_case_list": ["assert f(2) == 2"]},
        {**ROW, "task_id": "R/2", "test": TEST},
        {**ROW, "task_id": "R/2", "test": TEST},
    ]
    dataset = written(tmp_path / "et.jsonl", *rows)
    hidden, extended = [await prepared(dataset, "reference", suite=suite) for suite in ("hidden", "Extended")]
    repeated = "et.jsonl: rows that are not used: 1 (line 4: R/2 repeats line 3)"
    assert [problem.id for problem in hidden.job.problems] == ["R/1", "R/2"]
    assert hidden.job.warnings == (repeated, "problems without hidden tests, not graded: 1 (R/0)")
    assert [problem.id for problem in extended.job.problems] == ["R/0", "R/1"]
    assert extended.job.warnings == (repeated, "problems without extended tests, not graded: 1 (R/2)")
    assert hidden.job.configuration.digest() != extended.job.configuration.digest()


async def test_a_dataset_without_the_suite_that_is_asked_for_is_refused(tmp_path: Path):
    with pytest.raises(
        UsageError, match=r"--suite extended: .*problems.jsonl has no such tests; it has --suite hidden"
    ):
        await prepared(SAMPLES, "reference", suite="extended")
    dataset = written(tmp_path / "et.jsonl", {**ROW, "test_case_list": ["assert f(1) == 1"]})
    with pytest.raises(UsageError, match=r"--suite hidden: .*et.jsonl has no such tests; it has --suite extended"):
        await prepared(dataset, "reference")


async def test_the_folder_of_a_run(tmp_path: Path):
    folder = tmp_path / "problems" / "codesim" / "small" / "Python3-0.0-0.95-1" / "Run-1"
    folder.mkdir(parents=True)
    with pytest.raises(
        UsageError, match=r"Run-1' has no config.json: give the Run-n folder of a run of flows/solve.py"
    ):
        await prepared(SAMPLES, folder)
    written(folder / "config.json", {})
    with pytest.raises(UsageError, match=r"Run-1': there is no such file; give JSONL, a Run-n"):
        await prepared(SAMPLES, folder)
    row = {"task_id": "Sample/0", "language": "Python3", "source_codes": ["lantern_code = len"]}
    details = [{"outcome": "error"}]
    written(
        folder / "Results.jsonl", row, {**row, "task_id": "Sample/2", "source_codes": [None], "run_details": details}
    )
    grading = await prepared(SAMPLES, folder, limit=3)
    assert grading.programs == {"Sample/0": [Program("lantern_code = len", "Python3")]}
    assert grading.job.configuration.models == ("codesim-small-Run-1",)
    assert grading.job.warnings == (
        "problems without a program, not graded: 1 (Sample/1)",
        "problems with an attempt that ended in an error, which is not graded: 1 (Sample/2)",
    )


async def test_solutions_that_are_not_there(tmp_path: Path):
    with pytest.raises(
        UsageError, match=r"--solutions 'no.jsonl': there is no such file; give JSONL, a Run-n, or 'ref"
    ):
        await prepared(SAMPLES, "no.jsonl")
    with pytest.raises(UsageError, match="holds no solutions"):
        await prepared(SAMPLES, written(tmp_path / "empty.jsonl"))
    file = written(tmp_path / "mine.jsonl", {"task_id": "Sample/1", "completion": "x"})
    with pytest.raises(UsageError, match=r"none of the chosen problems of .*problems.jsonl has a program"):
        await prepared(SAMPLES, file, limit=1)

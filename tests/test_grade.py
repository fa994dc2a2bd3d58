"""`flows/grade.py` as users run it: suites, limits, languages, isolation, and the programs of a run."""

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

from blocks.bubblewrap import detect_isolation
from tasks.runs import Configuration
from tasks.sandbox.languages import LANGUAGES, missing
from tests.conftest import SAMPLES, Run, solving
from tests.processes import CHECKOUT
from tests.test_solve import assert_refused, summary_of

TWICE = {
    "prompt": 'def twice(number):\n    """Return twice the number."""\n',
    "entry_point": "twice",
    "canonical_solution": "    return 2 * number\n",
    "test": "def check(candidate):\n    assert candidate(3) == 6\n",
    "sample_io": ["assert twice(1) == 2"],
}
EXTENDED = ["assert twice(3) == 6", "assert twice(-1) == -2"]
RIGHT, CARELESS = "def twice(n):\n    return 2 * n\n", "def twice(n):\n    return abs(2 * n)\n"
BROKEN = {**TWICE, "test": "raise RuntimeError('no tests today')\ndef check(candidate):\n    pass\n"}


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def problems(path: Path, *ids: str, without: str = "") -> Path:
    """A dataset of problems that are alike; the one named `without` has no extended tests."""
    return write(
        path,
        [{"task_id": each, **TWICE, **({} if each == without else {"test_case_list": EXTENDED})} for each in ids],
    )


def grading(dataset: Path, solutions: object, output: Path, *more: object) -> list[object]:
    command: list[object] = [CHECKOUT / "flows" / "grade.py", "--dataset", dataset, "--solutions", solutions]
    return [*command, "--output", output, *more]


def the_run(output: Path, pattern: str = "*/grade/*/*/Run-1") -> Path:
    [run] = output.glob(pattern)
    return run


def lines_of(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "Results.jsonl").read_text().splitlines()]


def stored(output: Path, query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(output / "consort.duckdb"), read_only=True) as store:
        return store.execute(query).fetchall()


# Suites


def test_the_extended_suite_has_a_summary_of_its_own(flow: Run, tmp_path: Path) -> None:
    dataset = problems(tmp_path / "twice.jsonl", "T/0", "T/1", "T/2", without="T/2")
    rows = [{"task_id": f"T/{n}", "completion": text} for n, text in enumerate((RIGHT, CARELESS, RIGHT))]
    solutions = write(tmp_path / "mine.jsonl", rows)
    output = tmp_path / "out"
    assert flow(*grading(dataset, solutions, output)).returncode == 0
    ended = flow(*grading(dataset, solutions, output, "--suite", "Extended"))
    assert ended.returncode == 0, ended.stderr
    assert "problems without extended tests, not graded: 1 (T/2)" in ended.stdout
    assert "solved 1 of 2 by the extended tests" in ended.stdout
    hidden, extended = the_run(output), the_run(output, "*/grade/*/*/Run-2")
    assert (summary_of(hidden)["solved"], summary_of(extended)["solved"]) == (3, 1)
    assert [(run / "Summary.txt").exists() for run in (hidden, extended)] == [True, False]
    assert [(run / "Summary-ET.txt").exists() for run in (hidden, extended)] == [False, True]
    assert f"Extended tests of twice on {solutions}" in (extended / "Summary-ET.txt").read_text()
    assert json.loads((extended / "config.json").read_text())["configuration"]["suite"] == "extended"
    passed, failed = lines_of(extended)
    assert (passed["is_solved"], passed["outcome"], failed["is_solved"], failed["outcome"]) == (
        *(True, "passed"),
        *(False, "wrong_answer"),
    )
    assert {test["suite"] for test in failed["tests"]} == {"extended"}
    assert {"outcome", "cpu_seconds", "wall_seconds", "peak_memory", "detail"} <= failed["tests"][0].keys()
    again = flow(*grading(dataset, solutions, output, "--suite", "extended"))  # the same run, for nothing
    assert again.returncode == 0
    assert len(list(output.glob("*/grade/*/*/Run-*"))) == 2


def test_the_programs_of_a_run_are_graded_by_the_extended_tests(flow: Run, tmp_path: Path) -> None:
    dataset = problems(tmp_path / "twice.jsonl", "T/0", "T/1", "T/2", "T/3")
    fences = {"T/0": f"```python\n{RIGHT}```", "T/1": f"```python\n{CARELESS}```", "T/2": "I cannot."}
    replies: list[dict[str, Any]] = [
        *({"problem_id": problem, "stage": "coding", "content": text} for problem, text in fences.items()),
        {"problem_id": "T/3", "stage": "coding", "status": 400, "body": "not this one"},
    ]
    recorded, output = write(tmp_path / "model.jsonl", replies), tmp_path / "out"
    arguments = solving(output, "--strategy", "direct", dataset=dataset, model1=f"recorded:{recorded}", large=False)
    assert flow(*arguments).returncode == 1  # T/3
    run = the_run(output, "*/direct/*/*/Run-1")
    ended = flow(*grading(dataset, run, output, "--suite", "extended"))
    assert ended.returncode == 0, ended.stderr
    assert "an error, which is not graded: 1 (T/3)" in ended.stdout
    graded = the_run(output)
    assert graded.parents[1].name == "direct-model-Run-1"
    assert [(row["task_id"], row["outcome"]) for row in lines_of(graded)] == [
        ("T/0", "passed"),
        ("T/1", "wrong_answer"),
        ("T/2", "bad_reply"),
    ]
    told = (run / "Summary-ET.txt").read_text()
    assert told == (graded / "Summary-ET.txt").read_text()
    assert "Solved:                                      1\n" in told
    assert (run / "Summary.txt").exists()
    assert summary_of(run)["flow"] == "solve"


def test_what_cannot_be_graded_is_one_line(flow: Run, tmp_path: Path) -> None:
    dataset = problems(tmp_path / "twice.jsonl", "T/0")
    solutions = write(tmp_path / "mine.jsonl", [{"task_id": "T/0", "completion": RIGHT}])
    none = problems(tmp_path / "none.jsonl", "T/0", without="T/0")
    output = tmp_path / "out"
    for command, named in (
        (grading(none, "reference", output, "--suite", "extended"), ["--suite extended", str(none)]),
        (grading(dataset, "reference", output, "--suite", "secret"), ["--suite 'secret'", "'hidden' or 'extended'"]),
        (grading(dataset, solutions, output, "--language", "cpp"), ["--language C++", "'T/0'", "function"]),
        (grading(dataset, "reference", output, "--time-limit", "0"), ["--time-limit 0.0", "seconds"]),
        (grading(dataset, tmp_path, output), [str(tmp_path), "config.json", "flows/solve.py"]),
        (grading(dataset, "reference", output, "--isolation", "bubblewrap"), ["bubblewrap", "--isolation auto"]),
    ):
        assert_refused(flow(*command, PATH=str(tmp_path)), named, output)


# Whole programs

LINE = {
    "question": "Say how long a line is.",
    "input_output": '{"inputs": ["abc\\n", ""], "outputs": ["3\\n", "0\\n"]}',
}
PYTHON = "import sys\nprint(len(sys.stdin.readline().rstrip()))\n"
C = """#include <stdio.h>
int main(void) {
    int length = 0;
    for (int c; (c = getchar()) != EOF && c != '\\n';) length++;
    printf("%d\\n", length);
}
"""


def test_whole_programs_of_several_languages(flow: Run, tmp_path: Path) -> None:
    if missing(LANGUAGES["C"], detect_isolation()):
        pytest.skip("there is no C compiler here")
    dataset = write(tmp_path / "line.jsonl", [{"problem_id": f"L/{number}", **LINE} for number in range(4)])
    rows = [
        {"task_id": "L/0", "completion": C},
        {"task_id": "L/1", "completion": PYTHON, "language": "python"},
        {"task_id": "L/2", "completion": C.replace("int c", "c")},
        {"task_id": "L/3", "completion": C.replace("length = 0", "length = 3")},
    ]
    output = tmp_path / "out"
    ended = flow(*grading(dataset, write(tmp_path / "mine.jsonl", rows), output, "--language", "c"))
    assert ended.returncode == 0, ended.stderr
    run = the_run(output)
    assert run.parent.name == "C-1"
    told = {row["task_id"]: (row["outcome"], [test["outcome"] for test in row["tests"]]) for row in lines_of(run)}
    assert told["L/0"] == told["L/1"] == ("passed", ["passed", "passed"])
    assert (told["L/2"][0], told["L/3"][0]) == ("compile_error", "wrong_answer")
    assert stored(output, "SELECT DISTINCT comparison FROM tests WHERE outcome = 'passed'") == [("tokens",)]
    assert stored(output, "SELECT language FROM attempts ORDER BY problem_id") == [
        ("C",),
        ("Python3",),
        ("C",),
        ("C",),
    ]
    for name, extension in (("L_0", "c"), ("L_1", "py")):
        assert (run / "problems" / name / f"final_solution.{extension}").is_file()


def test_a_language_that_the_machine_lacks_is_said_before_the_run(flow: Run, tmp_path: Path) -> None:
    dataset = write(tmp_path / "line.jsonl", [{"problem_id": "L/0", **LINE}])
    solutions = write(tmp_path / "mine.jsonl", [{"task_id": "L/0", "completion": C}])
    command = grading(dataset, solutions, tmp_path / "out", "--language", "C")
    assert_refused(flow(*command, PATH=str(tmp_path)), ["--language C", "gcc"], tmp_path / "out")


# Limits and isolation


def test_limits_are_kept_in_every_row_and_make_another_run(flow: Run, tmp_path: Path) -> None:
    dataset, output = problems(tmp_path / "twice.jsonl", "T/0"), tmp_path / "out"
    limits = ("--time-limit", "5", "--memory-limit", "512", "--output-limit", "64")
    for more in (limits, (*limits, "--isolation", "process", "--eval-workers", "1"), ()):
        assert flow(*grading(dataset, "reference", output, *more)).returncode == 0
    assert sorted(path.name for path in output.glob("*/grade/*/*/Run-*")) == ["Run-1", "Run-2"]
    found = stored(
        output,
        "SELECT round(cpu_limit / scale, 6), round(wall_limit / scale, 6), memory_limit_mb, output_limit_kb, "
        "comparison, isolation IN ('bubblewrap', 'process'), cpu_seconds IS NOT NULL, wall_seconds IS NOT NULL, "
        "peak_memory IS NOT NULL, scale >= 1 FROM tests ORDER BY 1",
    )
    known = ("assertion", True, True, True, True, True)
    assert found == [(5.0, 15.0, 512, 64, *known), (10.0, 30.0, 1024, 1024, *known)]
    configuration = json.loads((the_run(output) / "config.json").read_text())["configuration"]
    assert configuration["limits"] == {
        "cpu_seconds": 5.0,
        "wall_seconds": 15.0,
        "memory_mb": 512,
        "output_kb": 64,
        "time_by_problem": False,
        "memory_by_problem": False,
    }


def test_flags_go_before_a_saved_sandbox(flow: Run, tmp_path: Path) -> None:
    blocks = tmp_path / "blocks.toml"
    blocks.write_text('[sandboxes.small]\nisolation = "process"\ncpu_seconds = 3\nmemory_mb = 300\n')
    assert flow("-m", "blocks.register", blocks).returncode == 0
    dataset, output = problems(tmp_path / "twice.jsonl", "T/0"), tmp_path / "out"
    for more in ((), ("--memory-limit", "400", "--time-limit", "2.5")):
        ended = flow(*grading(dataset, "reference", output, "--sandbox", "small", *more))
        assert ended.returncode == 0, ended.stderr
    found = stored(
        output,
        "SELECT round(cpu_limit / scale, 6), round(wall_limit / scale, 6), memory_limit_mb, isolation FROM tests "
        "ORDER BY 1",
    )
    assert found == [(2.5, 7.5, 400, "process"), (3.0, 9.0, 300, "process")]


def test_a_run_of_before_there_were_suites_and_limits_is_found_again() -> None:
    given: dict[str, Any] = {
        "flow": "solve",
        "dataset": "d",
        "dataset_hash": "h",
        "strategy": "s",
        "strategy_hash": "x",
        "prompts": {},
        "models": ("m",),
        "references": ("r",),
        "pools": ("p",),
        "stages": {},
        "language": "Python3",
        "temperature": 0.0,
        "top_p": None,
        "max_tokens": None,
        "samples": 1,
    }
    old = "abc4abad45c0824acc25ba490229dee29a48b4c20aca4012440a1909bbaa011d"
    assert Configuration(**given).digest() == old
    others = [Configuration(**given, suite="extended"), Configuration(**given, limits={"memory_mb": 512})]
    assert len({old, *(other.digest() for other in others)}) == 3


def test_without_bubblewrap_one_line_warns_and_everything_is_marked(flow: Run, tmp_path: Path) -> None:
    """A PATH without any program is a machine without bubblewrap."""
    dataset, output = problems(tmp_path / "twice.jsonl", "T/0"), tmp_path / "out"
    ended = flow(*grading(dataset, "reference", output, "--verbose", "0"), PATH=str(tmp_path))
    assert ended.returncode == 0, ended.stderr
    warnings = [line for line in ended.stderr.splitlines() if "process isolation" in line]
    assert len(warnings) == 1
    assert warnings[0].startswith("warning: ") and "install it (apt-get install bubblewrap)" in warnings[0]
    run = the_run(output)
    assert summary_of(run)["isolation"] == "process"
    for name in ("Summary.txt", "REPORT.txt"):
        assert "process (limits and a system-call filter, but no namespaces)" in (run / name).read_text()
    assert "isolation: process" in ended.stdout
    for table in ("executions", "attempts", "tests"):
        assert stored(output, f"SELECT DISTINCT isolation FROM {table}") == [("process",)]
    asked = flow(*grading(dataset, "reference", tmp_path / "asked", "--isolation", "process"))
    assert (asked.returncode, asked.stderr) == (0, "")  # what was asked for is no news


def test_with_bubblewrap_nothing_is_marked(flow: Run, tmp_path: Path) -> None:
    if detect_isolation() != "bubblewrap":
        pytest.skip("bubblewrap is missing or refused here")
    output = tmp_path / "out"
    ended = flow(*grading(SAMPLES, "reference", output))
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "isolation" not in ended.stdout
    assert summary_of(the_run(output))["isolation"] == "bubblewrap"


def test_tests_that_do_not_load_are_an_error_and_no_failure_of_the_program(flow: Run, tmp_path: Path) -> None:
    dataset = write(tmp_path / "twice.jsonl", [{"task_id": "T/0", **TWICE}, {"task_id": "T/1", **BROKEN}])
    output = tmp_path / "out"
    ended = flow(*grading(dataset, "reference", output))
    assert ended.returncode == 1
    assert "attempts that ended in an error: 1" in ended.stderr
    run = the_run(output)
    summary = summary_of(run)
    assert [summary[name] for name in ("problems", "solved", "unsolved", "errors")] == [2, 1, 0, 1]
    assert stored(output, "SELECT problem_id, outcome, error_kind FROM attempts WHERE solved IS NULL") == [
        ("T/1", "error", "harness_error")
    ]
    assert stored(output, "SELECT DISTINCT problem_id FROM tests") == [("T/0",)]
    assert "errors 1 (harness_error 1)" in (run / "REPORT.txt").read_text()
    assert [(row["is_solved"], row["tests"]) for row in lines_of(run)][1] == (None, [])

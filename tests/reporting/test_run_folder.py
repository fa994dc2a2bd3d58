"""The run folder from rows written by hand: what is in it, what a later execution leaves alone, what is read."""

import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from blocks.records import CallRow
from blocks.spool import spool_folder
from tasks.reporting.run_folder import write_run_folder
from tests.reporting.rows import RUN, Execution


def written(output: Path, asked: list[str] | None = None) -> Path:
    """Write the folder of the run; `asked` hears of each statement that is needed."""
    folder = output / "Run-1"
    folder.mkdir(exist_ok=True)

    def statement_of(problem_id: str) -> str:
        if asked is not None:
            asked.append(problem_id)
        return f"Solve {problem_id}."

    write_run_folder(output, folder, RUN, statement_of)
    return folder


def history(folder: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((folder / "session_history.json").read_text())
    return told


def results(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "Results.jsonl").read_text().split("\n")[:-1]]


def files(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every file below a folder: which one it is on the disk, and its content."""
    return {
        str(path.relative_to(folder)): (path.stat().st_ino, path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def contents(folder: Path) -> dict[str, bytes]:
    return {name: content for name, (_, content) in files(folder).items()}


def test_the_rounds_of_a_problem_are_files_and_history(tmp_path: Path) -> None:
    with Execution(tmp_path) as rows:
        rows.run(strategy="self_collaboration")
        rows.call("P/1", "analyst", 1)
        rows.round("P/1", 0, "def f(): ...", plan="1. Begin", tests="assert f()", report="1 of 2 passed.")
        rows.round("P/1", 1, "def f(): return 1", plan="1. Begin")
        rows.attempt("P/1", True, program="def f(): return 1")
    folder = written(tmp_path) / "problems" / "P_1"
    assert contents(folder).keys() == {
        "problem_statement.txt",
        "final_solution.py",
        "session_history.json",
        "round_0/code_iteration.py",
        "round_0/report_iteration.txt",
        "round_1/code_iteration.py",  # and no report: nothing was run
    }
    assert (folder / "problem_statement.txt").read_text() == "Solve P/1."
    assert (folder / "final_solution.py").read_text() == "def f(): return 1"
    assert (folder / "round_0" / "report_iteration.txt").read_text() == "1 of 2 passed."
    told = history(folder)
    assert told["plan"] == "1. Begin"
    assert told["Round_0"] == {"code": "def f(): ...", "report": "1 of 2 passed.", "tests": "assert f()"}
    assert told["Round_1"] == {"code": "def f(): return 1"}
    assert (told["solved"], told["outcome"], told["sample"]) == (True, "passed", 0)
    assert [call["stage"] for call in told["calls"]] == ["analyst"]
    assert told["calls"][0]["messages"] == [{"role": "user", "content": "analyst of P/1"}]


def test_the_last_plan_is_that_of_the_history_and_others_stay_with_their_rounds(tmp_path: Path) -> None:
    with Execution(tmp_path) as rows:
        rows.run()
        for number, plan in enumerate(["first", "second", "second", None]):
            rows.round("P/1", number, f"# {number}", plan=plan)
        rows.round("P/2", 0, "# 0")
        rows.attempt("P/1", False)
        rows.attempt("P/2", False, program=None)
    problems = written(tmp_path) / "problems"
    told = history(problems / "P_1")
    assert told["plan"] == "second"
    assert [told[f"Round_{number}"].get("plan") for number in range(4)] == ["first", None, None, None]
    assert "plan" not in history(problems / "P_2")
    assert not (problems / "P_2" / "final_solution.py").exists()


def test_a_run_without_texts_tells_counts_and_programs(tmp_path: Path) -> None:
    with Execution(tmp_path) as rows:
        rows.run()
        rows.call("P/1", "coding", 1, keep_text=False, messages=None)
        rows.round("P/1", 0, "def f(): ...", report="2 of 2 sample tests passed.")
        rows.attempt("P/1", True)
    folder = written(tmp_path)
    told = history(folder / "problems" / "P_1")
    assert told["Round_0"] == {"code": "def f(): ...", "report": "2 of 2 sample tests passed."}
    assert told["calls"][0]["prompt_tokens"] == 100
    assert not {"messages", "reply"} & told["calls"][0].keys()
    [row] = results(folder)
    assert "details" not in row["run_details"][0]
    assert row["run_details"][0]["model1_prompt_tokens"] == 100
    assert b"reply to" not in b"".join(contents(folder).values())


def test_a_strategy_that_runs_nothing_on_the_way_has_one_round(tmp_path: Path) -> None:
    with Execution(tmp_path) as rows:
        rows.run(strategy="direct")
        rows.call("P/1", "coding", 1)
        rows.attempt("P/1", True, program="def f(): return 1")
        rows.call("P/2", "coding", 1)
        rows.attempt("P/2", False, program=None, outcome="bad_reply", error_kind="bad_reply")
        rows.attempt("P/3", True)  # whose program no model was asked for
    problems = written(tmp_path) / "problems"
    assert (problems / "P_1" / "round_0" / "code_iteration.py").read_text() == "def f(): return 1"
    assert history(problems / "P_1")["Round_0"] == {"code": "def f(): return 1"}
    assert not list(problems.glob("P_[23]/round_*"))


def some_attempts(rows: Execution, *problems: str, samples: int = 2) -> None:
    for problem_id in problems:
        for sample in range(samples):
            rows.call(problem_id, "coding", 1 + sample, sample=sample)
            rows.round(problem_id, 0, f"# {problem_id} {sample}", sample=sample, report="1 of 1 passed.")
            rows.attempt(problem_id, sample == 1, sample=sample)


def test_a_later_execution_writes_what_it_has_touched_and_nothing_else(tmp_path: Path) -> None:
    with Execution(tmp_path) as rows:
        rows.run(samples=2)
        some_attempts(rows, "P/2", "P/10", "P/1")
        rows.attempt("P/3", None, sample=0, program=None, error_kind="rate_limited")
    asked: list[str] = []
    folder = written(tmp_path, asked)
    assert asked == ["P/1", "P/2", "P/3", "P/10"]
    before = files(folder)
    assert written(tmp_path, asked) == folder
    assert len(asked) == 4
    assert {name: one for name, one in files(folder).items() if name.startswith("problems")} == {
        name: one for name, one in before.items() if name.startswith("problems")
    }

    with Execution(tmp_path, "second", began=100) as rows:
        rows.run(samples=2)
        some_attempts(rows, "P/3")
    written(tmp_path, asked)
    assert asked[4:] == ["P/3"]
    after = files(folder)
    touched = {name for name, one in after.items() if before.get(name) != one}
    assert {name.split("/")[1] for name in touched if name.startswith("problems")} == {"P_3"}
    assert history(folder / "problems" / "P_3" / "sample_0")["outcome"] == "wrong_answer"

    whole = tmp_path / "whole"
    whole.mkdir()
    write_run_folder(tmp_path, whole, RUN, "Solve {}.".format)
    assert contents(whole) == contents(folder)


def test_an_execution_that_was_killed_while_it_wrote_is_made_up_for(tmp_path: Path) -> None:
    with Execution(tmp_path) as rows:
        rows.run(samples=2)
        some_attempts(rows, "P/1", "P/2")
    folder = written(tmp_path)
    known = contents(folder)
    with Execution(tmp_path, "second", began=100) as rows:
        rows.run(samples=2)
        some_attempts(rows, "P/2")
    (folder / "Results.jsonl").unlink()  # as while it is written
    (folder / "problems" / "P_1" / "sample_0" / "session_history.json").unlink()
    asked: list[str] = []
    written(tmp_path, asked)
    assert asked == ["P/1", "P/2"]
    made = contents(folder)
    assert made.keys() == known.keys()
    assert [row["task_id"] for row in results(folder)] == ["P/1", "P/2"]
    sample = "problems/P_1/sample_0/session_history.json"
    assert made[sample] == known[sample]
    assert history(folder / "problems" / "P_2" / "sample_0")["execution_id"] == "second"


def test_the_latest_row_of_a_key_counts_and_what_is_no_row_does_not(tmp_path: Path) -> None:
    with Execution(tmp_path, "z", began=100) as rows:  # later, though its files come first
        rows.run()
        rows.call("P/1", "coding", 5, call_key="a", reply="new")
        rows.call("P/1", "coding", 6, call_key="failed", error_kind="rate_limited", reply=None)
        rows.round("P/1", 0, "# new")
        rows.attempt("P/1", True, program="# new")
    with Execution(tmp_path, "a") as rows:
        rows.call("P/1", "coding", 5, call_key="a", reply="old")
        rows.call("P/1", "planning", 2, call_key="b", reply="before it")
        rows.round("P/1", 0, "# old")
        rows.attempt("P/1", None, program="# old")
    for table in ("calls", "programs", "attempts"):
        for path in (spool_folder(tmp_path, RUN) / table).glob("*.jsonl"):
            with path.open("ab") as file:
                file.write(
                    b'{"run_id":"r","problem_id":"P/1","sample":0,"broken\n{"problem_id":"P/1","sample":0}\n{"r'
                )
    folder = written(tmp_path)
    told = history(folder / "problems" / "P_1")
    assert [call["reply"] for call in told["calls"]] == ["before it", "new"]
    assert told["Round_0"]["code"] == "# new"
    assert [row["source_codes"] for row in results(folder)] == [["# new"]]


ODD_IDS = ['quote"', 'a", "b', "back\\slash", "tab\there", "é 𠀀", "\x00", "\u2028", "{", "a/b", "a_b", ""]


def test_ids_of_any_kind_are_found_again_in_spool_and_results(tmp_path: Path) -> None:
    for turn, name in enumerate(["first", "second"]):
        with Execution(tmp_path, name, began=100 * turn) as rows:
            rows.run()
            some_attempts(rows, *ODD_IDS[:: 2 if turn else 1], samples=1)
        folder = written(tmp_path)
        found = {row["task_id"]: row for row in results(folder)}
        assert found.keys() == set(ODD_IDS)
        for problem_id, row in found.items():
            assert row["source_codes"] == [f"# {problem_id}\n"]
            assert [call["reply"] for call in row["run_details"][0]["details"]][
                -1
            ] == f"reply to coding of {problem_id}"
    told = [history(path.parent) for path in folder.rglob("session_history.json")]
    assert {each["problem_id"] for each in told} == set(ODD_IDS)
    assert {each["problem_id"] for each in told if each["execution_id"] == "second"} == set(ODD_IDS[::2])


def test_graded_solutions_have_a_row_each_with_their_tests(tmp_path: Path) -> None:
    with Execution(tmp_path) as rows:
        rows.run(flow="grade", samples=2, strategy="grade")
        for sample in range(2):
            for number in (1, 0):
                rows.test("P/1", number, "passed" if number else "wrong_answer", sample=sample, detail=f"{sample}")
            rows.attempt("P/1", False, sample=sample)
        rows.attempt("P/2", True)
    for _ in range(2):
        folder = written(tmp_path)
        assert [(row["task_id"], row["sample"], len(row["tests"])) for row in results(folder)] == [
            ("P/1", 0, 2),
            ("P/1", 1, 2),
            ("P/2", 0, 0),
        ]
        (folder / "problems" / "P_2" / "sample_0" / "session_history.json").unlink()
    [first, second, _] = results(folder)
    assert [test["outcome"] for test in first["tests"]] == ["wrong_answer", "passed"]
    assert second["tests"][0]["detail"] == "1"


def test_texts_are_in_memory_for_one_problem_at_a_time(tmp_path: Path) -> None:
    size, problems = 500_000, 40
    with Execution(tmp_path) as rows:
        rows.run(samples=1)
        for number in range(problems):
            rows.call(f"P/{number}", "coding", number, reply=chr(ord("a") + number % 26) * size)
            rows.attempt(f"P/{number}", True)
    spooled = sum(path.stat().st_size for path in (spool_folder(tmp_path, RUN) / CallRow.table).glob("*"))
    assert spooled > problems * size
    tracemalloc.start()
    try:
        folder = written(tmp_path)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (folder / "Results.jsonl").stat().st_size > problems * size
    assert most < 16 * size  # some copies of one problem's texts, of 40


@pytest.mark.parametrize("samples", [1, 3])
def test_a_run_with_no_attempt_has_a_folder_too(tmp_path: Path, samples: int) -> None:
    with Execution(tmp_path) as rows:
        rows.run(samples=samples)
    folder = written(tmp_path)
    summary = json.loads((folder / "summary.json").read_text())
    assert (summary["problems"], summary["test_accuracy"], summary["tokens_per_problem"]) == (0, None, None)
    assert results(folder) == []

"""REPORT.txt and Summary.txt: every number with what it is of, and nothing unknown as zero."""

import re
from pathlib import Path
from typing import Any

from blocks.database import load_run
from tasks.reporting.run_folder import write_run_folder
from tasks.reporting.summary import Summary, figures
from tasks.reporting.tables import run_page
from tests.reporting.rows import RUN, Execution, at


def texts(output: Path) -> tuple[Summary, dict[str, str], list[str]]:
    """The summary, REPORT.txt's lines by their names, and its lines of attempts."""
    folder = output / "Run-1"
    folder.mkdir()
    summary = write_run_folder(output, folder, RUN, str)
    head, _, attempts = (folder / "REPORT.txt").read_text().partition("\n\n")[2].partition("\n\n")
    named, name = dict[str, str](), ""
    for line in head.splitlines():
        name = line[:12].strip() or f"below {name}"
        named[name] = line[12:].strip()
    return summary, named, attempts.splitlines()


def two_attempts(rows: Execution, **more: Any) -> None:
    for problem_id, solved in (("P/1", True), ("P/2", False)):
        rows.call(problem_id, "coding", 1 if solved else 11, finished_at=at(10 if solved else 36), **more)
        began, ended = (at(30), at(36)) if solved else (at(36), at(40))
        rows.attempt(problem_id, solved, grading_started_at=began, finished_at=ended)


def test_a_report_says_what_its_numbers_are_of(tmp_path: Path) -> None:
    with Execution(tmp_path) as rows:
        rows.run(configuration='{"parameters": {"max_round": 4, "tester": "audits"}}')
        two_attempts(rows)
    summary, said, attempts = texts(tmp_path)
    assert said["Solved"] == "1 of 2 (50.0 %), errors 0"
    assert said["pass@1"] == "50.0 %"
    assert said["Accuracy"] == "62.5 % of its tests passed by an attempt, on average"
    assert said["Started"] == "2026-01-02 03:00:00 UTC"
    assert said["Time"] == "60.0 s in the last execution"
    assert said["generation"] == "34.0 s (77.3 %)"  # of 34 + 10 seconds
    assert said["evaluation"] == "10.0 s (22.7 %)"
    assert "two together" in said["below evaluation"]
    assert said["Tokens"] == "220 (200 prompt, 20 completion), 110.0 a problem"
    assert said["Cost"] == "0.5000 USD"
    assert said["Workers"] == "16 that generate, 2 that grade"
    assert said["Parameters"] == "max_round 4, tester audits"
    assert attempts == [
        "PASS   P/1  passed, 1 calls, 110 tokens, accuracy 100.0 %",
        "FAIL   P/2  wrong_answer, 1 calls, 110 tokens, accuracy 25.0 %",
    ]
    assert (summary.tokens_per_problem, summary.test_accuracy) == (110.0, 62.5)


def test_what_is_unknown_is_said_to_be(tmp_path: Path) -> None:
    with Execution(tmp_path) as rows:
        rows.run()
        rows.call("P/1", "coding", 1, cost=None, completion_tokens=None)
        rows.attempt("P/1", None, tests=0, tests_passed=0, error_kind="rate_limited")
    summary, said, attempts = texts(tmp_path)
    assert said["Solved"] == "0 of 1 (0.0 %), errors 1 (rate_limited 1)"
    assert (said["pass@1"], said["Accuracy"], said["Cost"]) == ("unknown", "unknown", "unknown")
    assert (said["generation"], said["evaluation"]) == ("1.0 s", "unknown")
    assert said["Tokens"] == "unknown, unknown a problem"
    assert said["below Tokens"] == "without 1 calls for which the server gave no counts"
    assert "Parameters" not in said
    assert attempts == ["ERROR  P/1  error, 1 calls, unknown tokens, accuracy unknown"]
    assert (summary.tokens_per_problem, summary.test_accuracy, summary.cost_usd) == (None, None, None)


def test_any_of_k_is_labelled_wherever_it_stands(tmp_path: Path) -> None:
    with Execution(tmp_path) as rows:
        rows.run(samples=2, configuration='{"until_solved": true}')
        rows.attempt("P/1", True)
        rows.attempt("P/2", False)
        rows.attempt("P/2", False, sample=1)
    summary, said, attempts = texts(tmp_path)
    assert (said["any of 1"], said["any of 2"]) == ("50.0 %", "50.0 %")
    assert said["below any of 2"].startswith("any of k: problems that one of their first k samples solved")
    assert not [name for name in said if name.startswith("pass@")]
    assert attempts[2] == "FAIL   P/2, sample 1  wrong_answer, 0 calls, 0 tokens, accuracy 25.0 %"
    text = (tmp_path / "Run-1" / "Summary.txt").read_text()
    assert re.search(r"^any of 2: +50\.0\n  \(any of k: problems that", text, re.MULTILINE)
    assert "pass@" not in text
    assert {name: value for name, value in figures(summary).items() if " " in name or "@" in name} == {
        "any of 1": 50.0,
        "any of 2": 50.0,
    }
    with load_run(tmp_path, RUN) as db:
        page = run_page(db, RUN)
    facts = {table.title: {row[0]: row[1] for row in table.rows} for table in page.tables}
    assert facts["Summary"]["any of 2"] == "50.0 %"
    assert "pass@1" not in facts["Summary"]
    assert "samples 2 at most, until one passes" in str(facts["Run"]["parameters"])
    assert [table.note.startswith("Any of k:") for table in page.tables if table.title == "Summary"] == [True]


def test_flows_without_tests_say_nothing_of_them(tmp_path: Path) -> None:
    with Execution(tmp_path) as rows:
        rows.run(flow="judge", strategy="judge")
        rows.call("P/1", "planner", 1)
        rows.attempt("P/1", True, tests=0, tests_passed=0, outcome="judged")
    summary, said, attempts = texts(tmp_path)
    assert not {"pass@1", "Accuracy"} & said.keys()
    assert attempts == ["PASS   P/1  judged, 1 calls, 110 tokens"]
    assert summary.test_accuracy is None


def test_averages_are_of_the_attempts_that_ended(tmp_path: Path) -> None:
    """A model that is spent leaves calls of attempts that come to their end in a later execution."""
    with Execution(tmp_path) as rows:
        rows.run()
        two_attempts(rows)
        for second in (20, 21, 22):
            rows.call("P/3", "planning", second)
    summary, said, _ = texts(tmp_path)
    assert (summary.api_calls, summary.prompt_tokens, summary.tokens_per_problem) == (5, 500, 110.0)
    assert said["Tokens"] == "550 (500 prompt, 50 completion), 110.0 a problem"
    lines = [line.split(":") for line in (tmp_path / "Run-1" / "Summary.txt").read_text().splitlines() if ":" in line]
    numbers = {name: value.strip() for name, value, *_ in lines}
    assert (numbers["Total Api Calls"], numbers["Of Attempts Not Ended"]) == ("5", "3")
    assert (numbers["Average Api Calls"], numbers["Average Prompt Tokens"]) == ("1.0", "100.0")

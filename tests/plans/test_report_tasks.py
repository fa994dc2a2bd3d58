"""`report.py tasks`: how steps are shared out at any threshold, and what is refused."""

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from blocks.errors import UsageError
from tasks.reporting.pages import Page
from tasks.reporting.plans.dataset_report import write_dataset
from tasks.reporting.plans.tasks import check_threshold, read_results, tasks_page
from tasks.reporting.terminal import print_page
from tests.conftest import Run
from tests.plans.rows import NAMES, ROLES, answer, planned, step
from tests.processes import CHECKOUT

FIRST = planned(
    step(1, difficulty=2, seconds=1, completion_tokens=10),
    step(2, difficulty=5, seconds=3, completion_tokens=30, size="large"),
    step(3, difficulty=5, seconds=5, completion_tokens=50, size="large"),
)
SECOND = planned(
    step(1, difficulty=9, seconds=7, completion_tokens=None, size="large"),
    step(2, difficulty=9, seconds=60, completion_tokens=None, size="large", result=None, error="no answer"),
    problem_id="q2",
)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    alone = FIRST._replace(answer=answer(problem_id="q3", fallback="direct"), steps=())
    write_dataset(tmp_path, [FIRST, SECOND, alone], dataset="mini", roles=ROLES, names=NAMES, asked=3)
    return tmp_path / "dataset_results.json"


def rows(page: Page, title: str) -> list[tuple[Any, ...]]:
    [table] = [table for table in page.tables if table.title.startswith(title)]
    return list(table.rows)


def test_how_steps_were_and_would_be_shared_out(results):
    page = tasks_page(read_results(results), 5)
    assert page.title == "Steps of plans: 5, in 2 of 3 questions"
    assert page.marks == ()
    assert rows(page, "As it was") == [("small", 1, 20.0, 10.0, 1.0), ("large", 4, 80.0, 40.0, 5.0)]
    assert rows(page, "By difficulty, at threshold 5") == [
        ("2", "small", 1, 20.0, 10.0, 1.0, 1, 0),
        ("5", "large", 2, 40.0, 40.0, 4.0, 0, 2),
        ("9", "large", 2, 40.0, None, 7.0, 0, 2),
    ]
    assert rows(page, "At each threshold") == [
        ("1", 0, 5, 100.0, "+1"),
        ("2", 0, 5, 100.0, "+1"),
        ("3", 1, 4, 80.0, "0"),
        ("4", 1, 4, 80.0, "0"),
        ("5 (asked for)", 1, 4, 80.0, "0"),
        *((str(each), 3, 2, 40.0, "-2") for each in (6, 7, 8, 9)),
        ("10", 5, 0, 0.0, "-4"),
        ("as it was", 1, 4, 80.0, "0"),
    ]


def test_another_threshold(results):
    page = tasks_page(read_results(results), 5.5)
    assert [row[1] for row in rows(page, "By difficulty, at threshold 5.5")] == ["small", "small", "large"]
    assert rows(page, "At each threshold")[5] == ("5.5 (asked for)", 3, 2, 40.0, "0")
    assert rows(page, "At each threshold")[-1] == ("as it was", 1, 4, 80.0, "+2")
    assert rows(tasks_page(read_results(results), 0), "At each threshold")[0] == ("0 (asked for)", 0, 5, 100.0, "0")


def test_results_of_another_version_that_say_less(tmp_path):
    told = [{"problem_id": "1", "recorded": True, "steps": [{"difficulty": 3, "seconds": 1.5}], "more": {}}]
    (tmp_path / "x.json").write_text(json.dumps(told))
    page = tasks_page(read_results(tmp_path / "x.json"), 5)
    assert page.marks == ("recorded replies: no model was asked",)
    assert rows(page, "As it was") == [("unknown", 1, 100.0, None, 1.5)]
    assert rows(page, "By difficulty")[0][-2:] == (None, None)
    assert rows(page, "At each threshold")[-1][0] == "10", "how it was is not known"


def test_the_folder_of_a_run_will_do(results):
    assert read_results(results.parent) == read_results(results)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "there is no such file"),
        ("", "no results of plans"),
        ("{", "no results of plans"),
        ('{"steps": []}', "no results of plans"),
        ('[{"problem_id": "1"}]', "no results of plans"),
        ('[{"problem_id": "1", "steps": [{"difficulty": "hard"}]}]', "no results of plans"),
        ("[]", "no step of a plan"),
        ('[{"problem_id": "1", "steps": []}]', "no step of a plan"),
        ("\udcff", "no results of plans"),
    ],
)
def test_what_is_no_results(tmp_path, content, said):
    path = tmp_path / "x.json"
    if content is not None:
        path.write_text(content, errors="surrogateescape")
    with pytest.raises(UsageError, match=said) as refused:
        read_results(path)
    assert "\n" not in str(refused.value)
    assert "dataset_results.json" in str(refused.value)


@pytest.mark.parametrize("threshold", [-1, 10.5, 11, float("nan"), float("inf")])
def test_thresholds_that_are_none(threshold):
    with pytest.raises(UsageError, match="from 0 to 10"):
        check_threshold(threshold)


def test_thresholds_that_are_some():
    for threshold in (0, 5, 5.5, 10):
        check_threshold(threshold)


@pytest.mark.parametrize("width", [60, 80, 140])
def test_the_terminal_shows_it_all(results, width):
    said = io.StringIO()
    print_page(tasks_page(read_results(results), 5), Console(file=said, width=width))
    assert max(map(len, said.getvalue().splitlines())) <= width
    assert "5 (asked for)" in said.getvalue()


def test_bad_input_is_one_line_and_exit_2(results, tmp_path):
    for arguments, said in (
        ((), "--results requires an argument"),
        ((tmp_path / "none.json",), "there is no such file"),
        ((results, "--threshold", "11"), "give a number from 0 to 10"),
        ((results, "--threshold", "high"), "threshold"),
    ):
        done = subprocess.run(
            [sys.executable, "flows/report.py", "tasks", *map(str, arguments)],
            cwd=CHECKOUT, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stdout) == (2, ""), done
        assert said in done.stderr
        assert done.stderr.count("\n") == 1


def test_the_command(results: Path, flow: Run):
    for arguments in ((results,), ("--results", results)):
        done = flow("flows/report.py", "tasks", *arguments, "--threshold", 6, COLUMNS="80")
        assert done.returncode == 0, done.stderr
        assert "6 (asked for)" in done.stdout

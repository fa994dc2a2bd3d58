"""Reports: the numbers of a store written by hand, what both renderers make of them, and bad input."""

import io
import json
import os
import re
import subprocess
import sys
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from blocks.database import StoreLocked, ingest
from blocks.errors import UsageError
from blocks.records import AttemptRow, CallRow, ExecutionRow, Message, ProgramRow, Row, RunRow, TestRow
from blocks.spool import Spool, store_file
from flows import report as flow_file
from tasks.reporting import queries, store_queries
from tasks.reporting.markdown import escaped, page_markdown, write_page
from tasks.reporting.pages import Column, Page, Table, shown
from tasks.reporting.report_text import Worked, report_text
from tasks.reporting.tables import run_page, runs_page
from tasks.reporting.terminal import print_page
from tasks.reporting.texts import summary_text

ROOT = Path(__file__).parents[1]
START = datetime(2026, 1, 2, 3, 0, tzinfo=UTC)
RUN = "aaaa1111-0000-4000-8000-000000000001"
OTHER = "aaaa2222-0000-4000-8000-000000000002"
PROCESS = "isolation: process (limits and a system-call filter, but no namespaces)"
LONG = "a-model-with-a-name|that-is-longer-than-any-column-of-a-terminal-of-eighty-columns"


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


class Writer:
    """Rows of one execution of one run, with what the tests do not look at filled in."""

    def __init__(self, output: Path, run_id: str, execution_id: str = "first") -> None:
        self.run_id, self.execution_id = run_id, execution_id
        self.spool = Spool(output, run_id, execution_id)
        self.calls = 0

    def run(self, models: list[str], *, problems: int, created: float = 0, **fields: Any) -> None:
        self.write(
            RunRow,
            flow="solve",
            dataset="mini",
            strategy="codesim",
            models=models,
            language="Python3",
            temperature=0.0,
            top_p=None,
            samples=1,
            problems=problems,
            configuration='{"pools": ["recorded:a.jsonl@' + 64 * "0" + '"], "stages": {"debugging": [1, 2]}}',
            folder="results/mini/Run-1",
            created_at=at(created),
            **fields,
        )

    def execution(self, started: float, wall: float | None, status: str, isolation: str = "process") -> None:
        self.write(
            ExecutionRow,
            execution_id=self.execution_id,
            flow_run_id=None,
            flow_run_name=None,
            status=status,
            isolation=isolation,
            workers=16,
            eval_workers=2,
            wall_seconds=wall,
            started_at=at(started),
            finished_at=None if wall is None else at(started + wall),
        )

    def call(self, problem_id: str, stage: str, start: float, prompt: str | None = "new", **fields: Any) -> None:
        self.calls += 1
        text = f"prompt {self.calls}" if prompt == "new" else prompt
        defaults = {
            "ordinal": self.calls,
            "model_number": 1,
            "prompt_tokens": 100,
            "completion_tokens": 10,
            "cost": 0.25,
            "currency": "USD",
            "seconds": 1.0,
            "keep_text": text is not None,
            "messages": None if text is None else [Message(role="user", content=text)],
        }
        self.write(
            CallRow,
            call_key=f"{self.execution_id}-{self.calls}",
            problem_id=problem_id,
            sample=0,
            stage=stage,
            execution_id=self.execution_id,
            pool="pool",
            endpoint="endpoint",
            model="served",
            started_at=at(start),
            finished_at=at(start + 1),
            **{**defaults, **fields},
        )

    def program(self, problem_id: str, number: int, passed: int, samples: int, written: float) -> None:
        self.write(
            ProgramRow,
            written_at=at(written),
            problem_id=problem_id,
            sample=0,
            round=number,
            stage="coding",
            program="pass",
            samples=samples,
            samples_passed=passed,
            report="",
        )

    def attempt(self, problem_id: str, solved: bool | None, outcome: str, **fields: Any) -> None:
        self.write(
            AttemptRow,
            problem_id=problem_id,
            sample=0,
            execution_id=self.execution_id,
            task_run_id=None,
            outcome=outcome,
            solved=solved,
            started_at=at(0),
            finished_at=at(60),
            **fields,
        )

    def test(self, number: int, outcome: str, **fields: Any) -> None:
        defaults = {"problem_id": "P/1", "sample": 0, "suite": "hidden", "isolation": "process"}
        self.write(TestRow, test=number, outcome=outcome, execution_id=self.execution_id, **{**defaults, **fields})

    def write(self, row: type[Row], **fields: Any) -> None:
        self.spool.append(row.model_validate({"run_id": self.run_id, **fields}))


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs: RUN is of two models, with an execution that was killed; OTHER is recorded, later and unfinished."""
    output = tmp_path_factory.mktemp("output")
    killed = Writer(output, RUN, "killed")
    killed.execution(0, None, "running")
    killed.call("P/1", "planning", 1, seconds=1.0, ttft=0.5)
    rows = Writer(output, RUN)
    rows.run(["small", LONG], problems=5)
    rows.execution(50, 20.5, "incomplete")
    rows.call("P/1", "coding", 51, seconds=3.0)
    rows.program("P/1", 0, 1, 2, 52.5)
    rows.call("P/1", "debugging", 53, model_number=2, cost=None, prompt_tokens=None, seconds=2.0)
    rows.program("P/1", 1, 2, 2, 55)
    rows.attempt("P/1", True, "passed")
    rows.call("P/2", "coding", 51, prompt="same")
    rows.call("P/2", "coding", 52, prompt="same")
    rows.program("P/2", 0, 0, 0, 53.5)
    rows.call("P/2", "coding", 54, prompt="same")
    rows.attempt("P/2", False, "wrong_answer")
    rows.attempt("P/10", False, "wrong_answer")
    rows.attempt("P/3", False, "bad_reply", error_kind="bad_reply", error="no program")
    rows.call("P/4", "planning", 51, error_kind="rate_limited", status=429, error="slow | down", cost=None)
    rows.attempt("P/4", None, "error", error_kind="rate_limited", error="slow | [down]\nnow \x1b[31m")
    other = Writer(output, OTHER)
    other.run(["small"], problems=9)
    other.execution(100, None, "running")
    other.call("P/1", "coding", 101, prompt=None, recorded=True, cost=None)
    other.attempt("P/1", True, "passed")
    for writer in (killed, rows, other):
        writer.spool.close()
    return output


@pytest.fixture
def store(output: Path):
    with store_queries.open_store(output).db as db:
        yield db


def table_of(page: Page, title: str) -> list[dict[str, Any]]:
    [table] = [table for table in page.tables if table.title == title]
    return [dict(zip((column.name for column in table.columns), row, strict=True)) for row in table.rows]


def facts_of(page: Page, title: str) -> dict[Any, Any]:
    [table] = [table for table in page.tables if table.title == title]
    return {row[0]: row[1] for row in table.rows}


def terminal(page: Page, width: int = 80) -> str:
    text = io.StringIO()
    print_page(page, Console(file=text, width=width))
    return text.getvalue()


def test_a_run_says_what_it_is(store):
    about = facts_of(run_page(store, RUN), "Run")
    assert about["run"] == RUN
    assert about["model 1"] == "small, recorded:a.jsonl@00000000"
    assert about["model 2"] == LONG
    assert about["stages"] == "debugging: model 1, 2 by try; the others: model 1"
    assert about["parameters"] == "temperature 0.0, top_p the server's own, max_tokens the server's own, samples 1"
    assert about["made"] == "2026-01-02 03:00:00 UTC"


def test_executions_tell_killed_from_running_and_who_paid(store):
    killed, last = table_of(run_page(store, RUN), "Executions")
    assert (killed["status"], killed["seconds"], killed["new calls"]) == ("killed", None, 1)
    assert (last["status"], last["seconds"], last["new calls"]) == ("incomplete", 20.5, 5)
    assert table_of(run_page(store, OTHER), "Executions")[0]["status"] == "running or killed"


def test_the_summary_is_that_of_the_run_folder(store):
    said = facts_of(run_page(store, RUN), "Summary")
    summary = queries.summary(store, RUN)
    assert (summary.problems, summary.solved, summary.unsolved, summary.errors) == (5, 1, 3, 1)
    assert [said[name] for name in ("problems", "solved", "unsolved", "errors")] == ["5", "1", "3", "1"]
    assert said["accuracy"] == "20.0 %"
    assert said["calls"] == "6"
    assert said["paid for before the last execution"] == "1 calls"
    assert said["prompt tokens"] == "500"
    assert said["cost (USD)"] == "unknown"
    assert said["last execution"] == "20.50 s"
    assert "pass@1" not in said
    assert facts_of(run_page(store, OTHER), "Summary (recorded)")["problems"] == "1, of 9 asked for"


def test_models_and_latency(store):
    page = run_page(store, RUN)
    small, large = table_of(page, "Models")
    assert (small["calls"], small["prompt tokens"], small["cost (USD)"]) == (5, 500, 1.25)
    assert (large["model"], large["prompt tokens"], large["cost (USD)"]) == (LONG, None, None)
    fast, slow = table_of(page, "Latency")
    assert (fast["replies"], fast["mean"], fast["median"], fast["longest"]) == (5, pytest.approx(1.4), 1.0, 3.0)
    assert fast["p95"] == pytest.approx(2.6)  # 0.8 of the way from 1 to 3
    assert (fast["TTFT mean"], slow["TTFT mean"]) == (0.5, None)
    [note] = [table.note for table in page.tables if table.title == "Models"]
    assert "no token counts for 1 calls" in note


def test_stages_in_order_with_what_was_asked_again(store):
    stages = table_of(run_page(store, RUN), "Stages")
    said = [(each["stage"], each["calls"], each["mean seconds"], each["asked again"]) for each in stages]
    # The third coding call of P/2 repeats its prompt too, but a program was run before it.
    assert said == [("planning", 1, 1.0, 0), ("coding", 4, 1.5, 1), ("debugging", 1, 2.0, 0)]
    assert stages[2]["cost (USD)"] is None
    [kept_no_prompts] = table_of(run_page(store, OTHER), "Stages (recorded)")
    assert kept_no_prompts["asked again"] is None


def test_outcomes_name_what_was_not_solved(store):
    rows = table_of(run_page(store, RUN), "Outcomes")
    assert [tuple(row.values()) for row in rows] == [
        ("passed", 1, 20.0, ""),
        ("wrong_answer", 2, 40.0, "P/2, P/10"),
        ("bad_reply", 1, 20.0, "P/3"),
        ("error: rate_limited", 1, 20.0, "P/4"),
    ]


def test_many_unsolved_problems_are_cut(tmp_path):
    rows = Writer(tmp_path, RUN)
    rows.run(["small"], problems=202)
    rows.execution(0, 1, "done")
    for number in range(202):
        rows.attempt(f"P/{number}", False, "wrong_answer")
        for _ in range(number % 20):
            rows.call(f"P/{number}", "coding", 1)
    rows.spool.close()
    with store_queries.open_store(tmp_path).db as db:
        page = run_page(db, RUN)
    [row] = table_of(page, "Outcomes")
    assert row["not solved"].startswith("P/0, P/1, P/2,")
    assert row["not solved"].endswith("P/11 and 190 more")
    bins = table_of(page, "Calls of an attempt")
    assert sum(each["unsolved"] for each in bins) == 202
    assert len(bins) <= 16
    assert (bins[0]["calls"], bins[-1]["calls"]) == ("0 to 1", "18 to 19")


def test_errors_and_failed_calls_are_told(store):
    page = run_page(store, RUN)
    errors = table_of(page, "Errors")
    assert [(each["problem"], each["kind"]) for each in errors] == [("P/3", "bad_reply"), ("P/4", "rate_limited")]
    [failed] = table_of(page, "Failed calls")
    assert (failed["status"], failed["calls"], failed["latest message"]) == ("429", 1, "slow | down")


def test_calls_and_rounds(store):
    page = run_page(store, RUN)
    said = [tuple(row.values())[:4] for row in table_of(page, "Calls of an attempt")]
    assert said == [("0", 0, 2, 1), ("3", 1, 1, 0)]
    rounds = [tuple(row.values()) for row in table_of(page, "Rounds")]
    assert rounds == [("0", 2, 0, 1, 1, 0), ("1", 1, 1, 0, 1, 1)]


def test_rounds_that_are_alike_share_a_row(tmp_path):
    rows = Writer(tmp_path, RUN)
    rows.run(["small"], problems=1)
    rows.execution(0, 1, "done")
    for number in range(30):
        rows.program("P/1", number, 0, 2, number)
    rows.attempt("P/1", False, "wrong_answer")
    rows.spool.close()
    with store_queries.open_store(tmp_path).db as db:
        rounds = table_of(run_page(db, RUN), "Rounds")
    assert [(each["round"], each["programs"]) for each in rounds] == [("0 to 28, each", 1), ("29", 1)]


def test_recorded_replies_are_marked_everywhere(store, tmp_path):
    page = run_page(store, OTHER)
    assert page.marks == ("recorded replies: no model was asked", PROCESS)
    assert all(table.title.endswith("(recorded)") for table in page.tables[2:])
    assert "> **Recorded replies: no model was asked.**" in page_markdown(page)
    assert "recorded replies: no model was asked" in terminal(page)
    assert run_page(store, RUN).marks == (PROCESS,)
    runs = {row["run"]: row for row in table_of(runs_page(store), "Runs")}
    assert runs[OTHER[:8]]["models"] == "small (recorded)"
    assert "recorded" not in runs[RUN[:8]]["models"]

    rows = Writer(tmp_path, RUN)
    rows.run(["small"], problems=1)
    rows.execution(0, 1, "done")
    rows.call("P/1", "coding", 1, recorded=True)
    rows.call("P/1", "coding", 2)
    rows.spool.close()
    with store_queries.open_store(tmp_path).db as db:
        partly = run_page(db, RUN)
    assert partly.marks == ("recorded replies: 1 of 2, the others came from a model", PROCESS)
    assert "Models (partly recorded)" in [table.title for table in partly.tables]


def test_the_weakest_isolation_marks_a_run(tmp_path):
    """A run is of process isolation where one of its programs ran under it, whatever its last execution had."""
    rows = Writer(tmp_path, RUN)
    rows.run(["small"], problems=2)
    rows.execution(0, 1, "done")  # of process isolation, but it graded nothing
    rows.attempt("P/1", True, "passed", isolation="bubblewrap")
    rows.spool.close()
    later = Writer(tmp_path, OTHER)
    later.run(["small"], problems=2)
    later.execution(100, 1, "done", isolation="bubblewrap")
    later.attempt("P/1", True, "passed", isolation="bubblewrap")
    later.attempt("P/2", False, "wrong_answer", isolation="process")
    later.spool.close()
    with store_queries.open_store(tmp_path).db as db:
        assert [queries.summary(db, each).isolation for each in (RUN, OTHER)] == ["bubblewrap", "process"]
        assert run_page(db, RUN).marks == ()
        assert run_page(db, OTHER).marks == (PROCESS,)
        page = runs_page(db)
        text = summary_text(queries.summary(db, OTHER), queries.attempt_use(db, OTHER), ("small",))
    assert page.marks == ("isolation in 1 of 2 runs: process (limits and a system-call filter, but no namespaces)",)
    assert [row["what"] for row in table_of(page, "Runs")] == [
        "codesim on mini, process isolation",
        "codesim on mini",
    ]
    assert "Isolation: process (limits and a system-call filter, but no namespaces)\n" in text


def test_a_harness_error_is_counted_apart(tmp_path):
    rows = Writer(tmp_path, RUN)
    rows.run(["small"], problems=3)
    rows.execution(0, 1, "incomplete")
    rows.attempt("P/1", True, "passed")
    rows.attempt("P/2", None, "error", error_kind="harness_error", error="no process can be started")
    rows.attempt("P/3", None, "error", error_kind="rate_limited", error="slow down")
    rows.spool.close()
    with store_queries.open_store(tmp_path).db as db:
        summary, attempts = queries.summary(db, RUN), queries.attempt_use(db, RUN)
        page = run_page(db, RUN)
    assert (summary.problems, summary.solved, summary.unsolved, summary.errors) == (3, 1, 0, 2)
    outcomes = [row["outcome"] for row in table_of(page, "Outcomes")]
    assert outcomes == ["passed", "error: harness_error", "error: rate_limited"]
    assert "errors 2 (harness_error 1, rate_limited 1)" in report_text(summary, attempts, Worked(1, 16, 2, {}))
    said = dict(re.findall(r"^ *(.+?): +(\S+)$", summary_text(summary, attempts, ("small",)), re.MULTILINE))
    assert (said["Errors"], said["Attempts With harness_error"], said["Attempts With rate_limited"]) == (
        "2",
        "1",
        "1",
    )


def test_what_the_tests_took_is_told_by_outcome(tmp_path):
    rows = Writer(tmp_path, RUN)
    rows.run(["small"], problems=1)
    rows.execution(0, 1, "done")
    rows.test(0, "passed", cpu_seconds=0.5, wall_seconds=0.75, peak_memory=20.0)
    rows.test(1, "passed", cpu_seconds=1.5, wall_seconds=1.75, peak_memory=10.0)
    rows.test(2, "time_limit", cpu_seconds=None, wall_seconds=30.0, peak_memory=None)
    rows.test(0, "wrong_answer", suite="extended")
    rows.spool.close()
    with store_queries.open_store(tmp_path).db as db:
        told = [tuple(row.values()) for row in table_of(run_page(db, RUN), "Tests")]
    assert told == [
        ("hidden", "passed", 2, 1.0, 1.5, 1.75, "20.0"),
        ("hidden", "time_limit", 1, None, None, 30.0, None),
        ("extended", "wrong_answer", 1, None, None, None, None),
    ]


def test_every_run_is_a_row_the_latest_first(store):
    other, run = table_of(runs_page(store), "Runs")
    assert (other["run"], other["solved"], other["status"]) == (OTHER[:8], "1/9", "running or killed")
    assert (run["solved"], run["accuracy %"], run["errors"], run["cost (USD)"]) == ("1/5", 20.0, 1, None)
    assert (run["models"], run["prompt tokens"], run["seconds"]) == (f"small + {LONG}", 500, 20.5)


def test_a_run_without_any_attempt_yet(tmp_path):
    rows = Writer(tmp_path, RUN)
    rows.run(["small"], problems=3)
    rows.execution(0, None, "running")
    rows.spool.close()
    begun = Writer(tmp_path, OTHER)  # killed between its first row and its second
    begun.run(["small"], problems=3)
    begun.spool.close()
    with store_queries.open_store(tmp_path).db as db:
        assert store_queries.run_ids(db) == [RUN]
        db_page, all_page = run_page(db, RUN), runs_page(db)
    said = facts_of(db_page, "Summary")
    assert (said["problems"], said["accuracy"], said["last execution"]) == ("0, of 3 asked for", "unknown", "unknown")
    assert "Outcomes" not in [table.title for table in db_page.tables]
    assert table_of(all_page, "Runs")[0]["accuracy %"] is None


@pytest.mark.parametrize("width", [80, 50, 200])
def test_the_terminal_cuts_nothing(store, width):
    for page in (run_page(store, RUN), runs_page(store)):
        text = terminal(page, width)
        assert max(len(line) for line in text.splitlines()) <= width
        assert "…" not in text
    solid = re.sub(r"\s", "", terminal(run_page(store, RUN), width))
    assert RUN in solid
    # A folded name stands below itself: its letters are all there, in order.
    assert all(re.search(".*?".join(map(re.escape, part)), solid) for part in re.findall(".{1,9}", LONG))


def test_a_narrow_terminal_leaves_wide_columns_to_the_file(store):
    page = runs_page(store)
    assert "completion" not in terminal(page, 80)
    assert "5 more columns are in the file below" in terminal(page, 80)
    assert "completion" in terminal(page, 160)
    assert "completion tokens" in page_markdown(page)


def test_both_renderers_show_the_same_values(store):
    page = run_page(store, RUN)
    text, markdown = terminal(page, 400), page_markdown(page)
    for table in page.tables:
        for row in table.rows:
            for value, column in zip(row, table.columns, strict=True):
                assert shown(value, column.kind) in text
                assert escaped(shown(value, column.kind)) in markdown


def test_markdown_tables_have_as_many_cells_in_every_row(store):
    for page in (run_page(store, RUN), run_page(store, OTHER), runs_page(store)):
        blocks = [block for block in page_markdown(page).split("\n\n") if block.startswith("|")]
        assert len(blocks) == len(page.tables)
        for block in blocks:
            assert len({len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}) == 1
    markdown = page_markdown(run_page(store, RUN))
    assert r"slow \| \[down\] now" in markdown
    assert "\x1b" not in markdown + terminal(run_page(store, RUN))


def test_markup_in_names_stays_text():
    page = Page("<script>", (), (Table("a*b*", (Column("x"),), (("[red]a|b[/red] __init__ snake_case `c`",),)),))
    assert "[red]a|b[/red]" in terminal(page)
    assert r"\[red\]a\|b\[/red\] \_\_init\_\_ snake_case \`c\`" in page_markdown(page)
    assert "<script>" not in page_markdown(page)


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (None, "count", "unknown"),
        (None, "usd", "unknown"),
        (None, "time", "unknown"),
        (0, "count", "0"),
        (1234567, "count", "1,234,567"),
        (0.0, "usd", "0.0000"),
        (0.0000042, "usd", "4.2e-06"),
        (12.5, "usd", "12.5000"),
        (0.0042, "seconds", "0.004"),
        (4321.0, "seconds", "4,321.0"),
        (at(0), "time", "2026-01-02 03:00:00"),
        (0.001, "bar", "█"),
        (0.0, "bar", ""),
    ],
)
def test_how_values_read(value, kind, text):
    assert shown(value, kind) == text


def test_a_page_is_written_whole(store, tmp_path):
    path = tmp_path / "report" / "x.md"
    text = write_page(run_page(store, RUN), path)
    assert path.read_text() == text
    assert [file.name for file in path.parent.iterdir()] == ["x.md"]


def test_a_run_is_found_by_latest_id_or_its_beginning(store):
    assert store_queries.find_run(store, "latest") == OTHER
    assert store_queries.find_run(store, RUN) == RUN
    assert store_queries.find_run(store, "AAAA1") == RUN
    for wanted, said in (("aaaa", "2 runs"), ("zz", "no such run"), ("", "no such run"), ("%", "no such run")):
        with pytest.raises(UsageError, match=said):
            store_queries.find_run(store, wanted)


def test_bad_stores_are_usage_errors(tmp_path):
    with pytest.raises(UsageError, match="no store here"):
        store_queries.open_store(tmp_path)
    assert not list(tmp_path.iterdir())
    store_file(tmp_path).write_text("no database, but a line of text\n" * 20)
    with pytest.raises(UsageError, match="not a store that can be read"):
        store_queries.open_store(tmp_path)
    empty = tmp_path / "empty"
    Spool(empty, RUN, "first").folder.mkdir(parents=True)
    with store_queries.open_store(empty).db as db, pytest.raises(UsageError, match="holds no run yet"):
        store_queries.find_run(db, "latest")


def test_a_store_that_another_process_holds(output, tmp_path):
    for run_id in (RUN, OTHER):  # the second one waits in its spool
        rows = Writer(tmp_path, run_id)
        rows.run(["small"], problems=3)
        rows.execution(0, 1, "done")
        if run_id == RUN:
            ingest(tmp_path)
    with held(tmp_path, read_only=True):
        store = store_queries.open_store(tmp_path)
        with store.db as db:
            assert store_queries.run_ids(db) == [RUN]
        assert store.notice is not None
        assert "held open by another process" in store.notice
    with held(tmp_path, read_only=False):
        with pytest.raises(StoreLocked):
            store_queries.open_store(tmp_path)
        done = report("--output", str(tmp_path))
        assert (done.returncode, done.stdout) == (1, "")
        assert re.fullmatch(r".*consort.duckdb is held open by another process; close it .*\n", done.stderr)
    with store_queries.open_store(tmp_path).db as db:
        assert sorted(store_queries.run_ids(db)) == [RUN, OTHER]


def test_bad_input_is_one_line_and_exit_2(tmp_path):
    done = report("--output", str(tmp_path))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"{tmp_path}: no store here; run flows/solve.py first, or name its folder with --output\n"


async def test_the_check_finds_bad_input_before_prefect_starts(output):
    check = flow_file._check
    await check(output=output, run="aaaa1")
    await check(output=output, all=True)
    for parameters in ({"run": "zz"}, {"run": "aaaa"}, {"run": "aaaa1", "all": True}):
        with pytest.raises(UsageError):
            await check(output=output, **parameters)


def test_the_flow_prints_writes_and_leaves_an_artifact(output, flow, environment):
    for arguments, name in ((("--run", "aaaa1"), RUN[:8]), (("--all",), "runs")):
        done = flow("flows/report.py", *arguments, "--output", output, COLUMNS="80")
        assert done.returncode == 0, done.stderr
        path = output / "report" / f"{name}.md"
        assert f"report: {path}" in done.stdout
        with store_queries.open_store(output).db as db:
            page = run_page(db, RUN) if name == RUN[:8] else runs_page(db)
        assert terminal(page) in done.stdout
        assert path.read_text() == page_markdown(page) == artifact(environment["PREFECT_API_URL"], f"report-{name}")


def artifact(api: str, key: str) -> str:
    """The data of an artifact, from the Prefect server."""
    with urllib.request.urlopen(f"{api}/artifacts/{key}/latest") as answer:
        return str(json.load(answer)["data"])


class held:
    """Another process that has the DuckDB file open."""

    def __init__(self, output: Path, *, read_only: bool) -> None:
        self.code = (
            f"import duckdb; db = duckdb.connect({str(store_file(output))!r}, read_only={read_only}); input(1)"
        )

    def __enter__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", self.code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self.process.stdout is not None
        assert self.process.stdout.read(1) == b"1"

    def __exit__(self, *_: object) -> None:
        self.process.communicate(b"\n")


def report(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "flows/report.py", *arguments],
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "80"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

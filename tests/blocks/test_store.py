"""Spool and store over real files and a real DuckDB: nothing is lost, and nothing counts twice."""

import itertools
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from blocks.database import TABLES, StoreBroken, StoreLocked, connect, ingest, load_run
from blocks.migrations import MIGRATIONS
from blocks.records import (
    AnswerRow,
    AttemptRow,
    CallRow,
    ExecutionRow,
    JudgementRow,
    Message,
    ModelEventRow,
    ProgramRow,
    Row,
    RunRow,
    StepRow,
    TestFileRow,
    TestInputRow,
    TestRow,
)
from blocks.spool import SEGMENT_BYTES, Spool, read_line, read_lines, spool_folder, store_file

CHECKOUT = Path(__file__).parents[2]
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
TEXT = 'grüße 🎻 \u2028 \x00 \\ "quoted"\n'


def attempt(problem: str = "p", *, run_id: str = "run", hour: float = 0, **more: Any) -> AttemptRow:
    fields = {
        "run_id": run_id,
        "problem_id": problem,
        "sample": 0,
        "execution_id": "one",
        "task_run_id": None,
        "outcome": "passed",
        "solved": True,
        "started_at": NOON,
        "finished_at": NOON,
        "written_at": NOON + timedelta(hours=hour),
        **more,
    }
    return AttemptRow.model_validate(fields)


def call(key: str = "a", *, run_id: str = "run", **more: Any) -> CallRow:
    fields = {
        "run_id": run_id,
        "call_key": key,
        "problem_id": "p",
        "sample": 0,
        "stage": "coding",
        "ordinal": 1,
        "execution_id": "one",
        "pool": "pool",
        "model_number": 1,
        "endpoint": "e",
        "model": "m",
        "seconds": 1.5,
        "started_at": NOON,
        "finished_at": NOON,
        "messages": [Message(role="user", content=TEXT)],
        "reply": TEXT,
        "reasoning": "hm",
        **more,
    }
    return CallRow.model_validate(fields)


def spooled(output: Path, *rows: Row, execution_id: str = "one", run_id: str = "run") -> None:
    spool = Spool(output, run_id, execution_id)
    for row in rows:
        spool.append(row)
    spool.close()


def asked(output: Path, query: str) -> list[tuple[Any, ...]]:
    with connect(output, read_only=True) as store:
        return store.execute(query).fetchall()


def contents(output: Path) -> dict[str, list[tuple[Any, ...]]]:
    return {row.table: sorted(asked(output, f"FROM {row.table}"), key=repr) for row in TABLES}


ONE_OF_EACH: tuple[Row, ...] = (
    RunRow(
        run_id="run",
        flow="solve",
        dataset="d",
        strategy="s",
        models=["a", "b"],
        language="Python3",
        temperature=0.0,
        top_p=None,
        samples=1,
        problems=2,
        configuration="{}",
        folder="f",
        created_at=NOON,
    ),
    ExecutionRow(
        run_id="run",
        execution_id="one",
        flow_run_id=None,
        flow_run_name=None,
        status="running",
        isolation="process",
        workers=1,
        eval_workers=1,
        started_at=NOON,
    ),
    attempt(program=TEXT),
    call(),
    ProgramRow(
        run_id="run",
        problem_id="p",
        sample=0,
        round=0,
        stage="coding",
        plan=TEXT,
        program=TEXT,
        tests=TEXT,
        samples=1,
        samples_passed=0,
        report=TEXT,
        isolation="process",
    ),
    TestRow(
        run_id="run",
        problem_id="p",
        sample=0,
        suite="hidden",
        test=0,
        outcome="passed",
        isolation="process",
        execution_id="one",
        comparison="tokens",
        cpu_limit=2.5,
        wall_limit=7.5,
        memory_limit_mb=256,
        output_limit_kb=1024,
        scale=1.25,
    ),
    ModelEventRow(
        run_id="run",
        execution_id="one",
        pool="qwen",
        endpoint="large",
        model="qwen-large",
        event="exhausted",
        reason=TEXT,
        until=NOON,
        next="small",
        happened_at=NOON,
    ),
    TestInputRow(
        run_id="run",
        problem_id="p",
        sample=0,
        source="5f",
        number=3,
        round=1,
        outcome="accepted",
        doubtful=False,
        input=TEXT,
        output=TEXT,
        detail="",
        cpu_seconds=0.25,
        wall_seconds=0.5,
        peak_memory=1.5,
        isolation="bubblewrap",
        execution_id="one",
    ),
    TestFileRow(
        run_id="run",
        problem_id="p",
        sample=0,
        source="5f",
        outcome="short",
        wanted=8,
        tests=2,
        tried=9,
        rounds=6,
        doubtful=1,
        rejected={"sanitizer": 7},
        models=["m"],
        line_coverage=50.0,
        branch_coverage=25.0,
        error=TEXT,
        execution_id="one",
    ),
    StepRow(
        run_id="run",
        problem_id="p",
        sample=0,
        plan=1,
        step=3,
        task=TEXT,
        difficulty=4,
        token_budget=100,
        depends_on=[1, 2],
        size="large",
        model="m",
        result=TEXT,
        error="the reply is empty",
        escalated=True,
        discarded=False,
        started_seconds=1.5,
        seconds=0.25,
        ttft=0.125,
        prompt_tokens=10,
        completion_tokens=20,
        cost=0.5,
        currency="USD",
        execution_id="one",
    ),
    AnswerRow(
        run_id="run",
        problem_id="p",
        sample=0,
        question=TEXT,
        subject="physics",
        answer="42",
        prediction=TEXT,
        correct=True,
        decided_by="number",
        plan="<Plan/>",
        fallback="direct",
        repairs=["step 1: difficulty 5"],
        steps=3,
        failed_steps=1,
        critical_path=[1, 3],
        compression_ratio=0.5,
        aggregated=True,
        planning_seconds=0.5,
        wall_seconds=2.5,
        execution_id="one",
    ),
    JudgementRow(
        run_id="run",
        judged_run_id="judged",
        problem_id="p",
        sample=0,
        role="executor",
        step=2,
        dimension="correctness",
        model="m",
        score=4,
        reason=TEXT,
        error=None,
        repaired=True,
        judge="j",
        execution_id="one",
    ),
)


# Ingest


@pytest.mark.parametrize("row", ONE_OF_EACH, ids=lambda row: row.table)
def test_every_row_comes_back_as_it_was(tmp_path: Path, row: Row):
    spooled(tmp_path, row)
    assert ingest(tmp_path) == (1, 1)
    with connect(tmp_path, read_only=True) as store:
        found = store.execute(f"FROM {row.table}")
        names = [column[0] for column in found.description or ()]
        (values,) = found.fetchall()
    got = dict(zip(names, values, strict=True))
    assert got.keys() == type(row).model_fields.keys(), "the table has a column for every field"
    for name, value in row.model_dump().items():
        expected = value.replace(tzinfo=None) if isinstance(value, datetime) else value
        assert (json.loads(got[name]) if name in ("messages", "rejected") else got[name]) == expected, name


def test_there_is_one_of_each_table():
    assert tuple(type(row) for row in ONE_OF_EACH) == TABLES


def test_ingesting_twice_changes_nothing(tmp_path: Path):
    spooled(tmp_path, *ONE_OF_EACH)
    assert ingest(tmp_path) == (len(TABLES), len(TABLES))
    before = contents(tmp_path)
    assert ingest(tmp_path) == (0, 0)
    assert contents(tmp_path) == before
    spooled(tmp_path, *ONE_OF_EACH)  # the same rows once more, in files that have grown
    assert ingest(tmp_path) == (len(TABLES), len(TABLES))
    assert contents(tmp_path) == before


def test_an_empty_output_folder(tmp_path: Path):
    assert ingest(tmp_path) == (0, 0)
    assert contents(tmp_path) == {row.table: [] for row in TABLES}
    spool_folder(tmp_path, "run").mkdir(parents=True)
    (spool_folder(tmp_path, "run") / "calls").mkdir()
    (spool_folder(tmp_path, "run") / "calls" / "one-0000.jsonl").touch()
    assert ingest(tmp_path) == (1, 0)
    assert ingest(tmp_path) == (0, 0)


@pytest.mark.parametrize("order", itertools.permutations(["a", "b", "c"]), ids="".join)
@pytest.mark.parametrize("together", [True, False])
def test_the_latest_row_of_a_key_wins_in_any_order_of_files(tmp_path: Path, order: tuple[str, ...], together: bool):
    hours = {"a": (1, 6), "b": (5, 2), "c": (4, 3)}
    for name in order:
        rows = [attempt("p", hour=hour, outcome=f"{name}{hour}", execution_id=name) for hour in hours[name]]
        spooled(tmp_path, *rows, attempt(name), execution_id=name)
        if not together:
            ingest(tmp_path)
    ingest(tmp_path)
    found = asked(tmp_path, "SELECT problem_id, outcome FROM attempts ORDER BY problem_id")
    assert found == [("a", "passed"), ("b", "passed"), ("c", "passed"), ("p", "a6")]


def test_rows_of_other_runs_samples_and_calls_are_other_rows(tmp_path: Path):
    spooled(tmp_path, attempt(), attempt(sample=1), attempt("q"), call("a"), call("b"))
    spooled(tmp_path, attempt(run_id="other"), call("a", run_id="other"), run_id="other")
    ingest(tmp_path)
    assert asked(tmp_path, "SELECT count(*) FROM attempts") == [(4,)]
    assert asked(tmp_path, "SELECT count(*) FROM calls") == [(3,)]


def test_files_grow_between_ingests(tmp_path: Path):
    spool = Spool(tmp_path, "run", "one")
    for number in range(5):
        spool.append(attempt(f"p{number}"))
        assert ingest(tmp_path).files == 1, "rows are there before the spool is closed"
        assert asked(tmp_path, "SELECT count(*) FROM attempts") == [(number + 1,)]
    spool.close()


def test_a_torn_line_is_skipped_until_it_is_whole(tmp_path: Path):
    spooled(tmp_path, attempt("p0"), attempt("p1"))
    (path,) = spool_folder(tmp_path).glob("*/attempts/*.jsonl")
    line = attempt("p2").model_dump_json().encode() + b"\n"
    with path.open("ab") as file:
        for part in (line[:1], line[1:100], line[100:-2]):
            file.write(part)
            file.flush()
            ingest(tmp_path)
            assert asked(tmp_path, "SELECT count(*) FROM attempts") == [(2,)]
            assert len(list(read_lines(path.parent))) == 2
        file.write(line[-2:])
    ingest(tmp_path)
    assert asked(tmp_path, "SELECT problem_id FROM attempts ORDER BY ALL") == [("p0",), ("p1",), ("p2",)]


@pytest.mark.parametrize(
    "line", [b"garbage", b"", b"{}", b"[1]", b'{"run_id": 7, "x": {"y": 1}}', b"\xff\xfe", b"\x00\x00"]
)
def test_a_spoilt_line_costs_no_other(tmp_path: Path, line: bytes):
    spooled(tmp_path, attempt("p0"))
    (path,) = spool_folder(tmp_path).glob("*/attempts/*.jsonl")
    with path.open("ab") as file:
        file.write(line + b"\n" + attempt("p1").model_dump_json().encode() + b"\n")
    ingest(tmp_path)
    found = asked(tmp_path, "SELECT problem_id FROM attempts WHERE run_id = 'run' ORDER BY ALL")
    assert found == [("p0",), ("p1",)]


def test_a_row_of_many_megabytes(tmp_path: Path):
    reply = "x" * 20_000_000
    spooled(tmp_path, call("a"), call("b", reply=reply), call("c"))
    ingest(tmp_path)
    assert asked(tmp_path, "SELECT call_key, length(reply) FROM calls ORDER BY ALL") == [
        *[("a", len(TEXT)), ("b", len(reply)), ("c", len(TEXT))]
    ]


def test_without_keep_text_the_store_has_no_texts_and_the_spool_keeps_the_reply(tmp_path: Path):
    dropped = call("a", keep_text=False, messages=None)
    spooled(tmp_path, dropped, call("b"))
    ingest(tmp_path)
    found = asked(tmp_path, "SELECT call_key, messages, reply, reasoning, model FROM calls ORDER BY call_key")
    assert found[0] == ("a", None, None, None, "m")
    assert found[1][2:] == (TEXT, "hm", "m")
    lines = [line for _, line in read_lines(spool_folder(tmp_path, "run") / "calls")]
    assert CallRow.model_validate_json(lines[0]) == dropped


def test_a_call_that_a_later_execution_replayed_is_cached(tmp_path: Path):
    spooled(tmp_path, call("a"), call("b", problem_id="q"), attempt("p", outcome="error", solved=None), attempt("q"))
    ingest(tmp_path)
    assert asked(tmp_path, "SELECT call_key, cached FROM calls ORDER BY ALL") == [("a", False), ("b", False)]
    later = [attempt("p", hour=1, execution_id="two"), call("c", execution_id="two")]
    spooled(tmp_path, *later, execution_id="two")
    for _ in range(2):
        ingest(tmp_path)
        found = asked(tmp_path, "SELECT call_key, cached FROM calls ORDER BY ALL")
        assert found == [("a", True), ("b", False), ("c", False)]


def test_a_run_is_loaded_by_itself(tmp_path: Path):
    spooled(tmp_path, *ONE_OF_EACH)
    spooled(tmp_path, attempt("q", run_id="other"), run_id="other")
    with load_run(tmp_path, "run") as run:
        assert run.execute("SELECT problem_id FROM attempts").fetchall() == [("p",)]
        assert run.execute("SELECT reply, prompt_tokens FROM calls").fetchall() == [(None, None)]
    with load_run(tmp_path, "no such run") as run:
        assert run.execute("SELECT count(*) FROM attempts").fetchall() == [(0,)]
    assert not store_file(tmp_path).exists()


def test_the_block_ingests_its_folder(tmp_path: Path):
    from blocks.store import ResultsStore  # Prefect takes a second, which the child processes need not wait

    spooled(tmp_path, attempt())
    assert ResultsStore(folder=str(tmp_path)).ingest().rows == 1


# The schema


def test_migrations_are_applied_once_and_recorded(tmp_path: Path):
    for _ in range(3):
        ingest(tmp_path)
    found = asked(tmp_path, "SELECT number, applied_at IS NOT NULL FROM migrations ORDER BY number")
    assert found == [(number, True) for number in range(len(MIGRATIONS))]


@pytest.mark.parametrize("known", range(len(MIGRATIONS) + 1))
def test_a_file_of_any_older_schema_is_brought_up_to_date(tmp_path: Path, known: int):
    with duckdb.connect(str(store_file(tmp_path))) as store:
        store.execute("CREATE TABLE migrations (number INTEGER, applied_at TIMESTAMP)")
        for number in range(known):
            store.execute(MIGRATIONS[number])
            store.execute("INSERT INTO migrations VALUES (?, now()::TIMESTAMP)", [number])
    spooled(tmp_path, *ONE_OF_EACH)
    assert ingest(tmp_path).rows == len(TABLES)
    assert asked(tmp_path, "SELECT count(*) FROM migrations") == [(len(MIGRATIONS),)]


def test_rows_of_an_older_schema_keep_what_they_say(tmp_path: Path):
    """In the file, and waiting in a spool: what nobody wrote down then is unknown."""
    test = next(row for row in ONE_OF_EACH if isinstance(row, TestRow))
    old = test.model_dump(mode="json", exclude={"comparison", "cpu_limit", "scale"})
    with duckdb.connect(str(store_file(tmp_path))) as store:
        store.execute("CREATE TABLE migrations (number INTEGER, applied_at TIMESTAMP)")
        store.execute(MIGRATIONS[0])
        store.execute("INSERT INTO migrations VALUES (0, now()::TIMESTAMP)")
        store.execute("INSERT INTO tests (run_id, test, outcome) VALUES ('before', 0, 'passed')")
    waiting = spool_folder(tmp_path, "run") / "tests" / "one-0000.jsonl"
    waiting.parent.mkdir(parents=True)
    waiting.write_text(json.dumps(old) + "\n")
    assert ingest(tmp_path).rows == 1
    found = asked(tmp_path, "SELECT run_id, outcome, memory_limit_mb, comparison, scale FROM tests ORDER BY 1")
    assert found == [("before", "passed", None, None, None), ("run", "passed", 256, None, None)]


# Other processes

CHILD = """
import sys, time
from pathlib import Path
from blocks.database import ingest
from blocks.spool import Spool
from tests.blocks.test_store import attempt, call
output = Path(sys.argv[1])
"""


def child(script: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", CHILD + script, *map(str, arguments)],
        cwd=CHECKOUT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def command(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "blocks.store", *map(str, arguments)],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@contextmanager
def held(output: Path, **options: Any) -> Iterator[None]:
    """The DuckDB file, open in another process."""
    script = f"""
import duckdb
store = duckdb.connect(str(output / "consort.duckdb"), **{options!r})
print("open", flush=True)
sys.stdin.readline()
"""
    process = child(script, output)
    assert process.stdout is not None
    assert process.stdout.readline() == "open\n"
    try:
        yield
    finally:
        process.communicate("close\n", timeout=60)


def test_processes_append_at_once_to_one_run_and_all_of_it_arrives(tmp_path: Path):
    """Ingests go on meanwhile; they see whole rows only."""
    script = """
spool = Spool(output, "run", sys.argv[2])
sys.stdin.readline()
for number in range(300):
    spool.append(attempt(f"{sys.argv[2]} {number}", execution_id=sys.argv[2]))
    spool.append(call(f"{sys.argv[2]} {number}", reply="x" * (number * 97 % 20_000)))
    spool.append(attempt("shared", hour=number, outcome=f"{number}"))
spool.close()
"""
    names = ["one", "two", "three"]
    processes = [child(script, tmp_path, name) for name in names]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    while any(process.poll() is None for process in processes):
        ingest(tmp_path)
        lengths = asked(tmp_path, "SELECT count(*) FROM calls WHERE length(reply) IS NULL")
        assert lengths == [(0,)]
    assert [process.wait() for process in processes] == [0, 0, 0]
    for process in processes:
        process.communicate()
    ingest(tmp_path)
    assert asked(tmp_path, "SELECT count(*) FROM calls") == [(900,)]
    assert asked(tmp_path, "SELECT count(*), sum((problem_id = 'shared')::INT) FROM attempts") == [(901, 1)]
    assert asked(tmp_path, "SELECT outcome FROM attempts WHERE problem_id = 'shared'") == [("299",)]
    assert ingest(tmp_path) == (0, 0)


@pytest.mark.parametrize("options", [{}, {"read_only": True}], ids=["for writing", "for reading"])
def test_a_file_that_somebody_holds_open_delays_the_ingest_and_loses_nothing(tmp_path: Path, options: dict[str, Any]):
    spooled(tmp_path, attempt("before"))
    ingest(tmp_path)
    with held(tmp_path, **options):
        spooled(tmp_path, attempt("during"), call(), execution_id="two")
        with pytest.raises(StoreLocked, match=r"consort\.duckdb is held open by another process"):
            ingest(tmp_path)
        by_hand = command("ingest", "--output", tmp_path)
        assert (by_hand.returncode, by_hand.stdout) == (1, "")
        assert "close it and try again (nothing is lost)" in by_hand.stderr
        assert len(by_hand.stderr.splitlines()) == 1
        with load_run(tmp_path, "run") as run:
            assert run.execute("SELECT count(*) FROM attempts").fetchall() == [(2,)]
    assert ingest(tmp_path) == (2, 2)
    assert asked(tmp_path, "SELECT problem_id FROM attempts ORDER BY ALL") == [("before",), ("during",)]


def test_ingest_by_hand(tmp_path: Path):
    spooled(tmp_path, *ONE_OF_EACH)
    done = command("ingest", "--output", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{store_file(tmp_path)}: {len(TABLES)} rows from {len(TABLES)} spool files\n"
    assert asked(tmp_path, "SELECT count(*) FROM attempts") == [(1,)]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["ingest", "--output", "{missing}"], "missing: no runs here"),
        (["ingest", "--outptu", "x"], "--outptu"),
        (["ingets"], "ingets"),
    ],
)
def test_a_command_that_cannot_be_run_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], named: str
):
    from blocks.store import main

    missing = tmp_path / "missing"
    assert main([argument.format(missing=missing) for argument in arguments]) == 2
    said = capsys.readouterr()
    assert named in said.err
    assert len(said.err.splitlines()) == 1
    assert not missing.exists()


@pytest.mark.parametrize("turn", range(3))
def test_a_writer_that_is_killed_loses_no_whole_line(tmp_path: Path, turn: int):
    script = """
spool = Spool(output, "run", "killed")
for number in range(10**9):
    spool.append(call(str(number), reply="x" * 50_000))
    print(number, flush=True)
"""
    process = child(script, tmp_path)
    assert process.stdout is not None
    heard = [process.stdout.readline() for _ in range(random.Random(turn).randint(1, 40))]
    os.kill(process.pid, signal.SIGKILL)
    heard += process.stdout.readlines()
    process.communicate()
    ingest(tmp_path)
    keys = {int(key) for (key,) in asked(tmp_path, "SELECT call_key FROM calls WHERE length(reply) = 50000")}
    assert keys == set(range(len(keys)))
    assert len(keys) - sum(line.endswith("\n") for line in heard) in (0, 1)
    spooled(tmp_path, call("later"), execution_id="later")
    assert ingest(tmp_path).rows == 1


@pytest.mark.parametrize("milliseconds", [0, 5, 10, 20, 30, 40, 60, 80, 120])
def test_an_ingest_that_is_killed_is_done_again(tmp_path: Path, milliseconds: int):
    """A killed ingest leaves no file, the file as it was, or complete."""
    for number in range(20):
        spooled(tmp_path, *(call(f"{number} {k}") for k in range(50)), execution_id=f"e{number}")
    code = f"signal.setitimer(signal.ITIMER_REAL, {milliseconds / 1000} or 1e-6)\ningest(output)"
    process = child(f"import signal\n{code}", tmp_path)
    process.communicate()
    assert process.returncode in (0, -signal.SIGALRM)
    ingest(tmp_path)
    assert asked(tmp_path, "SELECT count(*) FROM calls") == [(1000,)]


def test_a_file_that_is_no_store_is_named_and_makes_way(tmp_path: Path):
    spooled(tmp_path, *ONE_OF_EACH)
    ingest(tmp_path)
    file = store_file(tmp_path)
    whole = file.read_bytes()
    for content in (b"x" * 4096, b"\0" * 12288, whole[:4096], whole[:8192], whole[:10000]):
        file.write_bytes(content)
        with pytest.raises(StoreBroken, match=r"consort\.duckdb: not a store that can be read .*; move it away"):
            ingest(tmp_path)
        by_hand = command("ingest", "--output", tmp_path)
        assert (by_hand.returncode, by_hand.stdout) == (1, "")
        assert len(by_hand.stderr.splitlines()) == 1
    file.rename(tmp_path / "away")
    file.with_name("consort.duckdb.wal").write_bytes(b"of the file that is away" * 99)
    assert ingest(tmp_path).rows == len(TABLES)


# The spool


def test_a_spool_closes_segments_and_names_places(tmp_path: Path):
    spool = Spool(tmp_path, "run", "one")
    large = "x" * (SEGMENT_BYTES // 2)
    places = [spool.append(call(str(number), reply=large)) for number in range(5)]
    spool.close()
    assert [place.path.name for place in places] == [
        *["one-0000.jsonl", "one-0000.jsonl", "one-0001.jsonl", "one-0001.jsonl", "one-0002.jsonl"]
    ]
    assert [CallRow.model_validate_json(read_line(place)).call_key for place in places] == ["0", "1", "2", "3", "4"]
    assert [place for place, _ in read_lines(spool.folder / "calls")] == places
    assert list(read_lines(spool.folder / "nothing")) == []
    again = Spool(tmp_path, "run", "one")  # closed and opened again by one execution: goes on behind its last row
    place = again.append(call("5"))
    assert CallRow.model_validate_json(read_line(place)).call_key == "5"
    again.close()
    again.close()
    ingest(tmp_path)
    assert asked(tmp_path, "SELECT count(*) FROM calls") == [(6,)]

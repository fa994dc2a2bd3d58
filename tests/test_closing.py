"""What is merged while a run goes on, and the process that ends it: what it asks for, and what it says."""

import asyncio
from pathlib import Path

import pytest

from blocks.database import BATCH_BYTES, connect, ingest
from blocks.records import RunRow, now
from blocks.spool import Spool, spool_folder, store_file
from tasks.reporting.closing import close, merging
from tests.processes import until
from tests.reporting.rows import RUN, Execution


def run_row(run_id: str) -> RunRow:
    return RunRow(
        run_id=run_id,
        flow="solve",
        dataset="problems",
        strategy="direct",
        models=["small"],
        language="Python3",
        temperature=0.0,
        top_p=None,
        samples=1,
        problems=1,
        configuration="{}",
        folder="nowhere",
        created_at=now(),
    )


async def test_rows_are_in_the_store_while_the_run_goes_on(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "run", "execution")
    spool.append(run_row("run"))
    async with merging(tmp_path, seconds=0.05):
        await asyncio.to_thread(until, store_file(tmp_path).exists, 60)
    spool.append(run_row("run"))
    ingest(tmp_path)  # no merge is left that holds the file
    spool.close()
    with connect(tmp_path) as store:
        assert store.execute("SELECT run_id FROM runs").fetchall() == [("run",)]


class Asked(dict[str, str]):
    """Statements by problem that remember who was asked for."""

    def __init__(self, *problems: str) -> None:
        super().__init__(
            {problem_id: f"Solve {problem_id}\n\u2028 \U0001d538 {'x' * 100_000}" for problem_id in problems}
        )
        self.asked: list[str] = []

    def get(self, problem_id: str, default: object = None) -> str:
        self.asked.append(problem_id)
        return self[problem_id]


async def test_the_end_of_a_run_asks_for_the_statements_that_it_writes(tmp_path: Path) -> None:
    ids = ["P/1", "P/2", 'odd "id"\n']
    with Execution(tmp_path) as rows:
        rows.run()
        for problem_id in ids[1:]:
            rows.attempt(problem_id, True)
    folder = tmp_path / "Run-1"
    folder.mkdir()
    statements = Asked(*ids)
    closed = await close(tmp_path, folder, RUN, statements)
    assert (closed.summary.solved, closed.waiting) == (2, None)
    assert sorted(statements.asked) == sorted(ids[1:])
    told = [path.read_text() for path in folder.rglob("problem_statement.txt")]
    assert sorted(told) == sorted(statements[problem_id] for problem_id in ids[1:])
    with connect(tmp_path) as store:
        assert store.execute("SELECT count(*) FROM attempts").fetchall() == [(2,)]
    with Execution(tmp_path, "second", began=100) as rows:
        rows.attempt("P/1", False)
    closed = await close(tmp_path, folder, RUN, statements)
    assert (closed.summary.solved, closed.summary.unsolved) == (2, 1)
    assert statements.asked[2:] == ["P/1"]


async def test_an_end_that_fails_says_why(tmp_path: Path) -> None:
    with Execution(tmp_path) as rows:
        rows.run()
        rows.attempt("P/1", True)
    with pytest.raises(RuntimeError, match=r"could not be written[\s\S]*No such file or directory"):
        await close(tmp_path, tmp_path / "no-such-folder", RUN, {})


def test_a_store_is_merged_in_parts_that_are_one_in_the_end(tmp_path: Path) -> None:
    reply = "x" * 400_000
    with Execution(tmp_path) as rows:
        rows.run()
        for number in range(100):
            rows.call(f"P/{number}", "coding", number, reply=reply, call_key=f"{number}")
            rows.attempt(f"P/{number}", None)
    ingest(tmp_path)
    with Execution(tmp_path, "second", began=100) as rows:
        for number in range(100):
            rows.attempt(f"P/{number}", True)
    ingest(tmp_path)
    assert sum(path.stat().st_size for path in spool_folder(tmp_path, RUN).rglob("*.jsonl")) > 2 * BATCH_BYTES
    with connect(tmp_path) as store:
        assert store.execute(
            "SELECT count(*), count(*) FILTER (cached), sum(length(reply)) FROM calls"
        ).fetchall() == [
            (100, 100, 100 * len(reply))  # all were replayed by the second execution
        ]
        assert store.execute("SELECT count(*) FROM attempts WHERE solved").fetchall() == [(100,)]
        assert store.execute("SELECT count(*) FROM spool_files").fetchall() == [
            (len(list(spool_folder(tmp_path, RUN).rglob("*.jsonl"))),)
        ]
    assert ingest(tmp_path) == (0, 0)


def test_rows_that_are_longer_than_usual_get_the_memory_they_need(tmp_path: Path) -> None:
    reply = "x" * 60_000_000
    with Execution(tmp_path) as rows:
        rows.run()
        rows.call("P/1", "coding", 1, reply=reply)
        rows.call("P/1", "coding", 2, reply=reply)
    ingest(tmp_path)
    with connect(tmp_path) as store:
        assert store.execute("SELECT min(length(reply)), count(*) FROM calls").fetchall() == [(len(reply), 2)]

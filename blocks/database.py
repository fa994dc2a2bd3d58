"""The DuckDB file of an output folder: spools merged into one database, by `ingest`, as often as anybody likes.

It imports no Prefect, so that what only reads or merges rows starts at once: `python -m blocks.database OUTPUT` is
the ingest that a long run has done for it from time to time.
"""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import duckdb

from blocks.migrations import MIGRATIONS
from blocks.records import (
    AnswerRow,
    AttemptRow,
    CallRow,
    ExecutionRow,
    JudgementRow,
    ModelEventRow,
    ProgramRow,
    Row,
    RunRow,
    StepRow,
    TestFileRow,
    TestInputRow,
    TestRow,
)
from blocks.spool import spool_folder, store_file

TABLES: tuple[type[Row], ...] = (
    RunRow, ExecutionRow, AttemptRow, CallRow, ProgramRow, TestRow, ModelEventRow, TestInputRow, TestFileRow,
    StepRow, AnswerRow, JudgementRow,
)  # fmt: skip
TEXTS = ("messages", "reply", "reasoning", "program", "report", "detail", "input", "output")
BATCH_BYTES = 17 * 1024 * 1024  # of spool files that one transaction merges: four segments
LITTLE_MEMORY, MEMORY = "96MB", "1GB"  # the first is enough for rows of any but uncommon length
NO_STORE = (  # what DuckDB says of such files
    "not a valid DuckDB database", "Corrupt database", "Could not read enough bytes", "Serialization Error",
    "replaying WAL",
)  # fmt: skip
MORE_TEXTS = {ProgramRow.table: ("plan", "tests")}


class StoreLocked(Exception):
    """Another process holds the DuckDB file open; what waits in the spools is safe."""


class StoreBroken(Exception):
    """The DuckDB file cannot be opened at all; the spools hold what it held."""


class Ingested(NamedTuple):
    """How many spool files were new or grown, and how many rows they brought."""

    files: int
    rows: int


class Used(NamedTuple):
    """What an endpoint was asked, and what it gave."""

    calls: int
    tokens: int


def ingest(output: Path) -> Ingested:
    """Merge the spools below `output` into its DuckDB file; twice changes nothing.

    A transaction takes some megabytes of spool files and notes which, so that memory does not grow with the run and
    whoever is killed in between has lost nothing. Raises StoreLocked where another process has the file open, and
    StoreBroken.
    """
    with connect(output) as store:
        store.execute(f"SET threads = 1; SET memory_limit = '{LITTLE_MEMORY}'")
        known = dict(store.execute("SELECT path, bytes FROM spool_files").fetchall())
        return _merge(store, spool_folder(output), spool_folder(output).glob("*/*/*.jsonl"), known)


def connect(output: Path, *, read_only: bool = False) -> duckdb.DuckDBPyConnection:
    """Open the DuckDB file, its schema brought up to date unless `read_only`; raises StoreLocked, StoreBroken."""
    file = store_file(output)
    if not read_only and not file.exists():
        with contextlib.suppress(OSError):  # another process was faster; or DuckDB is to say what is wrong here
            _make(file)
    try:
        store = duckdb.connect(str(file), read_only=read_only, config={"memory_limit": MEMORY})
    except duckdb.Error as problem:
        if "could not set lock" in str(problem).lower():
            raise StoreLocked(f"{file} is held open by another process") from None
        if not any(words in str(problem) for words in NO_STORE):
            raise
        raise StoreBroken(
            f"{file}: not a store that can be read ({str(problem).splitlines()[0]}); move it away, and the next "
            "ingest makes it again from the spools"
        ) from None
    if not read_only:
        migrate(store)
    return store


def _make(file: Path) -> None:
    """Make an empty store all at once: DuckDB writes a new file in parts, of which a kill would leave some."""
    hidden = spool_folder(file.parent).parent
    hidden.mkdir(parents=True, exist_ok=True)
    file.with_name(f"{file.name}.wal").unlink(missing_ok=True)  # of a file that somebody has moved away
    with tempfile.TemporaryDirectory(prefix="store-", dir=hidden) as folder:
        made = Path(folder, file.name)
        with duckdb.connect(str(made), config={"memory_limit": MEMORY}) as store:
            migrate(store)
        os.link(made, file)


def load_run(output: Path, run_id: str, *, tables: Iterable[type[Row]] = TABLES) -> duckdb.DuckDBPyConnection:
    """Load one run's spool into a database in memory: the store's tables, whoever holds the file.

    The long columns (prompts, replies, programs) stay empty, and all tables but `tables`.
    """
    run = duckdb.connect(":memory:", config={"memory_limit": MEMORY, "threads": "1"})
    migrate(run)
    folder = spool_folder(output)
    paths = [path for row in tables for path in (folder / run_id / row.table).glob("*.jsonl")]
    _merge(run, folder, paths, {}, texts=False)
    return run


def used_since(output: Path, since: datetime) -> dict[str, Used]:
    """Count the replies of every endpoint since a time, from the spools: nobody's lock matters, all runs count."""
    files = [str(path) for path in spool_folder(output).glob(f"*/{CallRow.table}/*.jsonl") if _touched(path, since)]
    if not files:
        return {}
    columns = {"endpoint": "VARCHAR", "error_kind": "VARCHAR", "started_at": "TIMESTAMPTZ"}
    columns |= {"prompt_tokens": "BIGINT", "completion_tokens": "BIGINT"}
    longest = max(64 * 1024, *(Path(file).stat().st_size for file in files))
    with duckdb.connect(":memory:", config={"memory_limit": MEMORY}) as memory:
        rows = memory.execute(
            f"""SELECT endpoint, count(*), coalesce(sum(prompt_tokens + completion_tokens), 0)::BIGINT
                FROM read_json(?, format='newline_delimited', ignore_errors=true, maximum_object_size={longest},
                               columns={columns})
                WHERE error_kind IS NULL AND endpoint IS NOT NULL AND started_at >= ?::TIMESTAMPTZ
                GROUP BY endpoint""",
            [files, since.isoformat()],
        ).fetchall()
    return {endpoint: Used(calls, tokens) for endpoint, calls, tokens in rows}


def _touched(path: Path, since: datetime) -> bool:
    return path.stat().st_mtime >= since.timestamp()


def migrate(store: duckdb.DuckDBPyConnection) -> None:
    """Apply the migrations that a database has not seen."""
    store.execute("CREATE TABLE IF NOT EXISTS migrations (number INTEGER, applied_at TIMESTAMP)")
    store.execute("CREATE TABLE IF NOT EXISTS spool_files (path VARCHAR PRIMARY KEY, bytes BIGINT)")
    applied = store.execute("SELECT count(*) FROM migrations").fetchall()[0][0]
    for number, statements in enumerate(MIGRATIONS[applied:], start=applied):
        store.begin()
        store.execute(statements)
        store.execute("INSERT INTO migrations VALUES (?, now()::TIMESTAMP)", [number])
        store.commit()


def _merge(
    store: duckdb.DuckDBPyConnection,
    root: Path,
    paths: Iterable[Path],
    known: dict[str, int],
    *,
    texts: bool = True,
) -> Ingested:
    """Merge the files that are new or have grown; the latest row of a key wins."""
    sizes = {path: path.stat().st_size for path in sorted(paths)}
    grown = {path: size for path, size in sizes.items() if known.get(str(path.relative_to(root))) != size}
    rows = 0
    for files in _batches(grown):
        try:
            rows += _merge_files(store, root, files, texts=texts)
        except duckdb.OutOfMemoryException:
            store.rollback()
            store.execute(f"SET memory_limit = '{MEMORY}'")
            rows += _merge_files(store, root, files, texts=texts)
    return Ingested(len(grown), rows)


def _batches(sizes: dict[Path, int]) -> Iterator[dict[Path, int]]:
    """Yield the files, of BATCH_BYTES together where they are not larger alone."""
    batch: dict[Path, int] = {}
    for path, size in sizes.items():
        if batch and sum(batch.values()) + size > BATCH_BYTES:
            yield batch
            batch = {}
        batch[path] = size
    if batch:
        yield batch


def _merge_files(store: duckdb.DuckDBPyConnection, root: Path, sizes: dict[Path, int], *, texts: bool) -> int:
    """Merge these files in one transaction; return the number of rows."""
    rows = 0
    store.begin()
    for row in TABLES:
        files = [str(path) for path in sizes if path.parent.name == row.table]
        if files:
            rows += _merge_table(store, row, files, texts=texts)
    store.execute(
        """UPDATE calls SET cached = true FROM attempts a
           WHERE calls.run_id IN (SELECT unnest(?)) AND NOT calls.cached AND calls.error_kind IS NULL
             AND (a.run_id, a.problem_id, a.sample) = (calls.run_id, calls.problem_id, calls.sample)
             AND a.execution_id <> calls.execution_id""",
        [sorted({path.parent.parent.name for path in sizes})],
    )
    store.executemany(
        "INSERT OR REPLACE INTO spool_files VALUES (?, ?)",
        [[str(path.relative_to(root)), size] for path, size in sizes.items()],
    )
    store.commit()
    return rows


def _merge_table(store: duckdb.DuckDBPyConnection, row: type[Row], files: list[str], *, texts: bool) -> int:
    types: dict[str, str] = dict(
        store.execute(
            "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = ? "
            "ORDER BY ordinal_position",
            [row.table],
        ).fetchall()
    )
    columns = ", ".join(_column(row, name, texts) for name in types)
    read = ", ".join(f"'{name}': '{kind}'" for name, kind in types.items() if texts or not _is_text(row, name))
    keys = ", ".join(row.key)
    same = " AND ".join(f"old.{name} = new.{name}" for name in row.key)
    # DuckDB allots a buffer for the largest object it may meet; no line is longer than its file.
    longest = max(64 * 1024, *(Path(file).stat().st_size for file in files))
    store.execute(
        f"""CREATE OR REPLACE TEMP TABLE incoming AS SELECT {columns}
            FROM read_json(?, format='newline_delimited', ignore_errors=true, maximum_object_size={longest},
                           columns={{{read}}})
            WHERE run_id IS NOT NULL
            QUALIFY row_number() OVER (PARTITION BY {keys} ORDER BY written_at DESC) = 1""",
        [files],
    )
    store.execute(
        f"""DELETE FROM incoming AS new
            WHERE EXISTS (FROM {row.table} old WHERE {same} AND old.written_at > new.written_at)"""
    )
    store.execute(f"DELETE FROM {row.table} AS old WHERE EXISTS (FROM incoming new WHERE {same})")
    count: int = store.execute(f"INSERT INTO {row.table} SELECT * FROM incoming").fetchall()[0][0]
    store.execute("DROP TABLE incoming")
    return count


def _column(row: type[Row], name: str, texts: bool) -> str:
    if not texts and _is_text(row, name):
        return f"NULL AS {name}"
    if row is CallRow and name in ("messages", "reply", "reasoning"):
        return f"CASE WHEN keep_text THEN {name} END AS {name}"
    return name


def _is_text(row: type[Row], name: str) -> bool:
    return name in TEXTS or name in MORE_TEXTS.get(row.table, ())


if __name__ == "__main__":
    with contextlib.suppress(StoreLocked, StoreBroken):
        ingest(Path(sys.argv[1]))

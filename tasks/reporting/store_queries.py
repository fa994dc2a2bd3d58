"""What a report asks of the store beyond a run's summary: which runs there are, and how one went in detail."""

from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import duckdb

from blocks.database import StoreBroken, StoreLocked, connect, ingest
from blocks.errors import UsageError
from blocks.migrations import MIGRATIONS
from blocks.spool import spool_folder, store_file
from tasks.reporting.queries import row, table


class Store(NamedTuple):
    """An open store, and what its reader should know about what it does not hold yet."""

    db: duckdb.DuckDBPyConnection
    notice: str | None


def open_store(output: Path) -> Store:
    """Merge the spools that wait, as far as the file can be written, then open it for reading.

    Raises UsageError where there is no store to read, StoreLocked where another process writes to it.
    """
    file = store_file(output)
    if not file.exists() and not spool_folder(output).is_dir():
        raise UsageError(f"{output}: no store here; run flows/solve.py first, or name its folder with --output")
    notice = None
    try:
        ingest(output)
    except StoreLocked as locked:
        notice = f"{locked}: rows that wait in the spools are not in this report"
    except StoreBroken as broken:
        raise UsageError(str(broken)) from None
    except (duckdb.IOException, duckdb.ConnectionException) as problem:  # the latter: this process reads it already
        notice = f"{file} cannot be written ({_first_line(problem)}): rows in the spools are not in this report"
    try:
        db = connect(output, read_only=True)
        known: int = row(db, "SELECT count(*) AS known FROM migrations")["known"]
    except duckdb.Error as problem:
        raise UsageError(f"{file}: not a store that can be read ({_first_line(problem)}); move it away") from None
    if known < len(MIGRATIONS):
        db.close()
        raise StoreLocked(f"{file} is of an older Consort, and cannot be brought up to date while it is held open")
    return Store(db, notice)


def run_ids(db: duckdb.DuckDBPyConnection) -> list[str]:
    """Return every run that was ever worked on, the latest first."""
    runs = table(
        db,
        """SELECT run_id FROM runs JOIN executions USING (run_id)
           GROUP BY run_id ORDER BY max(started_at) DESC, run_id""",
    )
    return [each["run_id"] for each in runs]


def find_run(db: duckdb.DuckDBPyConnection, wanted: str) -> str:
    """Return the run that `latest`, an id or the beginning of one id names; raises UsageError."""
    known = run_ids(db)
    if not known:
        raise UsageError("the store holds no run yet; run flows/solve.py first, or name its folder with --output")
    if wanted == "latest":
        return known[0]
    found = [run_id for run_id in known if wanted and run_id.startswith(wanted.lower())]
    if wanted in known or len(found) == 1:
        return wanted if wanted in known else found[0]
    if found:
        said = ", ".join(run_id[: len(wanted) + 8] for run_id in found[:5])
        raise UsageError(f"--run {wanted!r} begins the ids of {len(found)} runs ({said}); give more of the id")
    raise UsageError(f"--run {wanted!r}: the store holds no such run; --all lists the {len(known)} that it holds")


class RunAbout(NamedTuple):
    """What a run is. `problems` is how many its latest execution was asked for."""

    flow: str
    dataset: str
    strategy: str
    models: list[str]
    language: str
    temperature: float | None
    top_p: float | None
    samples: int
    problems: int
    configuration: str
    folder: str
    created_at: datetime


def run_about(db: duckdb.DuckDBPyConnection, run_id: str) -> RunAbout:
    """Return what a run is."""
    return RunAbout(**row(db, f"SELECT {', '.join(RunAbout._fields)} FROM runs WHERE run_id = ?", run_id))


class Execution(NamedTuple):
    """One flow run's work on a run. `paid_calls` counts the replies that it was the first to get."""

    execution_id: str
    status: str
    workers: int
    eval_workers: int
    wall_seconds: float | None
    started_at: datetime
    paid_calls: int


def executions(db: duckdb.DuckDBPyConnection, run_id: str) -> list[Execution]:
    """Return a run's executions, oldest first.

    One process at a time works on a run: an execution that still says "running" and is not the last was killed.
    """
    found = table(
        db,
        """SELECT execution_id, workers, eval_workers, wall_seconds, started_at,
                  coalesce(paid, 0) AS paid_calls,
                  CASE WHEN status <> 'running' THEN status
                       WHEN lead(execution_id) OVER (ORDER BY e.started_at) IS NULL THEN 'running or killed'
                       ELSE 'killed' END AS status
           FROM executions e LEFT JOIN (
               SELECT execution_id, count(*) AS paid FROM calls
               WHERE run_id = $1 AND error_kind IS NULL GROUP BY execution_id
           ) USING (execution_id)
           WHERE run_id = $1 ORDER BY started_at""",
        run_id,
    )
    return [Execution(**each) for each in found]


class ReplyTimes(NamedTuple):
    """How long the replies of one model took, in seconds; None where nothing was measured."""

    model_number: int
    replies: int
    recorded: int
    mean: float | None
    p50: float | None
    p95: float | None
    longest: float | None
    ttft_mean: float | None
    ttft_p95: float | None


def reply_times(db: duckdb.DuckDBPyConnection, run_id: str) -> list[ReplyTimes]:
    """Return the latencies of each of the run's models that replied."""
    found = table(
        db,
        """SELECT model_number, count(*) AS replies, count(*) FILTER (recorded) AS recorded, avg(seconds) AS mean,
                  quantile_cont(seconds, 0.5) AS p50, quantile_cont(seconds, 0.95) AS p95, max(seconds) AS longest,
                  avg(ttft) AS ttft_mean, quantile_cont(ttft, 0.95) AS ttft_p95
           FROM calls WHERE run_id = ? AND error_kind IS NULL GROUP BY model_number ORDER BY model_number""",
        run_id,
    )
    return [ReplyTimes(**each) for each in found]


class StageUse(NamedTuple):
    """What one model was asked in one stage; None where it is not known."""

    stage: str
    model_number: int
    api_calls: int
    prompt_tokens: int | None
    completion_tokens: int | None
    without_usage: int
    cost_usd: float | None
    mean_seconds: float | None
    asked_again: int | None


def stage_use(db: duckdb.DuckDBPyConnection, run_id: str) -> list[StageUse]:
    """Return what each stage took of each model, in the order in which the stages first ran.

    A call was asked again where it repeats the prompt of the call before it and no program was run between the
    two. That is not known where prompts are not kept, nor of replayed calls, whose programs were run anew.
    """
    found = table(
        db,
        """WITH replies AS (
               SELECT *, coalesce(lag(stage) OVER turn = stage AND lag(hash(messages)) OVER turn = hash(messages)
                                  AND lag(finished_at) OVER turn <= started_at, false) AS repeats,
                      lag(finished_at) OVER turn AS before
               FROM calls WHERE run_id = $1 AND error_kind IS NULL
               WINDOW turn AS (PARTITION BY problem_id, sample ORDER BY started_at, ordinal)
           ), again AS (
               SELECT call_key FROM replies r WHERE repeats AND NOT EXISTS (
                   FROM programs p WHERE p.run_id = $1 AND (p.problem_id, p.sample) = (r.problem_id, r.sample)
                   AND p.written_at BETWEEN r.before AND r.started_at)
           )
           SELECT stage, model_number, count(*) AS api_calls, sum(prompt_tokens)::BIGINT AS prompt_tokens,
                  sum(completion_tokens)::BIGINT AS completion_tokens,
                  count(*) FILTER (prompt_tokens IS NULL OR completion_tokens IS NULL) AS without_usage,
                  CASE WHEN bool_and(cost IS NOT NULL AND currency = 'USD') THEN sum(cost) END AS cost_usd,
                  avg(seconds) AS mean_seconds,
                  CASE WHEN bool_and(messages IS NOT NULL) AND NOT bool_or(repeats AND cached)
                       THEN count(again.call_key) END AS asked_again
           FROM replies LEFT JOIN again USING (call_key) GROUP BY stage, model_number
           ORDER BY min(min(started_at)) OVER (PARTITION BY stage), model_number""",
        run_id,
    )
    return [StageUse(**each) for each in found]


class AttemptError(NamedTuple):
    """An attempt that has an error kind, and what was said."""

    problem_id: str
    sample: int
    error_kind: str
    error: str | None


def attempt_errors(db: duckdb.DuckDBPyConnection, run_id: str, most: int) -> list[AttemptError]:
    """Return the first attempts with an error, one kind after the other."""
    found = table(
        db,
        """SELECT problem_id, sample, error_kind, error FROM attempts WHERE run_id = ? AND error_kind IS NOT NULL
           ORDER BY row_number() OVER (PARTITION BY error_kind ORDER BY problem_id, sample), error_kind LIMIT ?""",
        run_id,
        most,
    )
    return [AttemptError(**each) for each in found]


class FailedCalls(NamedTuple):
    """The calls to one model that brought no reply, by what the failure means; `said` is the latest message."""

    model_number: int
    error_kind: str
    status: int | None
    calls: int
    said: str | None


def failed_calls(db: duckdb.DuckDBPyConnection, run_id: str) -> list[FailedCalls]:
    """Return the calls that brought no reply, the most frequent failure first."""
    found = table(
        db,
        """SELECT model_number, error_kind, status, count(*) AS calls, arg_max(error, started_at) AS said
           FROM calls WHERE run_id = ? AND error_kind IS NOT NULL
           GROUP BY model_number, error_kind, status ORDER BY calls DESC, model_number, error_kind, status""",
        run_id,
    )
    return [FailedCalls(**each) for each in found]


class GradingUse(NamedTuple):
    """What the tests of one suite with one outcome took of the machine; None where nothing was measured."""

    suite: str
    outcome: str
    tests: int
    cpu_mean: float | None
    cpu_most: float | None
    wall_most: float | None
    peak_mb: float | None


def grading_use(db: duckdb.DuckDBPyConnection, run_id: str) -> list[GradingUse]:
    """Return what the tests took of CPU and wall time (seconds) and memory (MiB), by outcome, passed first."""
    found = table(
        db,
        """SELECT suite, outcome, count(*) AS tests, avg(cpu_seconds) AS cpu_mean, max(cpu_seconds) AS cpu_most,
                  max(wall_seconds) AS wall_most, max(peak_memory) AS peak_mb
           FROM tests WHERE run_id = ?
           GROUP BY suite, outcome ORDER BY suite DESC, outcome <> 'passed', tests DESC, outcome""",
        run_id,
    )
    return [GradingUse(**each) for each in found]


class Round(NamedTuple):
    """The programs of one round: how many passed the public samples, had none, were an attempt's last, solved it."""

    round: int
    programs: int
    passed: int
    unchecked: int
    last: int
    solved: int


def rounds(db: duckdb.DuckDBPyConnection, run_id: str) -> list[Round]:
    """Return what became of the programs of each round."""
    found = table(
        db,
        """SELECT round, count(*) AS programs,
                  count(*) FILTER (p.samples > 0 AND p.samples_passed = p.samples) AS passed,
                  count(*) FILTER (p.samples = 0) AS unchecked, count(*) FILTER (final) AS last,
                  count(*) FILTER (final AND a.solved) AS solved
           FROM (SELECT *, round = max(round) OVER (PARTITION BY problem_id, sample) AS final
                 FROM programs WHERE run_id = $1) p
           LEFT JOIN (FROM attempts WHERE run_id = $1) a USING (problem_id, sample)
           GROUP BY round ORDER BY round""",
        run_id,
    )
    return [Round(**each) for each in found]


def _first_line(problem: Exception) -> str:
    return str(problem).strip().partition("\n")[0][:200]

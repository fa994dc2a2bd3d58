"""The questions that reports ask, over the store's tables: a run's spool in memory and the DuckDB file alike."""

import json
import re
from datetime import UTC
from typing import Any, NamedTuple

import duckdb

from tasks.reporting.estimates import accuracy, accuracy_by_tests, any_of_k, pass_at_k
from tasks.reporting.summary import WITH_TESTS, ModelUse, Summary


class Standing(NamedTuple):
    """How the problems of a run stand."""

    problems: int
    solved: int
    unsolved: int
    errors: int


class AttemptUse(NamedTuple):
    """What one attempt took and came to. `accuracy` is the percentage of its tests that it passed.

    `solved` is None where it ended in an error; `prompt_tokens` and `completion_tokens` are None where a reply came
    without. `seconds` is what its calls took.
    """

    problem_id: str
    sample: int
    solved: bool | None
    outcome: str
    error_kind: str | None
    execution_id: str
    language: str | None
    served_by: list[str] | None
    accuracy: float | None
    api_calls: int
    prompt_tokens: int | None
    completion_tokens: int | None
    seconds: float | None

    @property
    def tokens(self) -> int | None:
        """Prompts and replies together."""
        if self.prompt_tokens is None or self.completion_tokens is None:
            return None
        return self.prompt_tokens + self.completion_tokens


def summary(db: duckdb.DuckDBPyConnection, run_id: str) -> Summary:
    """Return the summary of a run."""
    run = row(db, "SELECT flow, dataset, strategy, models, samples, configuration FROM runs WHERE run_id = ?", run_id)
    estimate = pass_at_k(db, run_id, run["samples"])
    until_solved = bool(json.loads(run["configuration"]).get("until_solved"))
    ends = row(
        db,
        """SELECT min(started_at) AS started_at, max(finished_at) AS finished_at,
                  arg_max(wall_seconds, started_at) AS wall_seconds,
                  arg_max(execution_id, started_at) AS execution_id, arg_max(isolation, started_at) AS isolation
           FROM executions WHERE run_id = ?""",
        run_id,
    )
    graded = row(
        db,
        """SELECT CASE WHEN bool_or(isolation = 'process') THEN 'process' ELSE max(isolation) END AS isolation
           FROM attempts WHERE run_id = ?""",
        run_id,
    )
    use = model_use(db, run_id)
    said = standing(db, run_id)
    calls = row(
        db,
        """SELECT count(*) AS api_calls, sum(prompt_tokens)::BIGINT AS prompt_tokens,
                  sum(completion_tokens)::BIGINT AS completion_tokens,
                  count(*) FILTER (prompt_tokens IS NULL OR completion_tokens IS NULL) AS without_usage,
                  count(*) FILTER (execution_id <> ?) AS cached, coalesce(bool_or(recorded), false) AS recorded,
                  coalesce(sum(prompt_tokens + completion_tokens) FILTER (ended), 0)::BIGINT AS tokens_of_ended
           FROM calls LEFT JOIN (SELECT DISTINCT problem_id, sample, true AS ended FROM attempts WHERE run_id = ?)
                USING (problem_id, sample)
           WHERE run_id = ? AND error_kind IS NULL""",
        ends["execution_id"],
        run_id,
        run_id,
    )
    unknown = not said.problems or not calls["api_calls"] or calls["without_usage"]
    costs = [each.cost_usd for each in use.values()]
    return Summary(
        run_id=run_id,
        flow=run["flow"],
        dataset=run["dataset"],
        strategy=run["strategy"],
        models=use,
        problems=said.problems,
        solved=said.solved,
        unsolved=said.unsolved,
        errors=said.errors,
        accuracy=accuracy(db, run_id),
        test_accuracy=accuracy_by_tests(db, run_id) if run["flow"] in WITH_TESTS else None,
        pass_at_k=dict.fromkeys(estimate) if until_solved else estimate,
        any_of_k=any_of_k(db, run_id, run["samples"]) if until_solved else None,
        api_calls=calls["api_calls"],
        prompt_tokens=calls["prompt_tokens"],
        completion_tokens=calls["completion_tokens"],
        tokens_per_problem=None if unknown else round(calls["tokens_of_ended"] / said.problems, 1),
        calls_without_usage=calls["without_usage"],
        cost_usd=None if None in costs or not costs else sum(cost for cost in costs if cost is not None),
        cached_calls=calls["cached"],
        wall_seconds=ends["wall_seconds"],
        generation_seconds=busy_seconds(db, run_id, "calls", "started_at"),
        evaluation_seconds=busy_seconds(db, run_id, "attempts", "grading_started_at"),
        recorded=calls["recorded"],
        mixed_models=_mixed(db, run_id),
        isolation=graded["isolation"] or ends["isolation"],
        started_at=ends["started_at"].replace(tzinfo=UTC),
        finished_at=None if ends["finished_at"] is None else ends["finished_at"].replace(tzinfo=UTC),
    )


def standing(db: duckdb.DuckDBPyConnection, run_id: str) -> Standing:
    """Count problems: solved by some sample, else in error where a sample is, else unsolved."""
    counts = row(
        db,
        """SELECT count(*) AS problems, count(*) FILTER (solved) AS solved,
                  count(*) FILTER (NOT solved AND NOT failed) AS unsolved,
                  count(*) FILTER (NOT solved AND failed) AS errors
           FROM (SELECT coalesce(bool_or(solved), false) AS solved, bool_or(solved IS NULL) AS failed
                 FROM attempts WHERE run_id = ? GROUP BY problem_id)""",
        run_id,
    )
    return Standing(**counts)


def model_use(db: duckdb.DuckDBPyConnection, run_id: str) -> dict[str, ModelUse]:
    """Return calls, tokens and cost of each of the run's models, by name, Model 1 first."""
    models: list[str] = row(db, "SELECT models FROM runs WHERE run_id = ?", run_id)["models"]
    used = table(
        db,
        """SELECT model_number, count(*) AS api_calls, sum(prompt_tokens)::BIGINT AS prompt_tokens,
                  sum(completion_tokens)::BIGINT AS completion_tokens,
                  CASE WHEN bool_and(cost IS NOT NULL AND currency = 'USD') THEN sum(cost) END AS cost_usd
           FROM calls WHERE run_id = ? AND error_kind IS NULL GROUP BY model_number""",
        run_id,
    )
    by_number = {each.pop("model_number"): ModelUse(**each) for each in used}
    unused = ModelUse(api_calls=0, prompt_tokens=0, completion_tokens=0, cost_usd=0.0)
    return {
        name if models.count(name) == 1 else f"{name}#{number}": by_number.get(number, unused)
        for number, name in enumerate(models, start=1)
    }


def busy_seconds(db: duckdb.DuckDBPyConnection, run_id: str, table_name: str, start: str) -> float | None:
    """Return the seconds in which at least one row's span from `start` to its end was in progress."""
    busy: float | None = row(
        db,
        f"""SELECT sum(greatest(0, epoch(ended) - epoch(greatest(began, coalesce(reach, began))))) AS busy
            FROM (SELECT {start} AS began, finished_at AS ended,
                         max(finished_at) OVER (ORDER BY {start}, finished_at
                                                ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS reach
                  FROM {table_name} WHERE run_id = ? AND {start} IS NOT NULL)""",
        run_id,
    )["busy"]
    return None if busy is None else round(busy, 3)


def attempt_use(db: duckdb.DuckDBPyConnection, run_id: str) -> list[AttemptUse]:
    """Return every attempt that has ended, Sample/2 before Sample/10."""
    found = db.execute(
        """SELECT a.problem_id, a.sample, a.solved, a.outcome, a.error_kind, a.execution_id, a.language, a.served_by,
                  CASE WHEN a.solved IS NOT NULL AND a.tests > 0 THEN 100.0 * a.tests_passed / a.tests END,
                  coalesce(c.api_calls, 0), CASE WHEN c.api_calls IS NULL THEN 0 ELSE c.prompt_tokens END,
                  CASE WHEN c.api_calls IS NULL THEN 0 ELSE c.completion_tokens END, c.seconds
           FROM attempts a LEFT JOIN (
               SELECT problem_id, sample, count(*) AS api_calls, sum(seconds) AS seconds,
                      CASE WHEN count(prompt_tokens) = count(*) THEN sum(prompt_tokens)::BIGINT END AS prompt_tokens,
                      CASE WHEN count(completion_tokens) = count(*) THEN sum(completion_tokens)::BIGINT END
                          AS completion_tokens
               FROM calls WHERE run_id = $1 AND error_kind IS NULL GROUP BY problem_id, sample
           ) c USING (problem_id, sample)
           WHERE a.run_id = $1""",
        [run_id],
    ).fetchall()
    return sorted(map(AttemptUse._make, found), key=lambda one: (natural(one.problem_id), one.sample))


def natural(name: str) -> list[tuple[int, str]]:
    """Return a key that sorts the numbers in names as numbers."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]


def row(db: duckdb.DuckDBPyConnection, query: str, *values: object) -> dict[str, Any]:
    """Return the one row of a query, by column; raises LookupError where there is none."""
    rows = table(db, query, *values)
    if not rows:
        raise LookupError(f"no such row: {values}")
    return rows[0]


def table(db: duckdb.DuckDBPyConnection, query: str, *values: object) -> list[dict[str, Any]]:
    """Return the rows of a query, by column."""
    result = db.execute(query, list(values))
    names = [column[0] for column in result.description or ()]
    return [dict(zip(names, each, strict=True)) for each in result.fetchall()]


def _mixed(db: duckdb.DuckDBPyConnection, run_id: str) -> bool:
    """Tell whether one pool was served by different models."""
    mixed: bool = row(
        db,
        """SELECT coalesce(bool_or(models > 1), false) AS mixed FROM (
               SELECT count(DISTINCT model) AS models FROM calls
               WHERE run_id = ? AND error_kind IS NULL GROUP BY pool)""",
        run_id,
    )["mixed"]
    return mixed

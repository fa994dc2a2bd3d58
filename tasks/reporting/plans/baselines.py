"""A run of plans beside runs of one model over the same questions, from the store."""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import duckdb

from blocks.database import StoreLocked
from blocks.errors import UsageError
from tasks.plans.answered import Answered
from tasks.plans.metrics import mean, total, use_of
from tasks.reporting.pages import Cell, Column, Table
from tasks.reporting.queries import table
from tasks.reporting.store_queries import open_store

FLOW = "single_model"
THIS = "plan and execute, this run"


class Outcome(NamedTuple):
    """What one question came to; prompt and completion tokens together. None: unknown."""

    correct: bool | None
    wall_seconds: float | None
    tokens: int | None
    cost_usd: float | None
    recorded: bool


class Baseline(NamedTuple):
    """A run of one model, and what its questions came to by their ids."""

    run_id: str
    model: str
    outcomes: Mapping[str, Outcome]


class Baselines(NamedTuple):
    """The runs that were found; `notice` says where the store could not be read."""

    runs: tuple[Baseline, ...]
    notice: str = ""


def baselines(output: Path, dataset_hash: str, ids: Collection[str]) -> Baselines:
    """Return for each model its latest run over the same dataset that answered any of these questions.

    A store that is missing or held by another process is no error: the notice says so.
    """
    try:
        store = open_store(output)
    except (StoreLocked, UsageError) as problem:
        return Baselines((), f"no single model is shown beside this run, as the store cannot be read ({problem})")
    with store.db as db:
        runs = [_baseline(db, run_id, model, ids) for run_id, model in _runs(db, dataset_hash)]
    latest: dict[str, Baseline] = {}
    for run in runs:
        if run.outcomes:
            latest.setdefault(run.model, run)
    return Baselines(tuple(latest.values()), store.notice or "")


def _runs(db: duckdb.DuckDBPyConnection, dataset_hash: str) -> list[tuple[str, str]]:
    """The runs of one model over a dataset, by id and model, that which was worked on last first."""
    found = table(
        db,
        """SELECT run_id, models, configuration FROM runs JOIN executions USING (run_id) WHERE flow = ?
           GROUP BY run_id, models, configuration ORDER BY max(started_at) DESC, run_id""",
        FLOW,
    )
    return [
        (each["run_id"], " + ".join(each["models"]))
        for each in found
        if json.loads(each["configuration"]).get("dataset_hash") == dataset_hash
    ]


def _baseline(db: duckdb.DuckDBPyConnection, run_id: str, model: str, ids: Collection[str]) -> Baseline:
    rows = table(
        db,
        """SELECT problem_id, correct, wall_seconds, tokens, cost_usd, coalesce(recorded, false) AS recorded
           FROM answers LEFT JOIN (
               SELECT problem_id, sample, bool_or(recorded) AS recorded,
                      CASE WHEN bool_and(prompt_tokens IS NOT NULL AND completion_tokens IS NOT NULL)
                           THEN sum(prompt_tokens + completion_tokens)::BIGINT END AS tokens,
                      CASE WHEN bool_and(cost IS NOT NULL AND currency = 'USD') THEN sum(cost) END AS cost_usd
               FROM calls WHERE run_id = $1 AND error_kind IS NULL GROUP BY problem_id, sample
           ) USING (problem_id, sample)
           WHERE run_id = $1 AND sample = 0 AND problem_id IN (SELECT unnest($2))""",
        run_id,
        list(ids),
    )
    return Baseline(run_id, model, {row.pop("problem_id"): Outcome(**row) for row in rows})


def beside_table(those: Iterable[Answered], found: Baselines) -> Table:
    """Return this run beside each baseline, on the questions that both have an answer to."""
    mine = {one.answer.problem_id: _outcome(one) for one in those if one.answer.sample == 0}
    groups: dict[frozenset[str], list[Baseline]] = defaultdict(list)
    for run in found.runs:
        if common := frozenset(mine.keys() & run.outcomes.keys()):
            groups[common].append(run)
    columns = (
        Column("who answered"),
        Column("questions in common", "count"),
        Column("correct", "count"),
        Column("judged", "count"),
        Column("accuracy %", "percent"),
        Column("mean seconds", "seconds"),
        Column("tokens", "count"),
        Column("cost (USD)", "usd"),
    )
    rows = [
        row
        for common, runs in groups.items()
        for row in (
            _row(THIS, [mine[id] for id in common]),
            *(_row(f"{run.model} alone, run {run.run_id[:8]}", [run.outcomes[id] for id in common]) for run in runs),
        )
    ]
    note = "Each model alone is shown by its latest run, below this run on the questions that both answered."
    notes = [note if rows else "", found.notice]
    return Table("Beside a single model", columns, tuple(rows), " ".join(each for each in notes if each))


def _outcome(one: Answered) -> Outcome:
    use = use_of(one.calls)
    tokens = total((use.prompt_tokens, use.completion_tokens)) if use.calls else None
    cost = use.cost_usd if use.calls else None
    recorded = any(call.recorded for call in one.calls)
    return Outcome(one.answer.correct, one.answer.wall_seconds, tokens, cost, recorded)


def _row(who: str, those: Sequence[Outcome]) -> tuple[Cell, ...]:
    judged = [each.correct for each in those if each.correct is not None]
    return (
        who + (" (recorded)" if any(each.recorded for each in those) else ""),
        len(those),
        sum(judged),
        len(judged),
        100 * sum(judged) / len(judged) if judged else None,
        mean(each.wall_seconds for each in those),
        total(each.tokens for each in those),
        total(each.cost_usd for each in those),
    )

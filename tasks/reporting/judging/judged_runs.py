"""Runs to judge, found and read in the store: answers, steps, and who wrote the plans."""

import json
from pathlib import Path
from typing import Any

import duckdb

from blocks.database import load_run
from blocks.errors import UsageError
from blocks.records import AnswerRow, StepRow
from tasks.judging.judged import JudgedRun, Question
from tasks.reporting.queries import natural, row, table
from tasks.reporting.store_queries import find_run, open_store, run_about, run_ids

LATEST = "latest"
PLANS = "plan_execute"  # the flow whose runs are judged
JUDGE = "judge"  # the flow that judges them


def read_judged(output: Path, wanted: str) -> JudgedRun:
    """Read the run of plans that an id, the beginning of one or `latest` names, from the store.

    Raises UsageError where there is none, StoreLocked where another process writes to the store.
    """
    with open_store(output).db as db:
        return _judged(db, find_run_of(db, PLANS, wanted))


def spooled_run(output: Path, run_id: str) -> JudgedRun:
    """Read a run of plans from its spool, whoever holds the store."""
    with load_run(output, run_id) as db:
        return _judged(db, run_id)


def find_run_of(db: duckdb.DuckDBPyConnection, flow: str, wanted: str) -> str:
    """Return the run of a flow that an id or the beginning of one names, or `latest`; raises UsageError."""
    if wanted != LATEST:
        run_id = find_run(db, wanted)
        known = run_about(db, run_id).flow
        if known != flow:
            raise UsageError(f"--run {wanted!r} is a run of {known}; give one of {flow} (report.py --all lists them)")
        return run_id
    mine = {each["run_id"] for each in table(db, "SELECT run_id FROM runs WHERE flow = ?", flow)}
    found = next((run_id for run_id in run_ids(db) if run_id in mine), None)
    if found is None:
        raise UsageError(f"the store holds no run of {flow} yet; run flows/{flow}.py first, or name its --output")
    return found


def _judged(db: duckdb.DuckDBPyConnection, run_id: str) -> JudgedRun:
    about = run_about(db, run_id)
    configuration: dict[str, Any] = json.loads(about.configuration)
    answers = [AnswerRow.model_validate(each) for each in table(db, "FROM answers WHERE run_id = ?", run_id)]
    planners = _planners(db, run_id)
    questions = [
        Question(answer, _steps(db, answer), planners.get((answer.problem_id, answer.sample)))
        for answer in sorted(answers, key=lambda answer: (natural(answer.problem_id), answer.sample))
    ]
    return JudgedRun(
        run_id, about.dataset, configuration["dataset_hash"], tuple(configuration["references"]), tuple(questions)
    )


def _steps(db: duckdb.DuckDBPyConnection, answer: AnswerRow) -> tuple[StepRow, ...]:
    """The steps of the plan that was carried out, of the execution that came to the answer."""
    found = table(
        db,
        """FROM steps WHERE (run_id, problem_id, sample, execution_id) = (?, ?, ?, ?) AND NOT discarded
           ORDER BY plan, step""",
        answer.run_id,
        answer.problem_id,
        answer.sample,
        answer.execution_id,
    )
    return tuple(StepRow.model_validate(each) for each in found)


def _planners(db: duckdb.DuckDBPyConnection, run_id: str) -> dict[tuple[str, int], str]:
    """The model that wrote the last plan of each question and sample."""
    found = table(
        db,
        """SELECT problem_id, sample, arg_max(model, started_at) AS model FROM calls
           WHERE run_id = ? AND stage = 'planning' AND error_kind IS NULL GROUP BY problem_id, sample""",
        run_id,
    )
    return {(each["problem_id"], each["sample"]): each["model"] for each in found}


def folder_of(db: duckdb.DuckDBPyConnection, run_id: str) -> Path | None:
    """Return a run's folder, None where it is no longer there."""
    folder = Path(row(db, "SELECT folder FROM runs WHERE run_id = ?", run_id)["folder"])
    return folder if folder.is_dir() else None

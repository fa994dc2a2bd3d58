"""Runs of plans to be judged, written row by row, and judges whose replies are recorded."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from blocks.database import ingest
from blocks.records import CallRow, ExecutionRow, JudgementRow, Record, RunRow
from blocks.spool import Spool, read_lines
from tasks.attempts import attempt
from tasks.judging.dimensions import DIMENSIONS, USE
from tasks.judging.jobs import Judging, prepare_judging
from tasks.judging.running import work_of
from tasks.records import Attempt
from tests.plans.recordings import record, reply
from tests.plans.rows import RUN, START, call, planned, step

PLAN = DIMENSIONS["planner"]
STEP = DIMENSIONS["executor"]
FIRST_STEP = tuple(name for name in STEP if name != USE)
Rows = list[Record]


def scores(names: Iterable[str], *values: Any, reason: str = "so it is") -> str:
    """A judge's reply: the last score is for all that are left."""
    names = list(names)
    given = [*values, *[values[-1]] * (len(names) - len(values))]
    return json.dumps({name: {"reason": reason, "score": score} for name, score in zip(names, given, strict=True)})


def question(id: str = "q1", *, run_id: str = RUN, **fields: Any) -> list[Any]:
    """A question with two steps, the second of which relies on the first, and the call that planned it."""
    steps = [
        step(1, problem_id=id, run_id=run_id),
        step(2, 1, problem_id=id, run_id=run_id, size="large", model="large-4o"),
    ]
    one = planned(*steps, problem_id=id, run_id=run_id, **fields)
    return [one.answer, *steps, call("planning", 1, problem_id=id, run_id=run_id, model="planner-1.7b")]


def spool(output: Path, rows: Iterable[Any], *, run_id: str = RUN, flow: str = "plan_execute", **about: Any) -> None:
    """Write a run with these rows, and merge it into the store."""
    references = about.pop("references", ["one", "two", "three"])
    configuration = {"dataset_hash": "0" * 64, "references": references}
    run = RunRow(
        run_id=run_id, flow=flow, dataset="ten", strategy=flow, models=["planner", "small", "large"],
        language="text", temperature=None, top_p=None, samples=1, problems=1,
        configuration=json.dumps(configuration), folder=str(output / flow), created_at=START,
    )  # fmt: skip
    execution = ExecutionRow(
        run_id=run_id, execution_id="first", flow_run_id=None, flow_run_name=None, status="done", isolation=None,
        workers=1, eval_workers=1, started_at=about.pop("started_at", START),
    )  # fmt: skip
    spooled = Spool(output, run_id, "first")
    for row in (run, execution, *rows):
        spooled.append(row)
    spooled.close()
    ingest(output)


class Judged(NamedTuple):
    """What became of one question: the attempt, its judgements, its calls."""

    attempt: Attempt
    rows: list[JudgementRow]
    calls: list[CallRow]

    def score(self, role: str, dimension: str, step: int = 0) -> int | None:
        found = {(row.role, row.step, row.dimension): row.score for row in self.rows}
        return found[role, step, dimension]

    def prompts(self, stage: str) -> list[str]:
        return [(call.messages or [])[0].content for call in self.calls if call.stage == stage]


def judge_file(folder: Path, *replies: dict[str, Any]) -> str:
    """A recorded judge, as a model reference."""
    return f"recorded:{record(folder / 'judge.jsonl', replies)}"


def good(id: str = "q1") -> list[dict[str, Any]]:
    """Replies for a question of two steps, in which nothing has to be repaired."""
    return [
        reply(id, "judging_planner", scores(PLAN, 4)),
        reply(id, "judging_executor", scores(FIRST_STEP, 5), 1),
        reply(id, "judging_executor", scores(STEP, 3), 2),
    ]


async def prepared(output: Path, judge: str | None, **parameters: Any) -> Judging:
    usual: dict[str, Any] = {
        "run": "latest", "planner_only": False, "executor_only": False, "questions": 4, "limit": None, "seed": 0,
        "timeout": 30.0, "temperature": None, "top_p": None, "max_tokens": None,
    }  # fmt: skip
    return await prepare_judging(output=output, judge=judge, **{**usual, **parameters})


async def judged(output: Path, judge: str, **parameters: Any) -> Judged:
    """Judge the first question of the latest run, by real HTTP to the recorded judge."""
    judging = await prepared(output, judge, **parameters)
    async with judging.job.open() as run:
        try:
            done = await attempt(run, judging.job.problems[0], 0, work_of(judging, {}))
        finally:
            folder = run.spool.folder
        return Judged(done, rows_of(folder, JudgementRow), rows_of(folder, CallRow))


def rows_of(folder: Path, kind: type[Any]) -> list[Any]:
    return [kind.model_validate_json(line) for _, line in read_lines(folder / kind.table)]

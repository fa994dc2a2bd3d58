"""Questions judged as attempts: one task run each, and the reports of what came of it."""

import asyncio
import time
from collections.abc import Collection
from pathlib import Path

from prefect import runtime
from rich.console import Console

from blocks.records import AttemptRow, JudgementRow, now
from tasks.attempt_tasks import Item, attempt_all, finished, not_worth_a_run
from tasks.attempts import Work
from tasks.executions import Status, end_rows, start_rows
from tasks.judging.dimensions import Role
from tasks.judging.jobs import FLOW, Judging, judging_of
from tasks.judging.results import FOLDER, evaluation_of, mean_of
from tasks.judging.scoring import items_of, judge
from tasks.models.references import Model
from tasks.reporting.closing import close
from tasks.reporting.live import Usage
from tasks.reporting.progress import Bar
from tasks.runs import OpenRun
from tasks.session import Session
from tasks.solving import Job, Options, options_of


async def judge_all(judging: Judging, job: Job, run: OpenRun, console: Console) -> list[Exception]:
    """Judge the questions that are not judged yet, one task run each, and write the reports; return what failed."""
    ended: dict[str, str] = {}
    done = finished(run)
    problems = {problem.id: problem for problem in job.problems}
    items = [Item(problem_id) for problem_id in problems]
    todo = [item for item in items if run.result_key(*item) not in done]
    quiet = job.options.verbose == 0
    try:
        with Bar(
            FLOW, len(items), len(items) - len(todo), console=console, quiet=quiet, status=Usage(run).text
        ) as bar:

            def tell(id: str, end: str, said: str) -> None:
                line = f"error: {said}" if end == "error" else ended.pop(id, "")
                bar.item(f"question {id}", end if end == "error" else said, line=line)

            return await attempt_all(run, todo, problems, work_of(judging, ended), tell)
    finally:
        await write_reports(judging, run, run.folder.path)


def work_of(judging: Judging, ended: dict[str, str]) -> Work:
    """Return the work of an attempt; `ended` gets a line of each."""
    questions = {question.key: question for question in judging.judged.questions}

    async def work(run: OpenRun, session: Session, row: AttemptRow) -> AttemptRow:
        question = questions[session.problem.id, session.sample]
        async with run.generating:
            rows = await judge(session, items_of(question, judging.roles), judging.timeout)
        errors = {(each.role, each.step): each.error for each in rows if each.error is not None}
        ended[session.problem.id] = line(rows)
        first = next(iter(errors.values()), None)
        return row.model_copy(
            update={
                "outcome": "bad_reply" if errors else "judged",
                "solved": not errors,
                "error_kind": "bad_reply" if errors else None,
                "error": first,
                "language": session.language,
                "served_by": list(dict.fromkeys(call.model for call in session.calls)),
                "generated_at": now(),
                "finished_at": now(),
            }
        )

    return work


def line(rows: list[JudgementRow]) -> str:
    """Say in a line how a question was judged: plan 4.5, 5 steps 3.8, 1 without a usable reply."""
    said = []
    plan = [row.score for row in rows if row.role == "planner" and row.error is None]
    steps = [row for row in rows if row.role == "executor" and row.error is None]
    if plan:
        said.append(f"plan {mean_of(plan):.1f}")
    if steps:
        count = len({row.step for row in steps})
        said.append(f"{count} step{'s' if count != 1 else ''} {mean_of(row.score for row in steps):.1f}")
    if errors := len({(row.role, row.step) for row in rows if row.error is not None}):
        said.append(f"{errors} without a usable reply")
    return ", ".join(said)


async def evaluate(
    run: OpenRun, console: Console, *, model: Model, roles: tuple[Role, ...], ids: Collection[str], timeout: float,
    options: Options,
) -> list[Exception]:  # fmt: skip
    """Judge the questions of a run of plans while it is open, in a judging run of its own; return what failed.

    It is the run that `flows/judge.py` makes of the same judge, so that neither pays for what the other has paid.
    The reports are in the folder of the run that is judged too.
    """
    from tasks.reporting.judging.judged_runs import spooled_run  # brings DuckDB

    judged = await asyncio.to_thread(spooled_run, run.output, run.run_id)
    mine = [one for one in judged.questions if one.answer.problem_id in ids and items_of(one, roles)]
    if not mine:
        console.print("nothing to judge: no question has a plan", markup=False, highlight=False)
        return []
    options = options_of(
        flow=FLOW, strategy=FLOW, dataset="", temperature=None, top_p=None, workers=options.workers,
        verbose=options.verbose, result_log=options.result_log, output=run.output,
    )  # fmt: skip
    judging = judging_of(judged, model, roles, options, timeout=timeout, ids=ids)
    status: Status = "interrupted"
    began = time.monotonic()
    async with judging.job.open() as judging_run:
        if options.verbose:
            console.print(f"judge: {judging_run.folder.path}", markup=False, highlight=False, soft_wrap=True)
        execution = start_rows(judging_run, len(judging.job.problems), runtime.flow_run.name or FLOW)
        try:
            failures = await judge_all(judging, judging.job, judging_run, console)
            status = "incomplete" if failures else "done"
        finally:
            end_rows(judging_run, execution, status, time.monotonic() - began)
        await write_reports(judging, judging_run, run.folder.path)
    statements = {problem.id: problem.statement for problem in judging.job.problems}
    await close(run.output, judging_run.folder.path, judging_run.run_id, statements)
    return failures


async def write_reports(judging: Judging, run: OpenRun, folder: Path) -> None:
    """Write evaluation_reports/ into a folder from the judging run's spool."""
    from tasks.reporting.judging.report import write_evaluation

    def write() -> None:
        found = evaluation_of(
            judging.judged,
            judging.roles,
            run.spool.folder,
            judge=judging.job.configuration.references[0],
            run_id=run.run_id,
        )
        write_evaluation(folder / FOLDER, judging.judged, found)

    with not_worth_a_run("the reports"):
        await asyncio.to_thread(write)

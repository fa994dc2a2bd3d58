"""Questions as attempts: what is done in a run of plans, or of one model alone, and what is left of it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from rich.console import Console

from blocks.records import AnswerRow, AttemptRow, StepRow, now
from blocks.spool import SpoolFull
from tasks.attempt_tasks import Item, attempt_all, finished, not_worth_a_run, staged
from tasks.attempts import Work, attempt
from tasks.plans.answering import Answering
from tasks.plans.jobs import PLAN_EXECUTE, Asking
from tasks.plans.reports import write_reports
from tasks.reporting.live import Usage
from tasks.reporting.progress import Bar
from tasks.runs import OpenRun
from tasks.session import Session
from tasks.solving import Job

# What is done when the questions have come to their ends, before the reports are written; returns what failed.
After = Callable[[OpenRun, Console], Awaitable[list[Exception]]]

OUTCOMES: Mapping[bool | None, str] = {True: "correct", False: "wrong", None: "unknown"}


async def ask_all(
    asking: Asking, job: Job, run: OpenRun, console: Console, *, after: After | None = None
) -> list[Exception]:
    """Answer the questions that are not answered yet, one task run each; return what failed."""
    ended: dict[str, str] = {}
    errors: dict[str, str] = {}
    work = work_of(asking, ended)
    done = finished(run)
    problems = {problem.id: problem for problem in job.problems}
    items = [Item(problem_id) for problem_id in problems]
    todo = [item for item in items if run.result_key(*item) not in done]
    quiet, status = job.options.verbose == 0, Usage(run).text
    try:
        with Bar(
            job.options.flow, len(items), len(items) - len(todo), console=console, quiet=quiet, status=status
        ) as bar:

            def tell(id: str, end: str, said: str) -> None:
                if end == "error":
                    errors[id] = said
                line = ended.pop(id, "") if end != "error" else f"error: {said}"
                bar.item(f"question {id}", end if end == "error" else said, line=line)

            failures = await attempt_all(run, todo, problems, work, tell)
        return failures + (await after(run, console) if after else [])
    finally:
        await _write_reports(asking, run, errors)


async def ask_one(
    asking: Asking, job: Job, run: OpenRun, console: Console, *, after: After | None = None
) -> list[Exception]:
    """Answer the one question, each step a task run; return what failed."""
    ended: dict[str, str] = {}
    work = work_of(asking, ended)
    try:
        answered = await attempt(run, job.problems[0], 0, work, around=staged())
    except SpoolFull:
        raise
    except Exception as failure:  # noqa: BLE001 - recorded by the attempt, and told at the end
        return [failure]
    if job.options.verbose:
        for line in (f"answer: {answered.program}", ended[answered.problem_id]):
            console.print(line, markup=False, highlight=False, soft_wrap=True)
    try:
        return await after(run, console) if after else []
    finally:
        await _write_reports(asking, run, {})


async def _write_reports(asking: Asking, run: OpenRun, errors: Mapping[str, str]) -> None:
    with not_worth_a_run("the reports"):
        await asyncio.to_thread(
            write_reports,
            asking,
            folder=run.folder.path,
            spool_folder=run.spool.folder,
            output=run.output,
            errors=errors,
        )


def work_of(asking: Asking, ended: dict[str, str]) -> Work:
    """Return the work of an attempt; `ended` gets a line of each."""

    async def work(run: OpenRun, session: Session, row: AttemptRow) -> AttemptRow:
        answering = Answering(session, asking.questions[session.problem.id], asking.rules)
        async with run.generating:
            plans = asking.job.configuration.flow == PLAN_EXECUTE
            answer = await (answering.answer() if plans else answering.answer_alone())
        ended[answer.problem_id] = line(answer, answering.rows)
        outcome = OUTCOMES[answer.correct]
        return row.model_copy(
            update={
                "outcome": outcome,
                "solved": outcome == "correct",
                "program": answer.prediction,
                "language": session.language,
                "served_by": list(dict.fromkeys(call.model for call in session.calls)),
                "generated_at": now(),
                "finished_at": now(),
            }
        )

    return work


def line(answer: AnswerRow, steps: list[StepRow]) -> str:
    """Say in a line how a question was answered: 5 steps, depth 3, small 3 large 2, 8.1 s, correct."""
    mine = [step for step in steps if not step.discarded]
    said = []
    if answer.steps:
        small = sum(step.size == "small" for step in mine)
        said += [
            f"{answer.steps} step{'s' if answer.steps != 1 else ''}",
            f"depth {len(answer.critical_path)}",
            f"small {small} large {len(mine) - small}",
        ]
    if answer.fallback:
        said.append("no plan, answered directly" if not answer.steps else "no step had a result, answered directly")
    if answer.failed_steps:
        said.append(f"failed {answer.failed_steps}")
    if answer.wall_seconds is not None:
        said.append(f"{answer.wall_seconds:.1f} s")
    return ", ".join([*said, OUTCOMES[answer.correct]])

"""Questions as attempts to plan them; when all have ended, their plans become files of training data."""

import asyncio

from rich.console import Console
from rich.table import Table

from blocks.records import AttemptRow, now
from tasks.attempt_tasks import Item, attempt_missing
from tasks.attempts import Work
from tasks.planner_data.jobs import Building
from tasks.planner_data.writing import DATASHEET_FILE, Written, write
from tasks.plans.answering import Answering
from tasks.plans.running import OUTCOMES
from tasks.runs import OpenRun
from tasks.session import Session
from tasks.solving import Job


async def build_all(building: Building, job: Job, run: OpenRun, console: Console) -> list[Exception]:
    """Plan each question that is not planned yet, one task run a sample, and write the data; return what failed."""
    items = [Item(problem.id, n) for problem in job.problems for n in range(job.configuration.samples)]
    failures = await attempt_missing(job, run, items, work_of(building), console)
    written = await asyncio.to_thread(write, building, run.folder.path, run.spool.folder)
    if job.options.verbose:
        _tell(written, run, console)
    return failures


def work_of(building: Building) -> Work:
    """Return the work of an attempt: a plan, and what it leads to where it is carried out."""
    asking = building.asking

    async def work(run: OpenRun, session: Session, row: AttemptRow) -> AttemptRow:
        answering = Answering(session, asking.questions[session.problem.id], asking.rules)
        executes = asking.job.configuration.parameters["execute"]
        async with run.generating:
            answer = await (answering.answer(fallback=False) if executes else answering.plan_alone())
        outcome = "no plan" if answer.plan is None else OUTCOMES[answer.correct] if executes else "planned"
        return row.model_copy(
            update={
                "outcome": outcome,
                "solved": outcome in ("correct", "planned"),
                "program": answer.plan,
                "language": session.language,
                "served_by": list(dict.fromkeys(call.model for call in session.calls)),
                "generated_at": now(),
                "finished_at": now(),
            }
        )

    return work


def _tell(written: Written, run: OpenRun, console: Console) -> None:
    """Print what each filter removed, and the files."""
    said = Table(title="filters", title_justify="left")
    for column in ("filter", "removed", "left", "of"):
        said.add_column(column, justify="right" if column in ("removed", "left") else "left", overflow="fold")
    for each in written.filtered.filters:
        said.add_row(each.filter, f"{each.removed:,}", f"{each.left:,}", each.unit)
    console.print(said)
    files = [f"{file.file}: {file.rows:,} rows" for file in written.filtered.files if file.rows]
    lines = [*(files or ["no rows are left"]), f"datasheet: {run.folder.path / DATASHEET_FILE}"]
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)

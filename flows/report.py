"""Report on the store: one run (the latest by default), or every run as one table; or on the steps of plans.

python flows/report.py --run 1c5b…
python flows/report.py --all
python flows/report.py tasks results/plan_execute/dataset/…/Run-1/dataset_results.json --threshold 5
"""

import asyncio
from pathlib import Path
from typing import Any, NamedTuple

from prefect import flow, get_client, runtime
from prefect.artifacts import acreate_markdown_artifact
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed
from rich.console import Console

from blocks.database import StoreLocked
from blocks.errors import UsageError
from tasks.command_line import Command, main
from tasks.reporting.markdown import write_page
from tasks.reporting.pages import Page
from tasks.reporting.plans.tasks import check_threshold, read_results, tasks_page
from tasks.reporting.store_queries import find_run, open_store, run_about
from tasks.reporting.tables import run_page, runs_page
from tasks.reporting.terminal import print_page

LATEST = "latest"


@flow(name="report")
async def report(*, run: str = LATEST, all: bool = False, output: Path = Path("results")) -> State[Any]:
    """Show what the store holds of a run, in the terminal and as Markdown below <output>/report.

    Parameters
    ----------
    run
        A run's id or the beginning of one, or latest: the one that was worked on last.
    all
        Every run of the store as one table.
    output
        Folder of runs and store.
    """
    console = Console()
    try:
        read = await asyncio.to_thread(_read, run, all, output)
    except StoreLocked as locked:
        return Failed(message=_remedy(locked))
    path = output / "report" / f"{read.name}.md"
    text = await asyncio.to_thread(write_page, read.page, path)
    await _leave_artifact(read, text)
    if read.notice:
        _say(console, read.notice)
    print_page(read.page, console)
    _say(console, f"report: {path}")
    return Completed(message=f"report of {read.name}", data={"report": str(path)})


@flow(name="report-tasks")
async def report_tasks(results: Path, *, threshold: float = 5) -> State[Any]:
    """Show how the steps of plans are shared out between the small and the large model, and at other thresholds.

    Parameters
    ----------
    results
        The dataset_results.json of a run of plans, or the run's folder.
    threshold
        Difficulty from which on a step goes to the large model, from 0 to 10.
    """
    page = await asyncio.to_thread(_tasks_page, results, threshold)
    print_page(page, Console())
    return Completed(message=page.title)


def _tasks_page(results: Path, threshold: float) -> Page:
    check_threshold(threshold)
    return tasks_page(read_results(results), threshold)


class _Read(NamedTuple):
    """A page, and what names it: the run's first eight characters, or "runs"."""

    page: Page
    name: str
    tags: list[str]
    notice: str | None


def _read(run: str, all: bool, output: Path) -> _Read:
    store = open_store(output)
    with store.db as db:
        if all:
            return _Read(runs_page(db), "runs", [], store.notice)
        run_id = find_run(db, run)
        about = run_about(db, run_id)
        tags = [about.dataset, about.strategy, *about.models]
        return _Read(run_page(db, run_id), run_id[:8], tags, store.notice)


def _remedy(locked: StoreLocked) -> str:
    return f"{locked}; close it there and try again (nothing is lost)"


def _say(console: Console, line: str) -> None:
    console.print(line, markup=False, highlight=False, soft_wrap=True)


async def _leave_artifact(read: _Read, text: str) -> None:
    """Leave the report on the flow run, and name the flow run after what it reports on."""
    if runtime.flow_run.id is None:
        return
    await acreate_markdown_artifact(text, key=f"report-{read.name.lower()}", description=read.page.title)
    tags = sorted({*runtime.flow_run.tags, *read.tags})
    async with get_client() as client:
        await client.update_flow_run(runtime.flow_run.id, name=f"report/{read.name}", tags=tags)


async def _check(*, run: str = LATEST, all: bool = False, output: Path = Path("results")) -> None:
    if all and run != LATEST:
        raise UsageError("--run and --all are two reports; give one of them")
    try:
        store = open_store(output)
    except StoreLocked as locked:
        raise SystemExit(
            _remedy(locked)
        ) from None  # no usage error, so exit 1; the flow would say it twice, and late
    with store.db as db:
        find_run(db, LATEST if all else run)


async def _check_tasks(*, results: Path, threshold: float = 5) -> None:
    await asyncio.to_thread(_tasks_page, results, threshold)


if __name__ == "__main__":
    raise SystemExit(main(Command(report, _check), Command(report_tasks, _check_tasks, "tasks")))

"""An execution: one flow run's work on a run, from the checked options to rows, run folder, store and artifacts."""

import contextlib
import logging
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Literal
from uuid import UUID

from prefect import get_client, runtime
from prefect.artifacts import acreate_link_artifact, acreate_markdown_artifact, acreate_table_artifact
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed
from rich.console import Console
from rich.table import Table

from blocks.errors import PoolExhausted, UsageError
from blocks.records import AttemptRow, CallRow, ExecutionRow, RunRow, now
from blocks.sandbox import no_bubblewrap
from blocks.spool import SpoolFull
from tasks.attempt_tasks import finished, not_worth_a_run
from tasks.datasets.reading.problems import Problems
from tasks.models.open_pool import OpenPool
from tasks.records import Problem
from tasks.reporting.closing import close, merging
from tasks.reporting.log import append, start_log, transcript
from tasks.reporting.summary import UNTIL_SOLVED, Summary, by_samples, figures, isolation_text
from tasks.runs import OpenRun
from tasks.solving import Job

logger = logging.getLogger("consort")

Status = Literal["running", "done", "incomplete", "interrupted"]
Work = Callable[[Job, OpenRun, Console], Awaitable[list[Exception]]]


async def execute(job: Job, work: Work, began: float) -> State[Any]:
    """Run `work` on a job's run and return the flow's final state; `began` is when the flow did (monotonic).

    Failed where attempts ended in an error: they are rows of outcome "error", and the same command tries them
    again. Raises UsageError where an endpoint is down, or no endpoint took its key.
    """
    logger.setLevel(logging.INFO)  # for the logs in Prefect's UI; the terminal has its progress
    logger.propagate = False
    if not any(isinstance(handler, _Terminal) for handler in logger.handlers):
        logger.addHandler(_Terminal())
    logging.getLogger("prefect.task_runs").propagate = False  # tracebacks of failed attempts go to the UI alone
    logging.getLogger("prefect.flow_runs").addFilter(_is_news)
    console = Console()
    async with job.open() as run:
        name = await _name_flow_run(job, run)
        _introduce(job, run, console)
        execution = start_rows(run, len(job.problems), name)
        status: Status = "interrupted"
        try:
            async with merging(run.output):
                failures = await work(job, run, console)
            status = "incomplete" if failures else "done"
        except SpoolFull as full:
            return Failed(message=f"{full}: free the disk; what is written is kept, and the same command goes on")
        finally:
            with contextlib.suppress(SpoolFull):
                end_rows(run, execution, status, time.monotonic() - began)
        summary = await close_execution(run, job.dataset.problems, console)
    return _verdict(job, run, summary, failures)


class _Terminal(logging.Handler):
    """Warnings as lines on standard error; the rest is for Prefect's UI."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)

    def emit(self, record: logging.LogRecord) -> None:
        print(f"warning: {record.getMessage()}", file=sys.stderr, flush=True)


def _is_news(record: logging.LogRecord) -> bool:
    """Leave out what the command's last line says: the final state, an interruption, a UsageError."""
    failed = record.exc_info[1] if record.exc_info else None
    told = record.getMessage().startswith(("Finished in state", "Crash detected"))
    return not (isinstance(failed, UsageError) or told)


def _introduce(job: Job, run: OpenRun, console: Console) -> None:
    log = run.folder.path / "Log.txt" if job.options.store_log_in_file == "yes" else None
    if log is not None:
        start_log(log, job.configuration.references)

    def tell(row: AttemptRow, calls: list[CallRow]) -> None:
        if log is not None:
            append(log, transcript(row, calls))
        if job.options.verbose == 2:
            console.print(transcript(row, calls, whole=True), markup=False, highlight=False, soft_wrap=True)

    run.tell = tell if log is not None or job.options.verbose == 2 else None
    logger.info("run %s in %s", run.run_id, run.folder.path)
    if job.sandbox and job.sandbox.isolation == "auto" and run.isolation == "process":
        logger.warning("programs are graded with process isolation, without namespaces: %s", no_bubblewrap())
    if job.options.verbose:
        resumed = "" if run.folder.new else ", resumed"
        warnings = (*run.warnings, *job.warnings)
        for line in (f"run: {run.folder.path}{resumed}", *(f"warning: {said}" for said in warnings)):
            console.print(line, markup=False, highlight=False, soft_wrap=True)


def _verdict(job: Job, run: OpenRun, summary: Summary, failures: list[Exception]) -> State[Any]:
    data = {**summary.model_dump(mode="json"), "folder": str(run.folder.path)}
    if not failures:
        return Completed(message=f"{summary.solved} of {summary.problems} solved", data=data)
    endpoints = [endpoint for model in run.models for endpoint in model.endpoints]
    refused = [endpoint.refused for endpoint in endpoints if endpoint.refused is not None]
    if refused and len(refused) == len(endpoints):
        raise UsageError(f"{refused[0]}; set the endpoint's key (OPENAI_API_KEY in .env, or its block)")
    errors = [failure for failure in failures if not isinstance(failure, PoolExhausted)]
    said = []
    if len(errors) < len(failures):
        said.append(_left(job, run, next(failure for failure in failures if isinstance(failure, PoolExhausted))))
    if errors:
        first = " ".join(str(errors[0]).split())
        said.append(
            f"attempts that ended in an error: {len(errors)} (the first: {first}); the rest is done, and the same "
            "command tries them again"
        )
    return Failed(message="; ".join(said), data=data)


def _left(job: Job, run: OpenRun, exhausted: PoolExhausted) -> str:
    """Say how many attempts are left undone, and how to go on."""
    done = finished(run)
    ids = Problems.of(job.problems).ids
    items = [run.result_key(problem_id, n) for problem_id in ids for n in range(job.configuration.samples)]
    left = sum(key not in done for key in items)
    pools = [model.name for model in run.models if model.exhausted and model.saved]
    cleared = f" (or after `python -m blocks.pool reset {pools[0]}`)" if pools else ""
    reason = " ".join(str(exhausted).split())
    remedy = exhausted.remedy or f"when a quota is back{cleared}"
    return f"{reason}: {left} of {len(items)} left; {remedy} the same command goes on with them"


def start_rows(run: OpenRun, problems: int, name: str) -> ExecutionRow:
    """Write the rows that say that this execution has begun; return the execution's."""
    configuration = run.configuration
    run.spool.append(
        RunRow(
            run_id=run.run_id,
            flow=configuration.flow,
            dataset=configuration.dataset,
            strategy=configuration.strategy,
            models=list(configuration.models),
            language=configuration.language,
            temperature=configuration.temperature,
            top_p=configuration.top_p,
            samples=configuration.samples,
            problems=problems,
            configuration=configuration.model_dump_json(),
            folder=str(run.folder.path.resolve()),
            created_at=run.folder.created_at,
        )
    )
    execution = ExecutionRow(
        run_id=run.run_id,
        execution_id=run.execution_id,
        flow_run_id=runtime.flow_run.id,
        flow_run_name=name,
        status="running",
        isolation=run.isolation,
        workers=run.workers,
        eval_workers=run.eval_workers,
        started_at=now(),
    )
    run.spool.append(execution)
    return execution


def end_rows(run: OpenRun, execution: ExecutionRow, status: Status, wall_seconds: float) -> None:
    """Write the execution's row again with its end."""
    run.spool.append(
        execution.model_copy(
            update={
                "written_at": now(),
                "status": status,
                "paid_calls": run.calls.paid,
                "wall_seconds": round(wall_seconds, 3),
                "finished_at": now(),
            }
        )
    )


async def close_execution(run: OpenRun, problems: Sequence[Problem], console: Console) -> Summary:
    """Write the run folder from the spool, merge the spool into the store, leave artifacts, print the summary."""
    statements = {problem.id: problem.statement for problem in Problems.of(problems).listed}
    closed = await close(run.output, run.folder.path, run.run_id, statements)
    print_summary(closed.summary, run, console)
    if closed.waiting:
        console.print(
            f"{closed.waiting}: the rows wait in the spool; the next run merges them, or "
            f"`python -m blocks.store ingest --output {run.output}`",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
    with not_worth_a_run("artifacts"):
        await _leave_artifacts(run, closed.summary)
    return closed.summary


async def _name_flow_run(job: Job, run: OpenRun) -> str:
    """Give the flow run a name that means something, and tags to filter by; return the name."""
    configuration = run.configuration
    what = configuration.problem or configuration.dataset
    name = f"{configuration.strategy}/{what}/{'+'.join(configuration.models)}"
    tags = {*runtime.flow_run.tags, configuration.dataset, configuration.strategy, *configuration.models}
    with not_worth_a_run("name and tags"):
        async with get_client() as client:
            await client.update_flow_run(UUID(runtime.flow_run.id), name=name, tags=sorted(tags))
    return name


def print_summary(summary: Summary, run: OpenRun, console: Console) -> None:
    """Print the result, the statistics per model and where everything is."""
    said = Table(title=f"{summary.strategy} on {summary.dataset}", title_justify="left")
    for column in ("model", "calls", "prompt tokens", "completion tokens", "cost (USD)"):
        said.add_column(column, justify="left" if column == "model" else "right", overflow="fold")
    for name, use in summary.models.items():
        said.add_row(name, *(_shown(value) for value in use.model_dump().values()))
    if summary.flow != "grade":
        console.print(said)
    mark = " (recorded replies: no model was asked)" if summary.recorded else ""
    share = f"{summary.accuracy} %{' of the attempts' if run.configuration.samples > 1 else ''}"
    suite = "" if run.suite == "hidden" else f" by the {run.suite} tests"
    solved = f"solved {summary.solved} of {summary.problems}{suite} ({share}), unsolved {summary.unsolved}, "
    lines = [
        f"{solved}errors {summary.errors}{mark}" if summary.problems else "nothing has been attempted in this run",
        *([f"isolation: {isolation_text(summary.isolation)}"] if summary.isolation == "process" else []),
        *(
            [f"calls {summary.api_calls}, of which {summary.cached_calls} had been paid for before"]
            if summary.flow != "grade"
            else []
        ),
        *_share_lines(summary),
        f"results: {run.folder.path}",
        f"store:   {run.output / 'consort.duckdb'}",
    ]
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    for model in run.models:
        if model.saved and (model.switched or model.exhausted or any(each.replies for each in model.standing())):
            print_standing(model, console)


def _share_lines(summary: Summary) -> list[str]:
    """What several samples come to: pass@k, or the share that any of k solved in a run until problems are solved."""
    shares = by_samples(summary)
    if len(shares) < 2:
        return []
    said = ", ".join(f"{name}: {'unknown' if value is None else value}" for name, value in shares.items())
    return [f"in percent: {said}", *([UNTIL_SOLVED] if summary.any_of_k is not None else [])]


def print_standing(model: OpenPool, console: Console) -> None:
    """Print what became of each endpoint of a pool."""
    said = Table(title=f"pool {model.name}", title_justify="left")
    for column in ("endpoint", "model", "state", "replies", "why"):
        said.add_column(column, justify="right" if column == "replies" else "left", overflow="fold")
    for each in model.standing():
        said.add_row(each.endpoint, each.model, each.state, f"{each.replies:,}", each.reason)
    console.print(said)


async def _leave_artifacts(run: OpenRun, summary: Summary) -> None:
    """Leave the summary as a table and as Markdown, and a link to the run folder, on the flow run."""
    key = f"{summary.flow}-{run.run_id[:8]}".replace("_", "-")
    numbers = [
        {"what": name, "value": "unknown" if value is None else value} for name, value in figures(summary).items()
    ]
    await acreate_table_artifact(numbers, key=f"{key}-summary", description="The run in numbers")
    await acreate_markdown_artifact(summary_markdown(summary), key=f"{key}-report", description="Report")
    await acreate_link_artifact(run.folder.path.resolve().as_uri(), "the run folder", key=f"{key}-folder")


def summary_markdown(summary: Summary) -> str:
    """The summary as a Markdown page."""
    models = [
        f"| {name} | " + " | ".join(_shown(value) for value in use.model_dump().values()) + " |"
        for name, use in summary.models.items()
    ]
    return "\n".join(
        [
            f"# {summary.strategy} on {summary.dataset}",
            "",
            *(["**Recorded replies: no model was asked.**", ""] if summary.recorded else []),
            *([f"**Isolation: {isolation_text(summary.isolation)}.**", ""] if summary.isolation == "process" else []),
            f"Solved **{summary.solved} of {summary.problems}** ({summary.accuracy} %), unsolved {summary.unsolved}, "
            f"errors {summary.errors}. Calls {summary.api_calls}, of which {summary.cached_calls} had been paid for "
            "before.",
            "",
            "| model | calls | prompt tokens | completion tokens | cost (USD) |",
            "|---|---:|---:|---:|---:|",
            *models,
            "",
        ]
    )


def _shown(value: Any) -> str:
    if value is None:
        return "unknown"
    return f"{value:.4f}" if isinstance(value, float) else f"{value:,}"

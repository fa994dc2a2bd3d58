"""Attempts as Prefect task runs: one a problem in a batch, one a stage where a single problem is looked at."""

import asyncio
import contextlib
import logging
import os
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from prefect import Task, task
from prefect.artifacts import acreate_progress_artifact, aupdate_progress_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.context import TaskRunContext
from rich.console import Console

from blocks.errors import CallError, PoolExhausted
from blocks.records import AttemptRow
from blocks.spool import SpoolFull, read_lines
from tasks.attempts import Work, attempt
from tasks.background import beside
from tasks.datasets.reading.problems import Problems
from tasks.models.rotation import SWITCHES, goes_on_elsewhere
from tasks.records import Attempt, Problem
from tasks.reporting.live import Usage
from tasks.reporting.progress import Bar
from tasks.runs import OpenRun
from tasks.session import Around
from tasks.solving import Job

T = TypeVar("T")

PROGRESS_SECONDS = 5.0  # between two updates of the progress artifact

logger = logging.getLogger("consort")


class Item(NamedTuple):
    """One attempt to be made. Its problem is made when it begins: of thousands only a few are in memory at a time."""

    problem_id: str
    sample: int = 0


def attempt_task(run: OpenRun, problems: Mapping[str, Problem], work: Work) -> Task[[str, int], Awaitable[Attempt]]:
    """Return the Prefect task of this run's attempts.

    Its inputs are names; its result is persisted below the output folder under a key of run, problem and sample,
    so that Prefect's cache finds a finished attempt whoever asks. One that raises is not cached; where another model
    is fit, Prefect runs it again at once.
    """

    @task(
        name="attempt",
        task_run_name="{problem_id}" if run.configuration.samples == 1 else "{problem_id}, sample {sample}",
        cache_key_fn=lambda _, inputs: run.result_key(inputs["problem_id"], inputs["sample"]),
        persist_result=True,
        result_storage=run.results,
        result_serializer="json",
        cache_result_in_memory=False,
        retries=SWITCHES,
        retry_condition_fn=goes_on_elsewhere,
    )
    async def attempt_(problem_id: str, sample: int) -> Attempt:
        context = TaskRunContext.get()
        task_run_id, runs = (str(context.task_run.id), context.task_run.run_count) if context else (None, 1)
        problem = await asyncio.to_thread(problems.__getitem__, problem_id)  # a row may hold megabytes of tests
        return await attempt(run, problem, sample, work, task_run_id=task_run_id, runs=runs)

    return attempt_  # type: ignore[return-value]


def finished(run: OpenRun) -> set[str]:
    """Return the keys of the attempts that are finished, in one pass over the result storage."""
    folder = run.results / run.run_id
    names = (entry.name for entry in os.scandir(folder)) if folder.is_dir() else iter(())
    return {f"{run.run_id}/{name}" for name in names}


def solved_problems(run: OpenRun) -> set[str]:
    """Return the ids of the problems that some attempt of the run has solved."""
    rows = (AttemptRow.model_validate_json(line) for _, line in read_lines(run.spool.folder / AttemptRow.table))
    return {row.problem_id for row in rows if row.solved}


async def attempt_missing(job: Job, run: OpenRun, items: list[Item], work: Work, console: Console) -> list[Exception]:
    """Attempt those items that are not finished yet, with a progress bar; return what failed.

    In a run until problems are solved the bar counts problems.
    """
    done = finished(run)
    todo = [item for item in items if run.result_key(*item) not in done]
    total, left = len(items), len(todo)
    if run.configuration.until_solved:
        solved = solved_problems(run)
        todo = [item for item in todo if item.problem_id not in solved]
        total, left = (len({item.problem_id for item in those}) for those in (items, todo))
    quiet, status = job.options.verbose == 0, Usage(run).text
    with Bar(job.options.flow, total, total - left, console=console, quiet=quiet, status=status) as bar:
        return await attempt_all(run, todo, Problems.of(job.problems).by_id, work, bar.item)


async def attempt_all(
    run: OpenRun,
    todo: list[Item],
    problems: Mapping[str, Problem],
    work: Work,
    tell: Callable[[str, str, str], None],
) -> list[Exception]:
    """Run attempts, `workers` generating and `eval_workers` grading at a time; return what failed.

    `tell` hears of each end: the problem's id, solved, unsolved or error, and the outcome or the message. In a run
    until problems are solved, the samples of a problem are attempted one after the other, none after one that is
    solved, and `tell` hears of the last.

    One attempt that fails costs the others nothing. Where no model is left, what has not begun is left undone. A disk
    that takes no more stops the run: raises SpoolFull.
    """
    if not todo:
        return []
    if run.exhausted:
        return [run.nothing_left()]
    once = attempt_task(run, problems, work)
    failures: list[Exception] = []
    full: list[SpoolFull] = []
    ends: Counter[str] = Counter()
    left = iter(_chains(run, todo))

    def ended(problem_id: str, end: str, said: str) -> None:
        ends[end] += 1
        tell(problem_id, end, said)

    async def one(problem_id: str, sample: int) -> tuple[str, str]:
        """Attempt it; return how it ended, and what is to be said of it."""
        try:
            attempted = await once(problem_id, sample)
        except SpoolFull as failure:
            full.append(failure)
        except PoolExhausted as failure:
            failures.append(failure)
        except Exception as failure:  # noqa: BLE001 - recorded by the attempt, and told at the end
            failures.append(failure)
            return "error", str(failure)
        else:
            return "solved" if attempted.solved else "unsolved", attempted.outcome
        return "", ""

    async def attempts(left: Iterator[list[Item]]) -> None:
        for chain in left:
            end = said = ""
            for problem_id, sample in chain:
                end, said = await one(problem_id, sample)
                if end:
                    logger.info("%s: %s (%s)", problem_id, end, said)
                if end == "solved" or full or run.exhausted:
                    break
            if end:
                ended(chain[0].problem_id, end, said)
            if full or run.exhausted:
                return

    chains = len({item.problem_id for item in todo}) if run.configuration.until_solved else len(todo)
    async with _progress(chains, ends), asyncio.TaskGroup() as group:
        # As many again as generate may wait for the graders before generation has to wait for them too.
        at_once = 1 if run.sequential else 2 * run.workers + run.eval_workers
        for _ in range(min(len(todo), at_once)):
            group.create_task(attempts(left))
    if full:
        raise full[0]
    if not failures and next(left, None) is not None:
        failures.append(run.nothing_left())
    return failures


def _chains(run: OpenRun, todo: list[Item]) -> Iterator[list[Item]]:
    """Yield what is to be attempted one after the other: each attempt alone, or the samples of one problem."""
    if not run.configuration.until_solved:
        yield from ([item] for item in todo)
        return
    by_problem: dict[str, list[Item]] = {}
    for item in todo:
        by_problem.setdefault(item.problem_id, []).append(item)
    yield from by_problem.values()


@contextlib.contextmanager
def not_worth_a_run(what: str) -> Iterator[None]:
    """Let what is only for looking at fail with a line in the log."""
    try:
        yield
    except Exception as problem:  # noqa: BLE001 - whatever it is, the work is worth more
        logger.warning("%s: %s", what, problem)


@asynccontextmanager
async def _progress(total: int, ends: Counter[str]) -> AsyncIterator[None]:
    """Keep a progress artifact on the flow run up to date while attempts end; its failure costs the run nothing."""
    artifact: UUID | None = None

    async def update() -> None:
        nonlocal artifact
        share, said = 100.0 * ends.total() / max(1, total), ", ".join(f"{n} {end}" for end, n in sorted(ends.items()))
        description = f"{ends.total()} of {total}: {said or 'none'}"
        with not_worth_a_run("progress"):
            if artifact is None:
                artifact = await acreate_progress_artifact(share, description=description)
            else:
                await aupdate_progress_artifact(artifact, share, description=description)

    await update()

    async def keep() -> None:
        while True:
            await asyncio.sleep(PROGRESS_SECONDS)
            await update()

    try:
        async with beside(keep()):
            yield
    finally:
        await update()


def staged() -> Around:
    """Return a way to run stages in which each one is a task run of its own.

    It is named by its stage and turn where it has no name, and has edges from those that it comes after.
    """
    turns: Counter[str] = Counter()
    ended: dict[str, State[Any]] = {}

    async def around(stage: str, work: Callable[[], Awaitable[T]], *, name: str = "", after: Sequence[str] = ()) -> T:
        turns[stage] += 1
        named = name or f"{stage} {turns[stage]}"

        @task(
            name=stage,
            task_run_name=lambda: named,
            cache_policy=NO_CACHE,
            persist_result=False,
            retries=SWITCHES,
            retry_condition_fn=goes_on_elsewhere,
        )
        async def run_stage() -> T:
            return await work()

        before = [ended[each] for each in after if each in ended]
        state: State[T] = await run_stage(return_state=True, wait_for=before)  # type: ignore[misc]
        if state.is_completed():
            ended[named] = state
        try:
            return await state.aresult()
        except CallError as problem:
            problem.elsewhere = 0  # the stage had its retries
            raise

    return around

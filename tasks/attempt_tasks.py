"""Attempts as Prefect task runs: one a problem in a batch, one a stage where a single problem is looked at."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

from prefect import Task, task
from prefect.cache_policies import NO_CACHE
from prefect.context import TaskRunContext

from tasks.attempts import attempt
from tasks.records import Attempt, Problem
from tasks.runs import OpenRun
from tasks.session import Around

T = TypeVar("T")


def attempt_task(run: OpenRun, problems: dict[str, Problem]) -> Task[[str, int], Awaitable[Attempt]]:
    """Return the Prefect task of this run's attempts.

    Its inputs are names; its result is persisted below the output folder under a key of run, problem and sample,
    so that Prefect's cache finds a finished attempt whoever asks. One that raises is not cached.
    """

    @task(
        name="attempt",
        task_run_name="{problem_id}" if run.configuration.samples == 1 else "{problem_id}, sample {sample}",
        cache_key_fn=lambda _, inputs: run.result_key(inputs["problem_id"], inputs["sample"]),
        persist_result=True,
        result_storage=run.results,
        result_serializer="json",
        cache_result_in_memory=False,
    )
    async def attempt_(problem_id: str, sample: int) -> Attempt:
        context = TaskRunContext.get()
        task_run_id = str(context.task_run.id) if context else None
        return await attempt(run, problems[problem_id], sample, task_run_id=task_run_id)

    return attempt_  # type: ignore[return-value]


def finished(run: OpenRun) -> set[str]:
    """Return the keys of the attempts that are finished, in one pass over the result storage."""
    folder = run.results / run.run_id
    names = (entry.name for entry in os.scandir(folder)) if folder.is_dir() else iter(())
    return {f"{run.run_id}/{name}" for name in names}


async def attempt_all(
    run: OpenRun,
    todo: list[tuple[Problem, int]],
    tell: Callable[[str, str, str], None],
) -> list[Exception]:
    """Run attempts, `workers` generating and `eval_workers` grading at a time; return what failed.

    `tell` hears of each end: the problem's id, solved, unsolved or error, and the outcome or the message.

    One attempt that fails costs the others nothing. A disk that takes no more (OSError) stops the run.
    """
    once = attempt_task(run, {problem.id: problem for problem, _ in todo})
    failures: list[Exception] = []
    left = iter(todo)

    async def work(left: Iterator[tuple[Problem, int]]) -> None:
        for problem, sample in left:
            try:
                ended = await once(problem.id, sample)
            except OSError:
                raise
            except Exception as failure:  # noqa: BLE001 - recorded by the attempt, and told at the end
                failures.append(failure)
                tell(problem.id, "error", str(failure))
            else:
                tell(problem.id, "solved" if ended.solved else "unsolved", ended.outcome)

    async with asyncio.TaskGroup() as group:
        for _ in range(min(len(todo), run.workers + run.eval_workers)):
            group.create_task(work(left))
    return failures


def staged() -> Around:
    """Return a way to run stages in which each one is a task run of its own, named by stage and turn."""
    turns: dict[str, int] = {}

    async def around(stage: str, work: Callable[[], Awaitable[T]]) -> T:
        turns[stage] = turns.get(stage, 0) + 1

        @task(name=stage, task_run_name=f"{stage} {turns[stage]}", cache_policy=NO_CACHE, persist_result=False)
        async def run_stage() -> T:
            return await work()

        return await run_stage()

    return around

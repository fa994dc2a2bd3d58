"""Judge a run of plans: a model scores its planner and its executors, with reasons.

python flows/judge.py
python flows/judge.py --run 1c5b… --judge REF
python flows/judge.py agreement --gold scores.csv
"""

import asyncio
import inspect
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Literal

from prefect import flow
from prefect.client.schemas.objects import State

from blocks.database import StoreLocked
from tasks.command_line import Command, main
from tasks.executions import execute
from tasks.judging.agreement import compare, measure_agreement
from tasks.judging.jobs import Judging, prepare_judging
from tasks.judging.running import judge_all
from tasks.solving import YesNo, check

LATEST = "latest"


@flow(name="judge", validate_parameters=False)
async def judge(
    *,
    run: str = LATEST,
    judge: str | None = None,
    planner_only: bool = False,
    executor_only: bool = False,
    questions: int = 8,
    limit: int | None = None,
    seed: int = 0,
    timeout: float = 120.0,
    temperature: float | None = None,
    top_p: float | None = None,
    max_tokens: int | None = None,
    cont: YesNo = "yes",
    result_log: Literal["full", "partial"] = "full",
    verbose: Literal[0, 1, 2] = 1,
    store_log_in_file: YesNo = "yes",
    output: Path = Path("results"),
) -> State[Any]:
    """Score the plans and the steps of a run from 1 to 5 per dimension; the same command again judges what is left.

    Parameters
    ----------
    run
        A run of plan_execute: its id or the beginning of one, or latest.
    judge
        Who judges: a saved ModelEndpoint or ModelPool, URL#MODEL, recorded:PATH[#MODEL], or a model name at
        OPENAI_API_BASE. A run of the samples with their recorded models has a recorded judge.
    planner_only
        Only the plans.
    executor_only
        Only the results of steps.
    questions
        Questions that are judged at a time.
    limit
        Only so many questions, chosen at random by the seed.
    seed
        Of that choice.
    timeout
        Seconds that one call may take.
    temperature
        Sampling temperature; the server's own without it.
    top_p
        Nucleus sampling; the server's own without it.
    max_tokens
        Most tokens of one reply; the server's own limit without it.
    cont
        yes resumes the latest equal run, no starts a new Run-n and pays anew.
    result_log
        partial keeps prompts and replies out of the store and the run folder.
    verbose
        0 says nothing but the end, 1 shows progress, 2 prints every response too.
    store_log_in_file
        Whether to write Log.txt.
    output
        Folder of runs, store, spool and caches.
    """
    began, judging = time.monotonic(), await _prepare(**locals())
    return await execute(judging.job, partial(judge_all, judging), began)


@flow(name="judge-agreement", validate_parameters=False)
async def judge_agreement(*, gold: Path, run: str = LATEST, output: Path = Path("results")) -> State[Any]:
    """Measure how far a judge's scores agree with people's, per dimension.

    Parameters
    ----------
    gold
        People's scores: JSON, JSONL or CSV of problem_id, role, step (of an executor), dimension, score.
    run
        A run of judge: its id or the beginning of one, or latest.
    output
        Folder of runs and store.
    """
    return await measure_agreement(gold, run, output)


async def _prepare(**parameters: Any) -> Judging:
    return await prepare_judging(**parameters)


async def _check(**parameters: Any) -> None:
    bound = inspect.signature(judge.fn).bind(**parameters)
    bound.apply_defaults()
    with _held_store():
        judging = await _prepare(**bound.arguments)
    await check(judging.job)


async def _check_agreement(*, gold: Path, run: str = LATEST, output: Path = Path("results")) -> None:
    with _held_store():
        await asyncio.to_thread(compare, gold, run, output)


@contextmanager
def _held_store() -> Iterator[None]:
    """End with exit code 1 where another process holds the store, which is no wrong usage."""
    try:
        yield
    except StoreLocked as locked:
        raise SystemExit(f"{locked}; close it there and try again (nothing is lost)") from None


if __name__ == "__main__":
    raise SystemExit(main(Command(judge, _check), Command(judge_agreement, _check_agreement, "agreement")))

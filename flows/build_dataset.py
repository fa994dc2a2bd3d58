"""Make training data for planners: questions with the plans that a planner writes for them, filtered and split.

python flows/build_dataset.py
python flows/build_dataset.py --dataset questions.jsonl --planner REF --save-thinking
python flows/build_dataset.py --dataset questions.jsonl --planner REF --execute --small REF --large REF \
    --samples 4 --format preference
"""

import inspect
import time
from functools import partial
from pathlib import Path
from typing import Any, Literal

from prefect import flow
from prefect.client.schemas.objects import State

from tasks.command_line import Command, main
from tasks.executions import execute as execute_job
from tasks.planner_data.jobs import Building, fractions_of, prepare_building
from tasks.planner_data.recipe import Format, Recipe
from tasks.planner_data.running import build_all
from tasks.plans.asking import Rules
from tasks.plans.configs import hybridflow_build_flags
from tasks.plans.jobs import Roles
from tasks.solving import YesNo, check


@flow(name="build-dataset", validate_parameters=False)
async def build_dataset(
    *,
    dataset: str | None = None,
    planner: str | None = None,
    execute: bool = False,
    small: str | None = None,
    large: str | None = None,
    aggregator: str | None = None,
    judge: str | None = None,
    format: Format = "alpaca",
    save_thinking: bool = False,
    guide_with_answer: bool = False,
    samples: int = 1,
    keep_repaired: bool = False,
    longest: int = 16_000,
    splits: str = "0.8,0.1,0.1",
    threshold: float = 5.0,
    workers: int = 10,
    questions: int = 8,
    limit: int | None = None,
    seed: int = 0,
    timeout: float = 120.0,
    question_timeout: float = 600.0,
    temperature: float | None = None,
    top_p: float | None = None,
    max_tokens: int | None = None,
    cont: YesNo = "yes",
    result_log: Literal["full", "partial"] = "full",
    verbose: Literal[0, 1, 2] = 1,
    store_log_in_file: YesNo = "yes",
    output: Path = Path("results"),
) -> State[Any]:
    """Plan the questions of a file and make training data of the plans; without any flag a sample, recorded.

    Parameters
    ----------
    dataset
        JSON or JSONL of rows with problem and answer; each plan of a question is a task run.
    planner
        Who writes the plans: a saved ModelEndpoint or ModelPool, URL#MODEL, recorded:PATH[#MODEL], or a model name at
        OPENAI_API_BASE.
    execute
        Carry each plan out, and keep only those whose answer was right.
    small
        Who does the easy steps, and brings the results together.
    large
        Who does the hard steps.
    aggregator
        Who brings the results together in place of the small model.
    judge
        Who is asked whether an answer is right where no rule can tell.
    format
        alpaca and sharegpt have a plan of each question, preference pairs of a right plan and a wrong one. Another
        format of the same plans costs nothing.
    save_thinking
        Write the rows with the planner's thinking too.
    guide_with_answer
        Show the planner the right answer; plans that give it away are left out.
    samples
        Plans of each question; the best right one is taken.
    keep_repaired
        Keep plans that had to be repaired to be read.
    longest
        Most characters of system, question and plan together.
    splits
        Parts of train, validation and test, which make 1 together.
    threshold
        Difficulty from which on a step is for the large model, from 0 to 10.
    workers
        Steps of one question that are done at a time.
    questions
        Plans that are worked on at a time.
    limit
        Only so many questions, chosen at random by the seed.
    seed
        Of that choice, and of the splits.
    timeout
        Seconds that one call may take.
    question_timeout
        Seconds that a question's plan may take to be carried out.
    temperature
        Sampling temperature; the server's own without it.
    top_p
        Nucleus sampling; the server's own without it.
    max_tokens
        Most tokens of one reply; the server's own limit without it.
    cont
        yes resumes the latest equal run, no starts a new Run-n and pays anew.
    result_log
        partial keeps prompts and replies out of the store and the run folder's logs.
    verbose
        0 says nothing but the end, 1 shows progress, 2 prints every response too.
    store_log_in_file
        Whether to write Log.txt.
    output
        Folder of runs, store, spool and caches.
    """
    began, building = time.monotonic(), await _prepare(**locals())
    return await execute_job(building.asking.job, partial(build_all, building), began)


async def _prepare(
    *, planner: str | None, small: str | None, large: str | None, aggregator: str | None, judge: str | None,
    format: Format, save_thinking: bool, guide_with_answer: bool, keep_repaired: bool, longest: int, splits: str,
    threshold: float, workers: int, seed: int, timeout: float, question_timeout: float, **parameters: Any,
) -> Building:  # fmt: skip
    return await prepare_building(
        given=Roles(planner, small, large, aggregator, judge),
        rules=Rules(
            threshold=threshold,
            seed=seed,
            workers=workers,
            timeout=timeout,
            question_timeout=question_timeout,
            guided=guide_with_answer,
        ),
        recipe=Recipe(
            format=format,
            thinking=save_thinking,
            keep_repaired=keep_repaired,
            longest=longest,
            fractions=fractions_of(splits),
            seed=seed,
        ),
        **parameters,
    )


async def _check(**parameters: Any) -> None:
    bound = inspect.signature(build_dataset.fn).bind(**parameters)
    bound.apply_defaults()
    await check((await _prepare(**bound.arguments)).asking.job)


if __name__ == "__main__":
    raise SystemExit(main(Command(build_dataset, _check, read=hybridflow_build_flags)))

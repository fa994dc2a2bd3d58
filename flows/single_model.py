"""The baseline of plans: one model answers each question by itself.

python flows/single_model.py
python flows/single_model.py --query "…" --model REF
python flows/single_model.py --dataset data/questions.jsonl --model REF --limit 50
"""

import inspect
import time
from functools import partial
from pathlib import Path
from typing import Any, Literal

from prefect import flow
from prefect.client.schemas.objects import State

from tasks.command_line import Command, main
from tasks.executions import execute
from tasks.plans.asking import Rules
from tasks.plans.configs import hybridflow_model_flags
from tasks.plans.jobs import Asking, prepare_single
from tasks.plans.running import ask_all, ask_one
from tasks.solving import YesNo, check


@flow(name="single-model", validate_parameters=False)
async def single_model(
    *,
    query: str | None = None,
    dataset: str | None = None,
    model: str | None = None,
    judge: str | None = None,
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
    """Answer one question, or those of a file, by one call each; without any flag a sample with a recorded model.

    Parameters
    ----------
    query
        One question.
    dataset
        JSON or JSONL of rows with problem and answer; each question is a task run.
    model
        Who answers: a saved ModelEndpoint or ModelPool, URL#MODEL, recorded:PATH[#MODEL], or a model name at
        OPENAI_API_BASE.
    judge
        Who is asked whether an answer is right where no rule can tell.
    questions
        Questions that are worked on at a time.
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
    began, asking = time.monotonic(), await _prepare(**locals())
    return await execute(asking.job, partial(ask_one if asking.alone else ask_all, asking), began)


async def _prepare(*, seed: int, timeout: float, **parameters: Any) -> Asking:
    return await prepare_single(rules=Rules(seed=seed, timeout=timeout), **parameters)


async def _check(**parameters: Any) -> None:
    bound = inspect.signature(single_model.fn).bind(**parameters)
    bound.apply_defaults()
    await check((await _prepare(**bound.arguments)).job)


if __name__ == "__main__":
    raise SystemExit(main(Command(single_model, _check, read=hybridflow_model_flags)))

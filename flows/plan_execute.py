"""Answer questions by plans: a planner cuts each into steps, small and large models do them side by side.

python flows/plan_execute.py
python flows/plan_execute.py --query "…" --planner REF --small REF --large REF
python flows/plan_execute.py --dataset data/questions.jsonl --limit 50 --threshold 5
python flows/plan_execute.py --dataset data/questions.jsonl … --evaluate planner,executor --judge REF
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
from tasks.judging.evaluating import check_evaluate, evaluating
from tasks.plans.asking import Rules
from tasks.plans.configs import hybridflow_flags
from tasks.plans.jobs import Asking, Roles, prepare_plans
from tasks.plans.running import ask_all, ask_one
from tasks.solving import YesNo, check


@flow(name="plan-execute", validate_parameters=False)
async def plan_execute(
    *,
    query: str | None = None,
    dataset: str | None = None,
    planner: str | None = None,
    small: str | None = None,
    large: str | None = None,
    aggregator: str | None = None,
    judge: str | None = None,
    evaluate: str | None = None,
    threshold: float = 5.0,
    no_threshold: bool = False,
    router: Literal["threshold", "random", "scored"] = "threshold",
    enforce_budget: bool = False,
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
    """Answer one question, or those of a file; without any flag a sample question with recorded models.

    Parameters
    ----------
    query
        One question; each of its steps is a task run.
    dataset
        JSON or JSONL of rows with problem and answer; each question is a task run.
    planner
        Who writes the plans: a saved ModelEndpoint or ModelPool, URL#MODEL, recorded:PATH[#MODEL], or a model name at
        OPENAI_API_BASE; the large model without it.
    small
        Who does the easy steps, and brings the results together.
    large
        Who does the hard steps, and answers alone where there is no plan.
    aggregator
        Who brings the results together in place of the small model.
    judge
        Who is asked whether an answer is right where no rule can tell.
    evaluate
        What the judge scores at the end: planner, executor, or planner,executor.
    threshold
        Difficulty from which on a step is for the large model, from 0 to 10.
    no_threshold
        Every step is for the large model.
    router
        threshold goes by the planner's difficulty, scored by that of a call of its own, random by chance.
    enforce_budget
        Send a step's token budget as the most that its answer may have.
    workers
        Steps of one question that are done at a time.
    questions
        Questions that are worked on at a time.
    limit
        Only so many questions, chosen at random by the seed.
    seed
        Of that choice, and of the router random.
    timeout
        Seconds that one call may take.
    question_timeout
        Seconds that a question's plan may take; what is not done by then has failed.
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
    ask = ask_one if asking.alone else ask_all
    return await execute(asking.job, partial(ask, asking, after=evaluating(asking, evaluate)), began)


async def _prepare(
    *, planner: str | None, small: str | None, large: str | None, aggregator: str | None, judge: str | None,
    evaluate: str | None, threshold: float, no_threshold: bool, router: str, enforce_budget: bool, workers: int,
    seed: int, timeout: float, question_timeout: float, **parameters: Any,
) -> Asking:  # fmt: skip
    check_evaluate(evaluate, judge)
    return await prepare_plans(
        given=Roles(planner, small, large, aggregator, judge),
        rules=Rules(
            router=router,
            threshold=threshold,
            use_threshold=not no_threshold,
            seed=seed,
            workers=workers,
            enforce_budget=enforce_budget,
            timeout=timeout,
            question_timeout=question_timeout,
        ),
        **parameters,
    )


async def _check(**parameters: Any) -> None:
    bound = inspect.signature(plan_execute.fn).bind(**parameters)
    bound.apply_defaults()
    await check((await _prepare(**bound.arguments)).job)


if __name__ == "__main__":
    raise SystemExit(main(Command(plan_execute, _check, read=hybridflow_flags)))

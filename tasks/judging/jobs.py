"""The parameters of a judging run, checked into a job that can be run."""

import asyncio
import hashlib
from collections.abc import Collection
from pathlib import Path
from typing import Any, NamedTuple

from blocks.errors import UsageError
from blocks.server import load_environment
from tasks import prompts
from tasks.datasets.load import BUNDLED, Dataset
from tasks.judging.dimensions import STAGES, Role
from tasks.judging.judged import JudgedRun, Question
from tasks.judging.scoring import JOB, items_of
from tasks.models.references import Model, resolve
from tasks.names import file_name
from tasks.plans import records
from tasks.plans.jobs import LANGUAGE, RECORDED
from tasks.plans.questions import sampled
from tasks.records import Problem, Suite
from tasks.runs import Configuration
from tasks.solving import Job, Options, check_numbers, options_of

FLOW = "judge"
RECORDED_JUDGE = BUNDLED / "recorded" / "plan_execute" / "judge.jsonl"


class Judging(NamedTuple):
    """A job of judgements: what is judged, as whom, and how many seconds one call may take."""

    job: Job
    judged: JudgedRun
    roles: tuple[Role, ...]
    timeout: float


async def prepare_judging(
    *, run: str, judge: str | None, planner_only: bool, executor_only: bool, questions: int, limit: int | None,
    seed: int, timeout: float, output: Path, **parameters: Any,
) -> Judging:  # fmt: skip
    """Check the parameters of a judging run, asking no model.

    Raises UsageError, and StoreLocked where another process holds the store.
    """
    from tasks.reporting.judging.judged_runs import read_judged  # brings DuckDB

    if planner_only and executor_only:
        raise UsageError("--planner-only and --executor-only leave nothing to judge; give one of them, or none")
    roles: tuple[Role, ...] = ("planner",) if planner_only else ("executor",) if executor_only else tuple(STAGES)
    options = options_of(
        flow=FLOW, strategy=FLOW, dataset="", workers=questions, limit=limit, output=output, **parameters
    )
    _check(options, questions, timeout)
    judged = await asyncio.to_thread(read_judged, output, run)
    load_environment()
    model = await resolve(judge or _recorded_judge(judged))
    return judging_of(judged, model, roles, options, timeout=timeout, seed=seed)


def judging_of(
    judged: JudgedRun, model: Model, roles: tuple[Role, ...], options: Options, *, timeout: float, seed: int = 0,
    ids: Collection[str] | None = None,
) -> Judging:  # fmt: skip
    """Return the job of judging a run, or those of its questions; raises UsageError where nothing can be judged."""
    found = [
        one for one in judged.questions if items_of(one, roles) and (ids is None or one.answer.problem_id in ids)
    ]
    if not found:
        what = " and ".join("plans" if role == "planner" else "results of steps" for role in roles)
        raise UsageError(f"run {judged.run_id} has no {what} to judge")
    chosen = _sampled(found, options.limit, seed)
    prompts_of = {name: _hash(text) for name, text in prompts.texts_of(JOB).items() if name in (*roles, "repair")}
    configuration = Configuration(
        flow=FLOW,
        dataset=judged.dataset,
        dataset_hash=judged.dataset_hash,
        strategy=FLOW,
        strategy_hash="",
        prompts=prompts_of,
        models=(model.name,),
        references=(model.reference,),
        pools=(model.pool,),
        stages={stage: (1,) for role in roles for stage in STAGES[role]},
        language=LANGUAGE,
        temperature=options.temperature,
        top_p=options.top_p,
        max_tokens=options.max_tokens,
        samples=1,
        parameters={"judged_run": judged.run_id, "roles": ",".join(roles), "seed": seed},
        place=f"{FLOW}/{file_name(judged.dataset)}",
    )
    problems = {
        one.answer.problem_id: Problem(id=one.answer.problem_id, statement=one.answer.question, hidden=Suite())
        for one in judged.questions
    }
    dataset = Dataset(judged.dataset, Path(), judged.dataset_hash, tuple(problems.values()))
    asked = tuple(problems[one.answer.problem_id] for one in chosen)
    return Judging(Job(options, configuration, (model,), dataset, asked, None), judged, roles, timeout)


def _sampled(found: list[Question], limit: int | None, seed: int) -> list[Question]:
    named = [records.Question(id=str(number), text="") for number in range(len(found))]
    return [found[int(each.id)] for each in sampled(named, limit, seed)]


def _recorded_judge(judged: JudgedRun) -> str:
    """The recorded judge, for a run of nothing but the bundled recorded models."""
    if set(judged.references) == {f"recorded:{path}" for path in RECORDED.values()}:
        return f"recorded:{RECORDED_JUDGE}"
    raise UsageError(f"--judge: no model is named; give a model reference, to judge run {judged.run_id[:8]}")


def _check(options: Options, questions: int, timeout: float) -> None:
    if questions < 1:
        raise UsageError(f"--questions {questions}: give a number of 1 or more")
    if not 0 < timeout < float("inf"):
        raise UsageError(f"--timeout {timeout}: give seconds, above 0")
    check_numbers(options)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()

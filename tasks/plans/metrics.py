"""How one question went: its plan, its time, its tokens, its cost. What is unknown is None, never 0.

Times are in seconds, tokens are the servers' counts. A sum is None where a part of it is unknown; a mean is that of
the parts that are known, and None where none is.
"""

import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from blocks.records import CallRow, Record
from tasks.plans.answered import Answered

ROLES: Mapping[str, str] = {  # by stage; the others by the number of the model that replied
    "planning": "planner", "scoring": "router", "aggregation": "aggregator", "judging": "judge",
}  # fmt: skip
ORDER = ("planner", "router", "small", "large", "aggregator", "model", "judge")

Number = TypeVar("Number", int, float)


class Ttft(Record):
    """The time to the first token of the `calls` of which it is known."""

    calls: int
    mean: float
    min: float
    max: float


class Use(Record):
    """What a number of calls took, and the models that replied; no cost where one has no price in dollars."""

    models: tuple[str, ...]
    calls: int
    prompt_tokens: int | None
    completion_tokens: int | None
    cost_usd: float | None
    ttft: Ttft | None


class QuestionMetrics(Record):
    """One question. What tells of a plan is None without one.

    - `depth`: steps on the longest path; `compression_ratio`: those / all steps.
    - `budget_used`: tokens of the steps' replies / their budgets.
    - `step_seconds`: the times of all steps together; `speed_up`: those / wall time.
    - `tokens_per_second`: tokens of all replies but the judge's / wall time, in which the judge is not.
    """

    wall_seconds: float | None
    planning_seconds: float | None
    steps: int
    small: int
    large: int
    escalated: int
    failed: int
    discarded: int
    depth: int | None
    compression_ratio: float | None
    token_budget: int | None
    mean_token_budget: float | None
    tokens_of_steps: int | None
    budget_used: float | None
    step_seconds: float | None
    speed_up: float | None
    tokens_per_second: float | None
    roles: dict[str, Use]
    total: Use


def role_of(call: CallRow, roles: Mapping[int, str]) -> str:
    """Return what a model was asked as: its stage says so, else its number (`roles`), else the stage's own name."""
    return ROLES.get(call.stage) or roles.get(call.model_number) or call.stage


def question_metrics(one: Answered, roles: Mapping[int, str]) -> QuestionMetrics:
    """Return the metrics of one question."""
    answer, steps = one.answer, one.steps
    wall = answer.wall_seconds or None  # nothing is done in no time
    budget = sum(step.token_budget for step in steps) if steps else None
    spent = total(step.completion_tokens for step in steps) if steps else None
    busy = sum(step.seconds for step in steps) if steps else None
    written = total(call.completion_tokens for call in one.calls if role_of(call, roles) != "judge")
    return QuestionMetrics(
        wall_seconds=answer.wall_seconds,
        planning_seconds=answer.planning_seconds,
        steps=len(steps),
        small=sum(step.size == "small" for step in steps),
        large=sum(step.size == "large" for step in steps),
        escalated=sum(step.escalated for step in steps),
        failed=sum(step.result is None for step in steps),
        discarded=len(one.discarded),
        depth=len(answer.critical_path) or None,
        compression_ratio=answer.compression_ratio,
        token_budget=budget,
        mean_token_budget=ratio(budget, len(steps)),
        tokens_of_steps=spent,
        budget_used=ratio(spent, budget),
        step_seconds=busy,
        speed_up=ratio(busy, wall),
        tokens_per_second=ratio(written, wall) if one.calls else None,
        roles=use_by_role(one.calls, roles),
        total=use_of(one.calls),
    )


def use_by_role(calls: Iterable[CallRow], roles: Mapping[int, str]) -> dict[str, Use]:
    """Return what each role took, the planner first."""
    mine: dict[str, list[CallRow]] = defaultdict(list)
    for call in calls:
        mine[role_of(call, roles)].append(call)
    order = sorted(mine, key=lambda role: ORDER.index(role) if role in ORDER else len(ORDER))
    return {role: use_of(mine[role]) for role in order}


def use_of(calls: Sequence[CallRow]) -> Use:
    """Return what calls took together."""
    first = [call.ttft for call in calls if call.ttft is not None]
    priced = all(call.currency == "USD" for call in calls)
    return Use(
        models=tuple(dict.fromkeys(call.model for call in calls)),
        calls=len(calls),
        prompt_tokens=total(call.prompt_tokens for call in calls),
        completion_tokens=total(call.completion_tokens for call in calls),
        cost_usd=total(call.cost for call in calls) if priced else None,
        ttft=Ttft(calls=len(first), mean=statistics.fmean(first), min=min(first), max=max(first)) if first else None,
    )


def total(parts: Iterable[Number | None]) -> Number | None:
    """Return the sum, None where a part is unknown."""
    found = list(parts)
    known = [part for part in found if part is not None]
    return sum(known) if len(known) == len(found) else None


def mean(parts: Iterable[float | None]) -> float | None:
    """Return the mean of the parts that are known, None where none is."""
    known = [part for part in parts if part is not None]
    return statistics.fmean(known) if known else None


def ratio(part: float | None, whole: float | None) -> float | None:
    """Return part / whole, None where one is unknown or the whole is nothing."""
    return part / whole if part is not None and whole else None

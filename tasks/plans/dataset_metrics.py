"""How the questions of a dataset went together: accuracy, plans, who did their steps, time, tokens, cost."""

import statistics
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import TypeVar

from blocks.records import AnswerRow, Record, StepRow
from tasks.plans.answered import Answered
from tasks.plans.metrics import QuestionMetrics, Use, mean, question_metrics, ratio, total, use_by_role, use_of

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Accuracy(Record):
    """How many answers are right. `percent` is of those `judged`; `unknown`: nothing could tell."""

    questions: int
    judged: int
    correct: int
    unknown: int
    percent: float | None


class Share(Record):
    """The steps that have something in common: a model, a difficulty.

    Means are those of the steps that have a result.
    """

    steps: int
    small: int
    large: int
    escalated: int
    failed: int
    mean_tokens: float | None
    mean_seconds: float | None


class Times(Record):
    """The time that questions took, of the `questions` of which it is known."""

    questions: int
    mean: float | None
    median: float | None
    longest: float | None
    mean_planning: float | None
    mean_step_seconds: float | None
    mean_speed_up: float | None
    mean_tokens_per_second: float | None


class DatasetMetrics(Record):
    """The questions of a dataset together. The averages of plans are over the `planned` questions.

    - `subjects` by subject, None for questions that have none; `decided_by` counts what told right from wrong.
    - `average_token_budget`: of a step; `budget_used`: tokens of all steps' replies / all budgets.
    - `repaired`: questions whose plan was repaired, `repairs` in all; `stood_in`: questions in which the last step's
      result stands in for the aggregation.
    - `models`: by the name of the model that replied, None where none did; `difficulties`: 1 to 9.
    """

    questions: int
    accuracy: Accuracy
    subjects: tuple[tuple[str | None, Accuracy], ...]
    decided_by: dict[str, int]
    planned: int
    average_steps: float | None
    average_depth: float | None
    average_compression_ratio: float | None
    average_token_budget: float | None
    budget_used: float | None
    fallbacks: int
    repaired: int
    repairs: int
    failed_steps: int
    escalated_steps: int
    discarded_steps: int
    stood_in: int
    models: tuple[tuple[str | None, Share], ...]
    difficulties: tuple[tuple[int, Share], ...]
    roles: dict[str, Use]
    total: Use
    times: Times


def dataset_metrics(those: Sequence[Answered], roles: Mapping[int, str]) -> DatasetMetrics:
    """Return the metrics of all questions together."""
    answers = [one.answer for one in those]
    calls = [call for one in those for call in one.calls]
    planned = [one for one in those if one.planned]
    steps = [step for one in those for step in one.steps]
    carried_out = [step for one in planned for step in one.steps]
    budget = sum(step.token_budget for step in carried_out) if carried_out else None
    return DatasetMetrics(
        questions=len(those),
        accuracy=accuracy(answers),
        subjects=tuple((subject, accuracy(mine)) for subject, mine in _by_subject(answers)),
        decided_by=dict(Counter(answer.decided_by for answer in answers if answer.decided_by).most_common()),
        planned=len(planned),
        average_steps=mean(len(one.steps) for one in planned),
        average_depth=mean(len(one.answer.critical_path) for one in planned),
        average_compression_ratio=mean(one.answer.compression_ratio for one in planned),
        average_token_budget=ratio(budget, len(carried_out)),
        budget_used=ratio(total(step.completion_tokens for step in carried_out), budget),
        fallbacks=sum(answer.fallback is not None for answer in answers),
        repaired=sum(bool(answer.repairs) for answer in answers),
        repairs=sum(len(answer.repairs) for answer in answers),
        failed_steps=sum(step.result is None for step in steps),
        escalated_steps=sum(step.escalated for step in steps),
        discarded_steps=sum(len(one.discarded) for one in those),
        stood_in=sum(not one.answer.aggregated for one in planned),
        models=tuple((model, share_of(mine)) for model, mine in _by_model(steps)),
        difficulties=tuple((difficulty, share_of(mine)) for difficulty, mine in by_difficulty(steps)),
        roles=use_by_role(calls, roles),
        total=use_of(calls),
        times=_times([question_metrics(one, roles) for one in those]),
    )


def accuracy(answers: Sequence[AnswerRow]) -> Accuracy:
    """Count right and wrong answers, and those of which it is not known."""
    judged = [answer.correct for answer in answers if answer.correct is not None]
    return Accuracy(
        questions=len(answers),
        judged=len(judged),
        correct=sum(judged),
        unknown=len(answers) - len(judged),
        percent=round(100 * sum(judged) / len(judged), 1) if judged else None,
    )


def share_of(steps: Sequence[StepRow]) -> Share:
    """Return what steps have in numbers."""
    done = [step for step in steps if step.result is not None]
    return Share(
        steps=len(steps),
        small=sum(step.size == "small" for step in steps),
        large=sum(step.size == "large" for step in steps),
        escalated=sum(step.escalated for step in steps),
        failed=len(steps) - len(done),
        mean_tokens=mean(step.completion_tokens for step in done),
        mean_seconds=mean(step.seconds for step in done),
    )


def by_difficulty(steps: Iterable[StepRow]) -> list[tuple[int, list[StepRow]]]:
    """Return the steps by difficulty, the easy ones first."""
    return sorted(_grouped((step.difficulty, step) for step in steps).items())


def _by_model(steps: Iterable[StepRow]) -> list[tuple[str | None, list[StepRow]]]:
    """The steps by the model that replied, the busiest first."""
    groups = _grouped((step.model, step) for step in steps)
    return sorted(groups.items(), key=lambda item: (-len(item[1]), item[0] or ""))


def _by_subject(answers: Iterable[AnswerRow]) -> list[tuple[str | None, list[AnswerRow]]]:
    """The answers by subject, those without one last."""
    groups = _grouped((answer.subject or None, answer) for answer in answers)
    return sorted(groups.items(), key=lambda item: (item[0] is None, item[0] or ""))


def _grouped(pairs: Iterable[tuple[Key, Value]]) -> dict[Key, list[Value]]:
    groups: dict[Key, list[Value]] = defaultdict(list)
    for key, value in pairs:
        groups[key].append(value)
    return groups


def _times(those: Sequence[QuestionMetrics]) -> Times:
    walls = [each.wall_seconds for each in those if each.wall_seconds is not None]
    return Times(
        questions=len(walls),
        mean=mean(walls),
        median=statistics.median(walls) if walls else None,
        longest=max(walls, default=None),
        mean_planning=mean(each.planning_seconds for each in those),
        mean_step_seconds=mean(each.step_seconds for each in those),
        mean_speed_up=mean(each.speed_up for each in those),
        mean_tokens_per_second=mean(each.tokens_per_second for each in those),
    )

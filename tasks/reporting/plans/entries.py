"""`dataset_results.json` and `result.json`: one entry a question, as a named record."""

from collections.abc import Mapping

from blocks.records import Record, StepRow
from tasks.plans.answered import Answered
from tasks.plans.metrics import QuestionMetrics, question_metrics, role_of, use_of

RESULTS = "dataset_results.json"


class StepEntry(Record):
    """A step: what it was to do, and what came of it (`result` None: it failed, `error` says why)."""

    id: int
    task: str
    difficulty: int
    token_budget: int
    depends_on: tuple[int, ...]
    model: str | None
    result: str | None
    seconds: float
    size: str
    escalated: bool
    error: str | None
    started_seconds: float | None
    ttft: float | None
    prompt_tokens: int | None
    completion_tokens: int | None
    cost_usd: float | None


class Entry(Record):
    """A question. Without a plan there are no steps, and what tells of one is None. `recorded`: a reply of it was."""

    problem_id: str
    sample: int
    question: str
    subject: str | None
    steps: tuple[StepEntry, ...]
    fallback: str | None
    repairs: tuple[str, ...]
    failed_steps: int
    discarded_steps: tuple[StepEntry, ...]
    answer: str | None
    prediction: str | None
    correct: bool | None
    decided_by: str | None
    aggregated: bool
    planning_seconds: float | None
    wall_seconds: float | None
    critical_path: tuple[int, ...]
    compression_ratio: float | None
    calls: int
    prompt_tokens: int | None
    completion_tokens: int | None
    cost_usd: float | None
    recorded: bool


class CallEntry(Record):
    """One reply; `role` is what the model was asked as."""

    role: str
    stage: str
    ordinal: int
    model: str
    ttft: float | None
    seconds: float
    prompt_tokens: int | None
    completion_tokens: int | None
    cost_usd: float | None
    recorded: bool


class Result(Entry):
    """`result.json`: the entry of a single question, with its metrics and every reply."""

    metrics: QuestionMetrics
    replies: tuple[CallEntry, ...]


def entry_of(one: Answered) -> Entry:
    """Return the entry of a question."""
    answer, use = one.answer, use_of(one.calls)
    return Entry(
        problem_id=answer.problem_id,
        sample=answer.sample,
        question=answer.question,
        subject=answer.subject,
        steps=tuple(map(_step_entry, one.steps)),
        fallback=answer.fallback,
        repairs=tuple(answer.repairs),
        failed_steps=sum(step.result is None for step in one.steps),
        discarded_steps=tuple(map(_step_entry, one.discarded)),
        answer=answer.answer,
        prediction=answer.prediction,
        correct=answer.correct,
        decided_by=answer.decided_by,
        aggregated=answer.aggregated,
        planning_seconds=answer.planning_seconds,
        wall_seconds=answer.wall_seconds,
        critical_path=tuple(answer.critical_path),
        compression_ratio=answer.compression_ratio,
        calls=use.calls,
        prompt_tokens=use.prompt_tokens if use.calls else None,
        completion_tokens=use.completion_tokens if use.calls else None,
        cost_usd=use.cost_usd if use.calls else None,
        recorded=any(call.recorded for call in one.calls),
    )


def result_of(one: Answered, roles: Mapping[int, str]) -> Result:
    """Return the entry of a single question with its metrics and replies."""
    replies = tuple(
        CallEntry(
            role=role_of(call, roles),
            stage=call.stage,
            ordinal=call.ordinal,
            model=call.model,
            ttft=call.ttft,
            seconds=call.seconds,
            prompt_tokens=call.prompt_tokens,
            completion_tokens=call.completion_tokens,
            cost_usd=_dollars(call.cost, call.currency),
            recorded=call.recorded,
        )
        for call in one.calls
    )
    return Result(**dict(entry_of(one)), metrics=question_metrics(one, roles), replies=replies)


def _step_entry(row: StepRow) -> StepEntry:
    return StepEntry(
        id=row.step,
        task=row.task,
        difficulty=row.difficulty,
        token_budget=row.token_budget,
        depends_on=tuple(row.depends_on),
        model=row.model,
        result=row.result,
        seconds=row.seconds,
        size=row.size,
        escalated=row.escalated,
        error=row.error,
        started_seconds=row.started_seconds,
        ttft=row.ttft,
        prompt_tokens=row.prompt_tokens,
        completion_tokens=row.completion_tokens,
        cost_usd=_dollars(row.cost, row.currency),
    )


def _dollars(cost: float | None, currency: str | None) -> float | None:
    return cost if currency == "USD" else None

"""Doing one step: routed to a model, escalated once where the small one fails; what comes of it is a row."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, TypeVar

from blocks.errors import CallError
from blocks.records import CallRow, StepRow, now
from tasks.parsing import answer_of
from tasks.plans.asking import Voice, rotates, seconds
from tasks.plans.records import Size, Step
from tasks.plans.routing import Routing, route, score_of

Number = TypeVar("Number", int, float)

SIZES: dict[Size, int] = {"small": 1, "large": 2}  # the tries of the stage `step` that they are assigned to
LONGEST_NAME = 60  # characters of a task in the name of its task run


class Earlier(NamedTuple):
    """A step that is done, as prompts show it; `result` is None where it failed."""

    id: int
    task: str
    result: str | None


class Performer:
    """Does the steps of a question's plan number `plan`. `began` is when the question did."""

    def __init__(self, voice: Voice, plan: int, began: datetime) -> None:
        self.voice, self.plan, self.began = voice, plan, began

    async def perform(self, step: Step, results: Mapping[int, StepRow]) -> StepRow:
        """Do a step, given its dependencies' rows. Raises CallError where another model of the pool is to do it."""

        async def work() -> StepRow:
            return await self._try(step, results)

        name = _name(self.plan, step.id, step.task)
        return await self.voice.session.around("step", work, name=name, after=names(results.values()))

    async def _try(self, step: Step, results: Mapping[int, StepRow]) -> StepRow:
        voice = self.voice
        size = await self._route(step)
        sizes: tuple[Size, ...] = ("small", "large") if size == "small" else ("large",)
        text = voice.text("step", task=step.task, budget=step.token_budget, dependencies=earlier(results.values()))
        tokens = step.token_budget if voice.rules.enforce_budget else None
        began, calls, error = now(), list[CallRow](), ""
        for size in sizes:
            escalated = size != sizes[0]
            try:
                call = await voice.call("step", text, ordinal=step.id, try_number=SIZES[size], max_tokens=tokens)
            except TimeoutError:
                error = f"no answer within {voice.rules.timeout:g} s"
            except CallError as problem:
                if rotates(problem):
                    raise
                error = problem.message
            else:
                calls.append(call)
                if result := answer_of(call.reply or ""):
                    return self.row(step, size, began, calls, result=result, escalated=escalated)
                error = "the reply is empty"
        return self.row(step, size, began, calls, error=error, escalated=escalated)

    async def _route(self, step: Step) -> Size:
        voice, rules = self.voice, self.voice.rules

        async def score(step: Step) -> int:
            call = await voice.call("scoring", voice.text("scoring", task=step.task), ordinal=step.id)
            return score_of(call.reply or "")

        routing = Routing(voice.question.id, rules.threshold, rules.use_threshold, rules.seed, score)
        return await route(step, routing, rules.router)

    def row(
        self, step: Step, size: Size, began: datetime, calls: Sequence[CallRow],
        *, result: str | None = None, error: str = "", escalated: bool = False,
    ) -> StepRow:  # fmt: skip
        """The row of a step that began at a time, or when its first call did, where that is replayed."""
        session, last = self.voice.session, calls[-1] if calls else None
        at_once = len({call.execution_id for call in calls}) <= 1
        started = min([began, *(call.started_at for call in calls)])
        ended = last.finished_at if last is not None and result is not None else now()
        return StepRow(
            run_id=session.run.run_id,
            problem_id=self.voice.question.id,
            sample=session.sample,
            plan=self.plan,
            step=step.id,
            task=step.task,
            difficulty=step.difficulty,
            token_budget=step.token_budget,
            depends_on=list(step.depends_on),
            size=size,
            model=last.model if last else None,
            result=result,
            error=error or None,
            escalated=escalated,
            started_seconds=seconds(self.began, started),
            seconds=seconds(started, ended) if at_once else sum(call.seconds for call in calls),
            ttft=last.ttft if last else None,
            prompt_tokens=_sum(call.prompt_tokens for call in calls),
            completion_tokens=_sum(call.completion_tokens for call in calls),
            cost=_sum(call.cost for call in calls),
            currency=last.currency if last else None,
            execution_id=session.run.execution_id,
        )


def earlier(rows: Iterable[StepRow]) -> list[Earlier]:
    """Return steps that are done as prompts show them."""
    return [Earlier(row.step, row.task, row.result) for row in rows]


def names(rows: Iterable[StepRow]) -> list[str]:
    """Return the names of the task runs that did these steps."""
    return [_name(row.plan, row.step, row.task) for row in rows]


def _name(plan: int, step: int, task: str) -> str:
    said = task if len(task) <= LONGEST_NAME else f"{task[:LONGEST_NAME]}…"
    return f"{'' if plan == 1 else 'second plan, '}step {step}: {said}"


def _sum(numbers: Iterable[Number | None]) -> Number | None:
    """The sum of numbers; None where one is not known, or there are none."""
    total: Number | None = None
    for number in numbers:
        if number is None:
            return None
        total = number if total is None else total + number
    return total

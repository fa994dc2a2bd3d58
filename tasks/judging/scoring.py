"""The judgement of one question: a call for its plan and one for each step, each repaired once where it must be.

What is judged goes into the prompts as data, every line of it marked (prompts/judge/).
"""

import asyncio
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from blocks.errors import CallError, PoolExhausted, Transient
from blocks.records import CallRow, JudgementRow, StepRow
from tasks import prompts
from tasks.judging.dimensions import DIMENSIONS, PLAN, STAGES, Role, dimensions_of
from tasks.judging.judged import Question
from tasks.judging.reading import Scored, scores_of
from tasks.parsing import BadReply
from tasks.session import Session

JOB = "judge"  # the folder of the prompts


class Item(NamedTuple):
    """A plan of a run, or the result of a step, with the prompt that has it judged; `model` is who made it."""

    run_id: str
    role: Role
    step: int
    model: str | None
    dimensions: tuple[str, ...]
    prompt: str


def items_of(question: Question, roles: Iterable[Role]) -> list[Item]:
    """Return what there is to judge of a question: its plan, unless none could be read, and its steps' results."""
    items = []
    for role in roles:
        if role == "executor":
            items += [_step(question, step) for step in question.answered_steps]
        elif question.answer.plan is not None:
            names = DIMENSIONS["planner"]
            text = prompts.render(
                JOB, "planner", question=question.answer, plan=question.answer.plan, dimensions=names
            )
            items.append(Item(question.answer.run_id, "planner", PLAN, question.planner, names, text))
    return items


def _step(question: Question, step: StepRow) -> Item:
    names = dimensions_of(step)
    before = [each for each in question.steps if each.step in step.depends_on]
    text = prompts.render(JOB, "executor", question=question.answer, step=step, dependencies=before, dimensions=names)
    return Item(question.answer.run_id, "executor", step.step, step.model, names, text)


async def judge(session: Session, items: Sequence[Item], timeout: float) -> list[JudgementRow]:
    """Judge all items at once; their rows are in the spool when this returns or raises.

    An item whose second reply cannot be used either has rows without scores. Raises the CallError of a call that
    brought no reply, first one that another model may mend; by then the other calls have ended and are kept.
    """

    async def one(item: Item) -> list[JudgementRow]:
        rows = await _judged(session, item, timeout)
        for row in rows:
            session.run.spool.append(row)
        return rows

    ended = await asyncio.gather(*(one(item) for item in items), return_exceptions=True)
    failures = [each for each in ended if isinstance(each, BaseException)]
    if failures:
        raise min(failures, key=_is_final)
    return [row for rows in ended if not isinstance(rows, BaseException) for row in rows]


def _is_final(failure: BaseException) -> bool:
    """Tell whether no other model of the pool can mend a failure."""
    return not (isinstance(failure, PoolExhausted) or (isinstance(failure, CallError) and bool(failure.elsewhere)))


async def _judged(session: Session, item: Item, timeout: float) -> list[JudgementRow]:
    call = await _call(session, STAGES[item.role].first, item, item.prompt, timeout)
    try:
        return _rows(session, item, call, scores_of(call.reply or "", item.dimensions))
    except BadReply as bad:
        text = prompts.render(JOB, "repair", prompt=item.prompt, reply=call.reply or "", fault=str(bad))
    again = await _call(session, STAGES[item.role].repair, item, text, timeout)
    try:
        return _rows(session, item, again, scores_of(again.reply or "", item.dimensions), repaired=True)
    except BadReply as bad:
        return _rows(session, item, again, (), error=str(bad), repaired=True)


async def _call(session: Session, stage: str, item: Item, text: str, timeout: float) -> CallRow:
    """Make one call; its ordinal is the number of the step, 1 for a plan."""
    call = session.call(stage, text, ordinal=item.step if item.role == "executor" else 1)
    try:
        return await session.within(timeout, call)
    except TimeoutError:
        raise Transient(f"no judgement within {timeout:g} s") from None


def _rows(
    session: Session, item: Item, call: CallRow, scores: Sequence[Scored], *, error: str | None = None,
    repaired: bool = False,
) -> list[JudgementRow]:  # fmt: skip
    known = {each.dimension: each for each in scores}
    return [
        JudgementRow(
            run_id=session.run.run_id,
            judged_run_id=item.run_id,
            problem_id=session.problem.id,
            sample=session.sample,
            role=item.role,
            step=item.step,
            dimension=name,
            model=item.model,
            score=known[name].score if name in known else None,
            reason=known[name].reason if name in known else None,
            error=error,
            repaired=repaired,
            judge=call.model,
            execution_id=session.run.execution_id,
        )
        for name in item.dimensions
    ]

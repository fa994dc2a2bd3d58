"""What each question's samples brought: plans, and replies that are none, with all that filters and pairs go by."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from blocks.records import CallRow
from tasks.plans.answered import Answered, answered
from tasks.plans.graph import remaining
from tasks.plans.parse import PlanError, plan_of, plan_xml
from tasks.plans.records import Plan, Question
from tasks.reporting.tables import Replies

THINK = re.compile(r"^\s*<think(?:ing)?>", re.IGNORECASE)
END_OF_THINKING = re.compile(r"</think(?:ing)?>", re.IGNORECASE)


class Price(NamedTuple):
    """What a plan takes; less is better, in this order, and None is not known.

    - `cost`: of its steps and their aggregation, in one currency; `tokens` likewise, or those of its budgets where it
      was not carried out.
    - `longest`: tokens of the budgets on its heaviest path, the one that it cannot be faster than.
    """

    cost: float | None
    tokens: int | None
    longest: float


class Candidate(NamedTuple):
    """One sample of a question. `text` is its plan as XML; of a reply that is no plan, that reply.

    `plan` is None where there is none. `correct` is None where it is not known, `checked` whether it was carried out.
    """

    question: Question
    sample: int
    text: str
    thinking: str
    plan: Plan | None = None
    repaired: bool = False
    correct: bool | None = None
    price: Price = Price(None, None, 0)

    @property
    def output(self) -> str:
        """The plan behind its thinking."""
        return f"<think>\n{self.thinking}\n</think>\n\n{self.text}"


class Candidates(NamedTuple):
    """The samples that came to an end, those with a plan and without, and the replies that the planner was refused.

    `replies` counts all that were had for them. `served` has the models that gave the plans, by what the server says.
    """

    ended: tuple[Candidate, ...]
    refused: tuple[Candidate, ...]
    replies: Replies
    served: tuple[str, ...]


def candidates(spool_folder: Path, questions: Mapping[str, Question], samples: int) -> Candidates:
    """Return what a run has brought for these questions, in their order."""
    found = [
        one
        for one in answered(spool_folder, order=questions)
        if one.answer.problem_id in questions and one.answer.sample < samples
    ]
    ended = [_candidate(one, questions[one.answer.problem_id]) for one in found]
    refused = [each for one in found for each in _refused(one, questions[one.answer.problem_id])]
    calls = [call for one in found for call in one.calls]
    served = sorted({call.model for call in calls if call.stage == "planning"})
    replies = Replies(len(calls), sum(call.recorded for call in calls))
    return Candidates(tuple(ended), tuple(refused), replies, tuple(served))


def best(those: Sequence[Candidate]) -> Candidate:
    """Return the cheapest, then the fastest plan of those; costs and tokens count where all of them are known."""
    priced = all(each.price.cost is not None for each in those)
    counted = all(each.price.tokens is not None for each in those)

    def rank(each: Candidate) -> tuple[float, float, float, int]:
        price = each.price
        cost, tokens = (price.cost or 0) if priced else 0, (price.tokens or 0) if counted else 0
        return cost, tokens, price.longest, each.sample

    return min(those, key=rank)


def _candidate(one: Answered, question: Question) -> Candidate:
    if one.answer.plan is None:
        return Candidate(question, one.answer.sample, "", "")
    plan = plan_of(one.answer.plan)
    call = next((each for each in reversed(_planning(one)) if _is_plan(each)), None)
    return Candidate(
        question=question,
        sample=one.answer.sample,
        text=plan_xml(plan).strip(),
        thinking=thinking_of(call) if call else "",
        plan=plan,
        repaired=bool(one.answer.repairs),
        correct=one.answer.correct,
        price=_price(one, plan),
    )


def _refused(one: Answered, question: Question) -> list[Candidate]:
    return [
        Candidate(question, one.answer.sample, _without_thinking(call.reply or ""), thinking_of(call))
        for call in _planning(one)
        if not _is_plan(call)
    ]


def _planning(one: Answered) -> list[CallRow]:
    return sorted((call for call in one.calls if call.stage == "planning"), key=lambda call: call.ordinal)


def _is_plan(call: CallRow) -> bool:
    try:
        plan_of(call.reply or "")
    except PlanError:
        return False
    return True


def thinking_of(call: CallRow) -> str:
    """Return what the model thought: beside its reply, or in it before `</think>`."""
    inside, end, _ = _parted(call.reply or "")
    return (call.reasoning or "").strip() or (THINK.sub("", inside).strip() if end else "")


def _without_thinking(reply: str) -> str:
    inside, end, rest = _parted(reply)
    return rest.strip() if end else "" if THINK.match(inside) else inside.strip()


def _parted(reply: str) -> tuple[str, str, str]:
    """A reply before, at and behind the end of its thinking; all of it is before where that has no end."""
    ends = list(END_OF_THINKING.finditer(reply))
    if not ends:
        return reply, "", ""
    return reply[: ends[-1].start()], ends[-1][0], reply[ends[-1].end() :]


def _price(one: Answered, plan: Plan) -> Price:
    longest = max(remaining(plan.steps, lambda step: step.token_budget).values(), default=0.0)
    calls = [call for call in one.calls if call.stage in ("step", "scoring", "aggregation")]
    if not calls:
        return Price(None, sum(step.token_budget for step in plan.steps), longest)
    costs = [call.cost for call in calls]
    known = [cost for cost in costs if cost is not None]
    cost = math.fsum(known) if len(known) == len(costs) and len({call.currency for call in calls}) == 1 else None
    return Price(cost, _sum(calls), longest)


def _sum(calls: Iterable[CallRow]) -> int | None:
    total = 0
    for call in calls:
        if call.prompt_tokens is None or call.completion_tokens is None:
            return None
        total += call.prompt_tokens + call.completion_tokens
    return total

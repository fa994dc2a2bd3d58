"""One question and whom to ask about it: the calls that answering it takes, each within its time."""

from datetime import datetime
from typing import NamedTuple

from blocks.errors import CallError, PoolExhausted
from blocks.records import CallRow
from tasks import prompts
from tasks.models.reading import OnText
from tasks.plans.records import Question
from tasks.session import Session


class Rules(NamedTuple):
    """How questions are answered. Times in seconds.

    - `router`, `threshold`, `use_threshold`, `seed`: see `tasks.plans.routing`.
    - `workers`: steps of one question in flight.
    - `enforce_budget`: whether a step's budget is the most that its answer may have.
    - `timeout`: for one call, `question_timeout` for a whole plan.
    - `judge`: whether a model is asked where no rule can tell if an answer is right.
    - `guided`: whether the planner is shown the right answer.
    """

    router: str = "threshold"
    threshold: float = 5
    use_threshold: bool = True
    seed: int = 0
    workers: int = 10
    enforce_budget: bool = False
    timeout: float = 120.0
    question_timeout: float = 600.0
    judge: bool = False
    guided: bool = False


class Voice(NamedTuple):
    """A question, the session of its attempt, and the rules that it is answered by."""

    session: Session
    question: Question
    rules: Rules

    def text(self, stage: str, *, job: str = "plan_execute", **values: object) -> str:
        """Return the prompt of a stage."""
        return prompts.render(job, stage, question=self.question, **values)

    async def call(
        self, stage: str, text: str, *, ordinal: int | None = None, try_number: int = 1,
        max_tokens: int | None = None, on_text: OnText | None = None,
    ) -> CallRow:  # fmt: skip
        """Make one call; see `Session.call` and `Session.within`."""
        call = self.session.call(
            stage, text, ordinal=ordinal, try_number=try_number, max_tokens=max_tokens, on_text=on_text
        )
        return await self.session.within(self.rules.timeout, call)


def rotates(problem: CallError) -> bool:
    """Tell whether a failed call is no failure of the step's: another model of the pool is to do it, or none can."""
    return bool(problem.elsewhere) or isinstance(problem, PoolExhausted)


def seconds(began: datetime, ended: datetime) -> float:
    return (ended - began).total_seconds()

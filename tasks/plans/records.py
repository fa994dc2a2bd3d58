"""The frozen records of planning: a question, the plan that it became, its steps."""

from typing import Literal

from blocks.records import Record

Size = Literal["small", "large"]

HARDEST = 9


class Question(Record):
    """One question. `answer` is the right one, None where it is not known; `subject` what it is about."""

    id: str
    text: str
    answer: str | None = None
    subject: str | None = None


class Step(Record):
    """One step of a plan: a task for one model, of a difficulty from 1 to 9.

    `token_budget` is what its answer may take, in tokens; `depends_on` the ids of the steps whose results it needs.
    """

    id: int
    task: str
    difficulty: int
    token_budget: int
    depends_on: tuple[int, ...] = ()


class Plan(Record):
    """The steps of a question, in the planner's order, and what had to be repaired to read them."""

    steps: tuple[Step, ...]
    repairs: tuple[str, ...] = ()

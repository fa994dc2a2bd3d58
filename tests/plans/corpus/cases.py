"""What a case is: a planner's reply, and what it holds, or the sentence that says why it holds no plan.

Its `graph` is written "1 2 3<1,2": the ids in the order of the plan, each with the steps that it relies on.
"""

from collections.abc import Sequence
from typing import NamedTuple

ONE = '<Step ID="1" Task="Read" Difficulty="2" Token="50" Rely=""/>'
TWO = ONE + '<Step ID="2" Task="Add" Difficulty="6" Token="80" Rely="1"/>'


class Case(NamedTuple):
    name: str
    reply: str
    graph: str = ""
    error: str = ""
    repairs: tuple[str, ...] = ()
    tasks: Sequence[str] = ()
    difficulties: Sequence[int] = ()
    tokens: Sequence[int] = ()
    starts: int = 1
    late: bool = False  # the last step is complete with the end of the reply alone


def plan(*steps: str) -> str:
    return "<Plan>\n" + "\n".join(f"  {step}" for step in steps) + "\n</Plan>"


def step(id: object, rely: object = "", task: str = "Do it", rest: str = 'Difficulty="3" Token="100"') -> str:
    return f'<Step ID="{id}" Task="{task}" {rest} Rely="{rely}"/>'


def with_rely(rely: str) -> str:
    """A plan whose third step has this Rely."""
    return plan(step(1), step(2), step(3, rely))


def with_difficulty(difficulty: str) -> str:
    return plan(step(1, rest=f'{difficulty} Token="100"'))


def with_token(token: str) -> str:
    return plan(step(1, rest=f'Difficulty="3" {token}'))

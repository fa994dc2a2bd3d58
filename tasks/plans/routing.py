"""Which of two models does a step. A router is one function here and its line in ROUTERS.

It takes a step and how to route, and returns "small" or "large". The same question, resumed or in another process,
is routed as before.
"""

import hashlib
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

from blocks.errors import UsageError
from tasks.parsing import BadReply, answer_of
from tasks.plans.records import HARDEST, Size, Step

Score = Callable[[Step], Awaitable[int]]

SCALE = re.compile(r"\b1\s*(?:-|–|to|through)\s*9\b|(?:/|\bout\s+of)\s*9\b", re.IGNORECASE)
RATING = re.compile(r"(?<![\w.,/])[1-9](?![\w%]|[.,]\d|\s*/)")


class Routing(NamedTuple):
    """How the steps of one question are routed.

    - `threshold`: difficulty from which on a step is for the large model.
    - `use_threshold`: False sends every step to the large model, whatever the router.
    - `seed`: of the router `random`.
    - `score`: asks a model how difficult a step is, for the router `scored`; raises BadReply where it says nothing of
      use.
    """

    question_id: str
    threshold: float = 5
    use_threshold: bool = True
    seed: int = 0
    score: Score | None = None


Router = Callable[[Step, Routing], Awaitable[Size]]


async def route(step: Step, routing: Routing, router: str = "threshold") -> Size:
    """Return the size of the model that is to do a step. Raises UsageError where there is no router of that name."""
    chosen = router_of(router)
    return await chosen(step, routing) if routing.use_threshold else "large"


def router_of(name: str) -> Router:
    """Return the router of a name, in any case."""
    try:
        return ROUTERS[name.casefold()]
    except KeyError:
        raise UsageError(f"router {name!r}: there is none of that name; choose from {', '.join(ROUTERS)}") from None


async def by_threshold(step: Step, routing: Routing) -> Size:
    """By the difficulty that the planner gave."""
    return "large" if step.difficulty >= routing.threshold else "small"


async def at_random(step: Step, routing: Routing) -> Size:
    """By a coin that falls the same way each time for a step of a question under a seed: what routing must beat."""
    coin = hashlib.sha256(f"{routing.seed}\0{routing.question_id}\0{step.id}".encode("utf-8", "replace")).digest()
    return "large" if coin[0] % 2 else "small"


async def by_score(step: Step, routing: Routing) -> Size:
    """By the difficulty that a model gives when it is asked; by the planner's where it gives none."""
    if routing.score is None:
        raise ValueError("the router scored needs a model to ask")
    try:
        difficulty = await routing.score(step)
    except BadReply:
        difficulty = step.difficulty
    return "large" if difficulty >= routing.threshold else "small"


ROUTERS: Mapping[str, Router] = {"threshold": by_threshold, "random": at_random, "scored": by_score}


def score_of(text: str) -> int:
    """Return the difficulty from 1 to 9 that a reply gives.

    One number may stand in it, as often as it likes, beside the scale itself ("7", "Difficulty: **7** out of 9").
    Raises BadReply where there is none, or more than one.
    """
    ratings = set(RATING.findall(SCALE.sub(" ", answer_of(text))))
    if len(ratings) != 1:
        raise BadReply(f"a reply with {'no' if not ratings else 'more than one'} difficulty from 1 to {HARDEST}")
    return int(ratings.pop())

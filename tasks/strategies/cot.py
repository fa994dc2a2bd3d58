"""Chain of thought: one call, worked examples with their reasoning, then the program (Wei et al., 2201.11903)."""

from functools import partial

from tasks.parsing import program_of
from tasks.records import Problem
from tasks.session import Session

STAGES = ("coding",)
FEWEST_CALLS, MOST_CALLS = 1, 1


async def solve(problem: Problem, session: Session) -> str:
    """Return the program of the one reply."""
    return await session.ask("coding", parse=partial(program_of, language=session.language))

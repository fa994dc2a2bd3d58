"""Direct: one call, the problem, "write the program". The baseline that every other strategy must beat."""

from functools import partial

from tasks.parsing import program_of
from tasks.records import Problem
from tasks.session import Session

STAGES = ("coding",)
FEWEST_CALLS, MOST_CALLS = 1, 1


async def solve(problem: Problem, session: Session) -> str:
    """Return the program of the one reply."""
    return await session.ask("coding", parse=partial(program_of, language=session.language))

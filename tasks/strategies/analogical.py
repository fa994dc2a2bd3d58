"""Analogical prompting: one call, in which the model recalls and solves related problems before this one.

The reply holds three related problems with their programs, the algorithm, and the program for the problem itself,
which is the last in it (Yasunaga et al., arXiv 2310.01714).
"""

from functools import partial

from tasks.parsing import program_of
from tasks.records import Problem
from tasks.session import Session

STAGES = ("coding",)
FEWEST_CALLS, MOST_CALLS = 1, 1


async def solve(problem: Problem, session: Session) -> str:
    """Return the last program of the one reply."""
    return await session.ask("coding", parse=partial(program_of, language=session.language))

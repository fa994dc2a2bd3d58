"""Self-planning: a numbered plan after worked examples, then the program from the plan (Jiang et al., 2303.06689)."""

from functools import partial

from tasks.parsing import program_of, whole_answer_of
from tasks.records import Problem
from tasks.session import Session

STAGES = ("planning", "coding")
FEWEST_CALLS, MOST_CALLS = 2, 2


async def solve(problem: Problem, session: Session) -> str:
    """Return the program that was written from the plan."""
    plan = await session.ask("planning", parse=whole_answer_of)
    program = await session.ask("coding", parse=partial(program_of, language=session.language), plan=plan)
    session.keep(program, plan=plan)
    return program

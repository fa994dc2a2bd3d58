"""CodeSIM: plan, check the plan by simulating it, code, debug (Islam et al., arXiv 2502.05664).

Calls: at least 3 (planning, simulation, coding), at most 45 (5 plans, each with a refinement and 5 debuggings),
not counting replies that had to be asked again.
"""

from functools import partial

from tasks.parsing import answer_of, needs_change, plan_of, program_of
from tasks.records import Problem
from tasks.session import Session

STAGES = ("planning", "simulation", "refinement", "coding", "debugging")
FEWEST_CALLS, MOST_CALLS = 3, 45
MAX_PLAN_TRY = 5
MAX_DEBUG_TRY = 5


async def solve(problem: Problem, session: Session) -> str:
    """Return the first program that passes the public samples, or the last one written."""
    program, a_program = "", partial(program_of, language=session.language)
    for plan_try in range(1, MAX_PLAN_TRY + 1):
        plan = await _verified_plan(session, plan_try)
        program = await session.ask("coding", parse=a_program, try_number=plan_try, plan=plan)
        report = await session.run_samples(program, stage="coding")
        for debug_try in range(1, MAX_DEBUG_TRY + 1):
            if report.passed:
                break
            program = await session.ask(
                "debugging",
                parse=a_program,
                try_number=debug_try,
                plan=plan,
                program=program,
                report=report.text,
            )
            report = await session.run_samples(program, stage="debugging")
        if report.passed:
            return program
    return program


async def _verified_plan(session: Session, plan_try: int) -> str:
    """Plan, trace the plan by hand, and refine it once where the trace asks for it."""
    plan = await session.ask("planning", parse=plan_of, try_number=plan_try)
    critique = await session.ask("simulation", parse=answer_of, try_number=plan_try, plan=plan)
    if not needs_change(critique):
        return plan
    return await session.ask("refinement", parse=answer_of, try_number=plan_try, plan=plan, critique=critique)

"""CodeSIM: plan, check the plan by simulating it, code, debug (Islam et al., arXiv 2502.05664).

Calls: at least 3 (planning, simulation, coding), at most 45 (5 plans, each with a refinement and 5 debuggings),
not counting replies that had to be asked again. The paper's ablations are parameters: `verify_plan=no` saves the
simulations and refinements, `max_debug_try=0` the debugging; `self_made_samples` costs one call more.
"""

from functools import partial
from typing import Annotated

from pydantic import Field

from tasks.parsing import BadReply, finished_answer_of, needs_change, plan_of, program_of
from tasks.records import Problem, Suite
from tasks.session import Session
from tasks.written_tests import assertions_of, pairs_of

STAGES = ("samples", "planning", "simulation", "refinement", "coding", "debugging")
OPTIONAL_STAGES = {"samples": {"self_made_samples": 3}}
FEWEST_CALLS, MOST_CALLS = 3, 45


async def solve(
    problem: Problem,
    session: Session,
    *,
    max_plan_try: Annotated[int, Field(ge=1)] = 5,
    max_debug_try: Annotated[int, Field(ge=0)] = 5,
    verify_plan: bool = True,
    self_made_samples: Annotated[int, Field(ge=0, le=50)] = 0,
) -> str:
    """Return the first program that passes the samples, or the last one written.

    Parameters
    ----------
    max_plan_try
        Plans, each with a program of its own.
    max_debug_try
        Debuggings of each plan's program.
    verify_plan
        Whether each plan is traced by hand, and refined where the trace asks for it.
    self_made_samples
        Samples that the model is asked to add to the problem's own.
    """
    program, a_program = "", partial(program_of, language=session.language)
    samples = await _samples(problem, session, self_made_samples)
    for plan_try in range(1, max_plan_try + 1):
        plan = await _plan(session, plan_try, verify_plan)
        program = await session.ask("coding", parse=a_program, try_number=plan_try, plan=plan)
        report = await session.run_samples(program, stage="coding", plan=plan, samples=samples)
        for debug_try in range(1, max_debug_try + 1):
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
            report = await session.run_samples(program, stage="debugging", plan=plan, samples=samples)
        if report.passed:
            return program
    return program


async def _samples(problem: Problem, session: Session, wanted: int) -> Suite:
    """Return the problem's samples, and up to so many of the model's own, where it writes any that can be used."""
    public = problem.samples
    if not wanted:
        return public
    try:
        if problem.entry_point:
            methods = problem.entry_kind == "class"
            parse = partial(assertions_of, entry_point=problem.entry_point, methods=methods)
            made = await session.ask("samples", parse=parse, wanted=wanted)
            return public.model_copy(update={"assertions": (*public.assertions, *made[:wanted])})
        checks = await session.ask("samples", parse=pairs_of, wanted=wanted)
    except BadReply:
        return public
    return public.model_copy(update={"pairs": (*public.pairs, *checks.pairs[:wanted])})


async def _plan(session: Session, plan_try: int, verify: bool) -> str:
    """Plan; where plans are verified, trace the plan by hand and refine it once where the trace asks for it.

    A trace that was cut off asks for nothing, and a refinement that was leaves the plan as it is.
    """
    plan = await session.ask("planning", parse=plan_of, try_number=plan_try)
    if not verify:
        return plan
    critique = await session.ask("simulation", parse=finished_answer_of, try_number=plan_try, plan=plan)
    if not needs_change(critique):
        return plan
    refined = await session.ask(
        "refinement", parse=finished_answer_of, try_number=plan_try, plan=plan, critique=critique
    )
    return refined or plan

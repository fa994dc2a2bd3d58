"""MapCoder: recall similar problems, plan after each, code from the surest plan on, debug (Islam et al., 2405.11403).

One call recalls a few problems like this one, with a program and a plan each, and the algorithm for it. After each of
them the problem itself is planned, and each plan is given a confidence of 0 to 100. The plans are tried from the
surest on, those of one confidence in the order in which they were made, until a program passes the samples.

Calls: at least 8 (retrieval, planning and confidence three times, coding), at most 25 (each plan's program debugged
five times), not counting replies that had to be asked again; fewer where the model recalls fewer problems.
"""

from functools import partial
from typing import Annotated, NamedTuple

from pydantic import Field

from tasks.exemplars import Recalled, confidence_of, recalled_of
from tasks.parsing import BadReply, program_of, whole_answer_of
from tasks.records import Problem
from tasks.session import Session

STAGES = ("retrieval", "planning", "confidence", "coding", "debugging")
FEWEST_CALLS, MOST_CALLS = 8, 25


async def solve(
    problem: Problem,
    session: Session,
    *,
    exemplars: Annotated[int, Field(ge=1, le=20)] = 3,
    max_debug_try: Annotated[int, Field(ge=0)] = 5,
) -> str:
    """Return the first program that passes the samples, or the last one written.

    Parameters
    ----------
    exemplars
        Similar problems to recall (the paper's k), each with a plan and a program of its own.
    max_debug_try
        Debuggings of each plan's program (the paper's t).
    """
    program, a_program = "", partial(program_of, language=session.language)
    recalled = await session.ask("retrieval", parse=partial(recalled_of, most=exemplars), wanted=exemplars)
    for plan_try, plan in enumerate(await _plans(session, recalled), start=1):
        program = await session.ask(
            "coding",
            parse=a_program,
            try_number=plan_try,
            algorithm=recalled.algorithm,
            plan=plan,
        )
        report = await session.run_samples(program, stage="coding", plan=plan)
        for debug_try in range(1, max_debug_try + 1):
            if report.passed:
                break
            program = await session.ask(
                "debugging",
                parse=a_program,
                try_number=debug_try,
                algorithm=recalled.algorithm,
                plan=plan,
                program=program,
                report=report.text,
            )
            report = await session.run_samples(program, stage="debugging", plan=plan)
        if report.passed:
            return program
    return program


class _Plan(NamedTuple):
    text: str
    confidence: float


async def _plans(session: Session, recalled: Recalled) -> list[str]:
    """Plan the problem after each exemplar; return the plans, the surest first."""
    plans: list[_Plan] = []
    for number, exemplar in enumerate(recalled.exemplars, start=1):
        plan = await session.ask(
            "planning",
            parse=whole_answer_of,
            try_number=number,
            exemplar=exemplar,
            algorithm=recalled.algorithm,
        )
        try:
            confidence = await session.ask("confidence", parse=confidence_of, try_number=number, plan=plan)
        except BadReply:  # it says only when the plan's turn is
            confidence = 0.0
        plans.append(_Plan(plan, confidence))
    return [plan.text for plan in sorted(plans, key=lambda plan: -plan.confidence)]

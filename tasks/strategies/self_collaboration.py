"""Self-collaboration: an analyst, a coder and a tester, each with its own conversation (Dong et al., TOSEM 2024).

The analyst turns the requirement into a plan. Then, round by round, the coder writes or repairs the program, and on
every round but the last the tester's tests are run on it; what they say is the coder's next message. It ends with the
first round whose tests pass. A reply of the coder without a program keeps the previous one.

Calls: at least 3 (analyst, coder, tester), at most 4 in the usual two rounds (2 x max_round in all), not counting
replies that had to be asked again.
"""

from collections.abc import Callable
from functools import partial
from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from blocks.records import Message
from tasks.parsing import BadReply, plan_in_json, program_of
from tasks.records import Checks, Problem
from tasks.session import Session
from tasks.written_tests import Audit, audit_of, check_of, pairs_of

STAGES = ("analyst", "coder", "tester")
FEWEST_CALLS, MOST_CALLS = 3, 4

Tester = Literal["runs", "audits"]


async def solve(
    problem: Problem,
    session: Session,
    *,
    max_round: Annotated[int, Field(ge=1)] = 2,
    tester: Tester = "runs",
) -> str:
    """Return the program of the last round.

    Parameters
    ----------
    max_round
        Programs that the coder writes at most; the last one is not tested.
    tester
        runs: the tester writes tests, which are run; audits: it reads the program and says PASS or FAIL.
    """
    plan = await session.ask("analyst", parse=plan_in_json, history=[])
    coder, reader = list[Message](), list[Message]()
    program, report = "", ""
    for number in range(max_round):
        program = await _coded(session, coder, number, plan, program, report)
        if number == max_round - 1:
            session.keep(program, stage="coder", plan=plan)
            break
        said = await _tested(session, reader, number, tester, plan, program)
        if said.passed:
            break
        report = said.text
    return program


async def _coded(session: Session, history: list[Message], number: int, plan: str, program: str, report: str) -> str:
    """Have the coder write the program, or repair it; without a program in its reply the previous one stays."""
    parse = partial(program_of, language=session.language)
    try:
        return await session.ask(
            "coder", parse=parse, try_number=number + 1, history=history, round=number, plan=plan, report=report
        )
    except BadReply:
        if not number:
            raise
        return program


class _Said(NamedTuple):
    passed: bool
    text: str


async def _tested(
    session: Session, history: list[Message], number: int, tester: Tester, plan: str, program: str
) -> _Said:
    """Have the tester judge a program, as one more round; return whether it passed, and the words for the coder.

    Where the tester writes nothing that can be used, the program stands as it is.
    """
    parse: Callable[[str], Audit | Checks] = (
        audit_of if tester == "audits" else check_of if session.problem.entry_point else pairs_of
    )
    values = {"again": number > 0, "audits": tester == "audits", "program": program}
    try:
        said = await session.ask("tester", parse=parse, try_number=number + 1, history=history, **values)
    except BadReply as nothing:
        session.keep(program, stage="coder", plan=plan, report=f"The program was not tested: {nothing}.")
        return _Said(True, "")
    if isinstance(said, Audit):
        session.keep(program, stage="coder", plan=plan, report=said.text)
        return _Said(*said)
    report = await session.run_checks(program, said, stage="coder", plan=plan)
    return _Said(report.passed, report.text)

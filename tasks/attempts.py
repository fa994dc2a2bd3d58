"""An attempt: one (problem, sample) under the run's strategy, from the first call to the verdict."""

import importlib
import pkgutil
from collections.abc import Awaitable, Callable
from datetime import datetime
from types import ModuleType

import tasks.strategies
from blocks.errors import CallError, PoolExhausted, UsageError
from blocks.records import AttemptRow, TestRow, now
from tasks import grading
from tasks.models.rotation import goes_on
from tasks.parsing import BadReply
from tasks.records import Attempt, Problem, Verdict
from tasks.runs import OpenRun
from tasks.session import Around, Session, unwrapped

Solver = Callable[[Problem, Session], Awaitable[str]]
# What is done in an attempt, from its row as it begins to its row as it ended.
Work = Callable[[OpenRun, Session, AttemptRow], Awaitable[AttemptRow]]


def strategies() -> list[str]:
    """Return the names of the strategies: the files of tasks/strategies/."""
    return sorted(found.name for found in pkgutil.iter_modules(tasks.strategies.__path__))


def strategy(name: str) -> ModuleType:
    """Return a strategy's module by its name in any case; `self-planning` and `SelfPlanning` name one file."""
    wanted = name.casefold().replace("_", "").replace("-", "")
    for known in strategies():
        if known.replace("_", "") == wanted:
            return importlib.import_module(f"tasks.strategies.{known}")
    raise UsageError(f"strategy {name!r}: there is none of that name; choose from {', '.join(strategies())}")


async def attempt(
    run: OpenRun,
    problem: Problem,
    sample: int,
    work: Work,
    *,
    around: Around = unwrapped,
    task_run_id: str | None = None,
    runs: int = 1,
) -> Attempt:
    """Do the `work` of one attempt (see `solving`); the rows are in the spool when this returns or raises.

    Raises what kept the attempt from an end: a CallError that no retry mended, a HarnessError of the sandbox. A
    reply without a program, even when asked again, is an end: the attempt is unsolved, of error kind `bad_reply`.
    Where the attempt, run for the `runs`th time, goes on with another model, or none is left, it is undone and not in
    error: there is no row of it.
    """
    session = Session(run, problem, sample, around)
    started = now()
    row = AttemptRow(
        run_id=run.run_id,
        problem_id=problem.id,
        sample=sample,
        execution_id=run.execution_id,
        task_run_id=task_run_id,
        outcome="error",
        solved=None,
        isolation=run.isolation,
        started_at=started,
        finished_at=started,
    )
    try:
        row = await work(run, session, row)
        _record(run, session, row)
    except Exception as failure:
        if isinstance(failure, PoolExhausted) or goes_on(failure, runs):
            raise
        kind = getattr(failure, "kind", None) or type(failure).__name__
        said = failure.message if isinstance(failure, CallError) else str(failure)
        row = row.model_copy(
            update={"language": session.language, "error_kind": kind, "error": said, "finished_at": now()}
        )
        _record(run, session, row)
        raise
    run.calls.forget([call.call_key for call in session.calls])
    run.reports.forget(problem.id, sample, session.programs)
    return Attempt(
        problem_id=problem.id,
        sample=sample,
        program=row.program,
        outcome=row.outcome,
        solved=bool(row.solved),
        error_kind=row.error_kind,
        samples_checked=row.samples_checked,
    )


def solving(solver: Solver) -> Work:
    """Return the work of an attempt in which `solver` writes one program, and that is graded."""

    async def work(run: OpenRun, session: Session, row: AttemptRow) -> AttemptRow:
        return await _solve(run, session, solver, row)

    return work


async def _solve(run: OpenRun, session: Session, solver: Solver, row: AttemptRow) -> AttemptRow:
    suite = session.problem.extended if run.suite == "extended" else session.problem.hidden
    async with run.generating:
        try:
            program = await solver(session.problem, session)
        except BadReply as bad:
            ended = now()
            said = {"outcome": "bad_reply", "solved": False, "error_kind": bad.kind, "error": str(bad)}
            return _ended(row, session, ended, tests=suite.size, **said)
        generated = now()
    async with run.grading:
        grading_started = now()

        async def work() -> Verdict:
            return await grading.grade(
                session.problem, program, run.limits, suite=run.suite, language=session.language
            )

        verdict = await session.around(f"{run.suite} tests", work)
    if verdict.outcome == "harness_error":
        detail = "; ".join(test.detail for test in verdict.tests if test.outcome == "harness_error")
        raise grading.HarnessError(detail or "the sandbox failed")
    _record_tests(run, session, verdict)
    return _ended(
        row,
        session,
        now(),
        outcome=verdict.outcome,
        solved=verdict.passed,
        program=program,
        tests=suite.size,  # all of them: grading stops after a limit was passed
        tests_passed=sum(test.outcome == "passed" for test in verdict.tests),
        isolation=verdict.isolation,
        generated_at=generated,
        grading_started_at=grading_started,
    )


def _ended(row: AttemptRow, session: Session, ended: datetime, **fields: object) -> AttemptRow:
    return row.model_copy(
        update={
            "language": session.language,
            "tries": session.programs,
            "samples_checked": session.samples_checked,
            "served_by": list(dict.fromkeys(call.model for call in session.calls)),
            "finished_at": ended,
            **fields,
        }
    )


def _record_tests(run: OpenRun, session: Session, verdict: Verdict) -> None:
    limits = verdict.limits
    for number, test in enumerate(verdict.tests):
        run.spool.append(
            TestRow(
                run_id=run.run_id,
                problem_id=session.problem.id,
                sample=session.sample,
                suite=run.suite,
                test=number,
                outcome=test.outcome,
                cpu_seconds=test.cpu_seconds,
                wall_seconds=test.wall_seconds,
                peak_memory=test.peak_memory,
                detail=test.detail,
                isolation=verdict.isolation,
                execution_id=run.execution_id,
                comparison=test.comparison or None,
                cpu_limit=limits.cpu_seconds,
                wall_limit=limits.wall_seconds,
                memory_limit_mb=limits.memory_mb,
                output_limit_kb=limits.output_kb,
                scale=limits.scale,
            )
        )


def _record(run: OpenRun, session: Session, row: AttemptRow) -> None:
    """Write the attempt's row last: whoever finds it finds everything that belongs to it."""
    run.spool.append(row.model_copy(update={"written_at": now()}))
    if run.tell is not None:
        run.tell(row, session.calls)

"""The switch `--evaluate` of runs of plans: what they have answered is judged before they end."""

from functools import partial

from rich.console import Console

from blocks.errors import UsageError
from tasks.judging.dimensions import Role, roles_of
from tasks.judging.running import evaluate
from tasks.plans.jobs import Asking
from tasks.plans.running import After
from tasks.runs import OpenRun

FLAG = "--evaluate"


class NotJudged(Exception):
    """Questions that were answered, and could not be judged."""


def check_evaluate(named: str | None, judge: str | None) -> None:
    """Raise UsageError where the switch names nothing that can be judged, or no judge is named."""
    if named is None:
        return
    roles_of(_names(named), FLAG)
    if judge is None:
        raise UsageError(f"{FLAG} {named}: no judge is named; give a model reference for --judge")


def evaluating(asking: Asking, named: str | None) -> After | None:
    """Return what judges a run of plans when its questions are answered; None without the switch."""
    if named is None:
        return None
    number = next(number for number, role in asking.roles.items() if role == "judge")
    return partial(_evaluate, asking, number, roles_of(_names(named), FLAG))


async def _evaluate(
    asking: Asking, number: int, roles: tuple[Role, ...], run: OpenRun, console: Console
) -> list[Exception]:
    try:
        failures = await evaluate(
            run,
            console,
            model=asking.job.models[number - 1],
            roles=roles,
            ids=asking.questions.keys(),
            timeout=asking.rules.timeout,
            options=asking.job.options,
        )
    except UsageError as problem:  # such as another process that judges the same run
        return [problem]
    return [NotJudged(f"{len(failures)} questions are not judged: {failures[0]}")] if failures else []


def _names(named: str) -> list[str]:
    return named.split(",")

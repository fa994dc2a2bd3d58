"""A judge's scores beside people's: printed, and written beside the judge's own reports."""

import asyncio
from pathlib import Path
from typing import Any, NamedTuple

from prefect.client.schemas.objects import State
from prefect.states import Completed
from rich.console import Console

from blocks.errors import UsageError
from blocks.records import Record
from tasks.judging.dimensions import DIMENSIONS, Role
from tasks.judging.gold import Key, read_gold
from tasks.judging.statistics import Agreement, agreement, check_libraries


class Measured(Agreement):
    """The agreement on one dimension; None for all of a role. `without_judgement` and `without_gold` had no pair."""

    role: Role
    dimension: str | None
    without_judgement: int
    without_gold: int


class AgreementReport(Record):
    """The agreement of a judging run with a file of people's scores."""

    judging_run_id: str
    judge: str
    gold: str
    measured: tuple[Measured, ...]


class Compared(NamedTuple):
    """The report, and the folder that it goes to."""

    report: AgreementReport
    folder: Path


def measure(gold: dict[Key, int], judge: dict[Key, int]) -> tuple[Measured, ...]:
    """Return the agreement per dimension, and per role over all its dimensions, of those that have any score."""
    found = []
    for role, names in DIMENSIONS.items():
        for name in (*names, None):
            found.append(_measured(gold, judge, role, name))
    return tuple(each for each in found if each.pairs or each.without_judgement)


def _measured(gold: dict[Key, int], judge: dict[Key, int], role: Role, name: str | None) -> Measured:
    def of(scores: dict[Key, int]) -> dict[Key, int]:
        return {key: score for key, score in scores.items() if key.role == role and name in (None, key.dimension)}

    people, mine = of(gold), of(judge)
    both = sorted(people.keys() & mine.keys())
    numbers = agreement([people[key] for key in both], [mine[key] for key in both])
    return Measured(
        **numbers.model_dump(),
        role=role,
        dimension=name,
        without_judgement=len(people.keys() - mine.keys()),
        without_gold=len(mine.keys() - people.keys()),
    )


async def measure_agreement(gold: Path, run: str, output: Path) -> State[Any]:
    """Compare, print and write; raises UsageError."""
    from tasks.reporting.judging.agreement_page import agreement_page, write_agreement
    from tasks.reporting.terminal import print_page

    compared = await asyncio.to_thread(compare, gold, run, output)
    page, console = agreement_page(compared.report), Console()
    path = await asyncio.to_thread(write_agreement, compared.folder, compared.report)
    print_page(page, console)
    console.print(f"report: {path}", markup=False, highlight=False, soft_wrap=True)
    return Completed(message=page.title, data={"report": str(path)})


def compare(gold: Path, run: str, output: Path) -> Compared:
    """Read both sides and measure; raises UsageError, StoreLocked. Writes nothing."""
    from tasks.reporting.judging.judgements import read_judgements

    check_libraries()
    people = read_gold(gold)
    found = read_judgements(output, run)
    if not people.keys() & found.scores.keys():
        raise UsageError(
            f"--gold {gold}: none of its {len(people)} scores is of what run {found.run_id[:8]} has judged; "
            "do its ids, steps and dimensions fit?"
        )
    report = AgreementReport(
        judging_run_id=found.run_id, judge=found.judge, gold=str(gold), measured=measure(people, found.scores)
    )
    return Compared(report, found.folder or output / "report" / f"judge-{found.run_id[:8]}")

"""What a judging run has found: its judgements, read from the spool, and their averages."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from statistics import fmean
from typing import TypeVar

from blocks.records import CallRow, JudgementRow, Record, Row
from blocks.spool import read_lines
from tasks.judging.dimensions import DIMENSIONS, ROLES, SCORES, Role
from tasks.judging.judged import JudgedRun

R = TypeVar("R", bound=Row)
Key = tuple[str, int]  # a question's id and sample
NAME = "evaluation.json"
FOLDER = "evaluation_reports"


class Average(Record):
    """The mean of `scores` scores, to two decimals, and how often each of 1 to 5 was given; None for all of them."""

    role: Role
    model: str | None
    dimension: str | None
    scores: int
    mean: float | None
    counts: tuple[int, ...]


class Judgement(Record):
    """One score; `score` is None where the judge's reply could not be used, and `error` says why."""

    problem_id: str
    sample: int
    role: Role
    step: int
    dimension: str
    model: str | None
    score: int | None
    reason: str | None
    error: str | None
    repaired: bool


class Evaluation(Record):
    """The scores of a run's planner and executors.

    `plans` and `steps` were judged, `repaired` of them after a second reply; of `errors` more no reply could be used.
    `without_plan` questions and `failed_steps` left nothing to judge. `recorded`: a reply of the judge was.
    """

    judged_run_id: str
    judging_run_id: str
    dataset: str
    judge: str
    recorded: bool
    roles: tuple[Role, ...]
    questions: int
    plans: int
    steps: int
    repaired: int
    errors: int
    without_plan: int
    failed_steps: int
    averages: tuple[Average, ...]
    by_model: tuple[Average, ...]
    judgements: tuple[Judgement, ...]


def evaluation_of(
    judged: JudgedRun, roles: Sequence[Role], spool_folder: Path, *, judge: str, run_id: str
) -> Evaluation:
    """Return what the spool of a judging run holds of a run, in the order of its questions and steps."""
    place = {question.key: number for number, question in enumerate(judged.questions)}
    rows = _latest(row for row in _rows(spool_folder, JudgementRow) if (row.problem_id, row.sample) in place)
    known = {question.key: question for question in judged.questions}
    seen = {(row.problem_id, row.sample) for row in rows}
    order = {name: number for role in ROLES for number, name in enumerate(DIMENSIONS[role])}
    rows.sort(
        key=lambda row: (place[row.problem_id, row.sample], ROLES.index(_role(row)), row.step, order[row.dimension])
    )
    items = {(row.problem_id, row.sample, row.role, row.step): row for row in rows}
    good = Counter(row.role for row in items.values() if row.error is None)
    models = list(dict.fromkeys((_role(row), row.model) for row in rows))
    mine = [question for key, question in known.items() if key in seen]
    return Evaluation(
        judged_run_id=judged.run_id,
        judging_run_id=run_id,
        dataset=judged.dataset,
        judge=judge,
        recorded=any(call.recorded for call in _rows(spool_folder, CallRow) if call.error_kind is None),
        roles=tuple(roles),
        questions=len(mine),
        plans=good["planner"],
        steps=good["executor"],
        repaired=sum(row.repaired for row in items.values() if row.error is None),
        errors=sum(row.error is not None for row in items.values()),
        without_plan=sum(question.answer.plan is None for question in judged.questions),
        failed_steps=sum(step.result is None for question in mine for step in question.steps),
        averages=tuple(each for role in roles for each in _averages(rows, role, None)),
        by_model=tuple(
            each for role, model in sorted(models, key=_by_name) for each in _averages(rows, role, model, known=True)
        ),
        judgements=tuple(
            Judgement.model_validate(row.model_dump(include=set(Judgement.model_fields))) for row in rows
        ),
    )


def mean_of(scores: Iterable[int | None]) -> float | None:
    """Return the mean of the scores that there are, to two decimals."""
    known = [score for score in scores if score is not None]
    return round(fmean(known), 2) if known else None


def _averages(rows: Iterable[JudgementRow], role: Role, model: str | None, *, known: bool = False) -> list[Average]:
    """The averages of a role's dimensions and of all together; of one model where that is `known`."""
    mine = [row for row in rows if row.role == role and (not known or row.model == model)]
    by_name: dict[str | None, list[int]] = defaultdict(list)
    for row in mine:
        if row.score is not None:
            by_name[row.dimension].append(row.score)
            by_name[None].append(row.score)
    return [
        Average(
            role=role,
            model=model,
            dimension=name,
            scores=len(by_name[name]),
            mean=mean_of(by_name[name]),
            counts=tuple(by_name[name].count(score) for score in SCORES),
        )
        for name in (*DIMENSIONS[role], None)
    ]


def _role(row: JudgementRow) -> Role:
    return "planner" if row.role == "planner" else "executor"


def _by_name(pair: tuple[Role, str | None]) -> tuple[int, str]:
    return ROLES.index(pair[0]), pair[1] or ""


def _latest(rows: Iterable[JudgementRow]) -> list[JudgementRow]:
    latest: dict[tuple[object, ...], JudgementRow] = {}
    for row in rows:
        key = tuple(getattr(row, name) for name in JudgementRow.key)
        if key not in latest or latest[key].written_at <= row.written_at:
            latest[key] = row
    return list(latest.values())


def _rows(spool_folder: Path, kind: type[R]) -> Iterator[R]:
    for _, line in read_lines(spool_folder / kind.table):
        try:
            yield kind.model_validate_json(line)
        except ValueError:
            continue  # not a row: a line that somebody touched

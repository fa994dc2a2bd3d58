"""What a run has answered so far, read from its spool: each question with its steps and its replies."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, TypeVar

from blocks.records import AnswerRow, CallRow, Row, StepRow
from blocks.spool import read_lines
from tasks.plans.records import Plan, Step

R = TypeVar("R", bound=Row)
Attempt = tuple[str, int]  # the question's id and the sample


class Answered(NamedTuple):
    """One question that came to an end.

    - `steps`: those of the plan that was carried out, in its order; `discarded`: those of plans that were refused.
    - `calls`: every reply that was had for it, in the order in which they were asked for.
    """

    answer: AnswerRow
    steps: tuple[StepRow, ...]
    discarded: tuple[StepRow, ...]
    calls: tuple[CallRow, ...]

    @property
    def planned(self) -> bool:
        """Whether the answer comes from a plan."""
        return bool(self.steps) and self.answer.fallback is None

    @property
    def plan(self) -> Plan:
        """The steps as a plan; one without steps where there is none."""
        return Plan(steps=tuple(step_of(row) for row in self.steps), repairs=tuple(self.answer.repairs))


def step_of(row: StepRow) -> Step:
    """Return the step of a plan that a row tells of."""
    return Step(
        id=row.step,
        task=row.task,
        difficulty=row.difficulty,
        token_budget=row.token_budget,
        depends_on=tuple(row.depends_on),
    )


def answered(spool_folder: Path, order: Iterable[str] = ()) -> list[Answered]:
    """Return the questions that have an answer, those of `order` first and in this order, then the others.

    The latest row of a key wins. Steps are those of the execution that came to the answer, since an earlier one may
    have left some of another plan; replies are all that were paid for, as in the run's summary.
    """
    answers: dict[Attempt, AnswerRow] = {}
    for answer in _rows(spool_folder, AnswerRow):
        before = answers.get(_attempt(answer))
        if before is None or before.written_at <= answer.written_at:
            answers[_attempt(answer)] = answer
    steps = _steps(_rows(spool_folder, StepRow), answers)
    calls = _calls(_rows(spool_folder, CallRow), answers)
    place = {problem_id: number for number, problem_id in enumerate(order)}
    found = sorted(answers, key=lambda attempt: (place.get(attempt[0], len(place)), attempt[1]))
    return [
        Answered(
            answers[attempt],
            tuple(row for row in steps[attempt] if not row.discarded),
            tuple(row for row in steps[attempt] if row.discarded),
            tuple(calls[attempt]),
        )
        for attempt in found
    ]


def _steps(rows: Iterable[StepRow], answers: dict[Attempt, AnswerRow]) -> dict[Attempt, list[StepRow]]:
    """The steps by attempt, in the order in which they were written, which is their plan's."""
    latest: dict[Attempt, dict[tuple[int, int], StepRow]] = defaultdict(dict)
    for row in rows:
        answer = answers.get(_attempt(row))
        if answer is not None and answer.execution_id == row.execution_id:
            mine = latest[_attempt(row)]
            mine.pop((row.plan, row.step), None)  # a row that is written again stands where it was written last
            mine[row.plan, row.step] = row
    return defaultdict(list, {attempt: list(mine.values()) for attempt, mine in latest.items()})


def _calls(rows: Iterable[CallRow], attempts: Collection[Attempt]) -> dict[Attempt, list[CallRow]]:
    latest = {row.call_key: row for row in sorted(rows, key=lambda row: row.written_at)}
    replies: dict[Attempt, list[CallRow]] = defaultdict(list)
    for row in sorted(latest.values(), key=lambda row: (row.started_at, row.ordinal)):
        if row.error_kind is None and _attempt(row) in attempts:
            replies[_attempt(row)].append(row)
    return replies


def _attempt(row: AnswerRow | StepRow | CallRow) -> Attempt:
    return row.problem_id, row.sample


def _rows(spool_folder: Path, kind: type[R]) -> Iterator[R]:
    for _, line in read_lines(spool_folder / kind.table):
        try:
            yield kind.model_validate_json(line)
        except ValueError:
            continue  # not a row: a line that somebody touched

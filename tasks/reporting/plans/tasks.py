"""How the steps of a dataset's plans are shared out between the small and the large model, at any threshold."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pydantic import ConfigDict, TypeAdapter, ValidationError

from blocks.errors import UsageError
from blocks.records import Record
from tasks.plans.metrics import mean
from tasks.reporting.pages import Cell, Column, Page, Table
from tasks.reporting.plans.entries import RESULTS
from tasks.reporting.plans.parts import rounded

LEAST, MOST = 0, 10  # thresholds; difficulties are from 1 to 9
OTHERS = range(1, MOST + 1)

SHARE = (
    Column("steps", "count"),
    Column("%", "percent"),
    Column("mean tokens", "figure"),
    Column("mean seconds", "seconds"),
)


class TaskStep(Record):
    """What counts of a step here; the file may tell more, or of another version less. It failed without a result."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    difficulty: int
    result: str | None = ""
    size: str | None = None
    completion_tokens: int | None = None
    seconds: float | None = None


class TaskEntry(Record):
    """What counts of a question."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    problem_id: str
    steps: tuple[TaskStep, ...]
    recorded: bool = False


class Results(NamedTuple):
    """The questions of a file of results."""

    path: Path
    entries: tuple[TaskEntry, ...]


def read_results(path: Path) -> Results:
    """Read the results of a run, or of a run's folder; raises UsageError where they are none with plans."""
    file = path / RESULTS if path.is_dir() else path
    remedy = f"give the {RESULTS} of a run of flows/plan_execute.py"
    try:
        entries = TypeAdapter(tuple[TaskEntry, ...]).validate_json(file.read_bytes())
    except FileNotFoundError:
        raise UsageError(f"{file}: there is no such file; {remedy}") from None
    except OSError as problem:
        raise UsageError(f"{file}: cannot be read ({problem.strerror}); {remedy}") from None
    except ValidationError:
        raise UsageError(f"{file}: no results of plans; {remedy}") from None
    if not any(entry.steps for entry in entries):
        raise UsageError(f"{file}: there is no step of a plan in it; {remedy}")
    return Results(file, entries)


def check_threshold(threshold: float) -> None:
    """Raise UsageError for a threshold that no difficulty can be compared with."""
    if not LEAST <= threshold <= MOST:
        raise UsageError(f"--threshold {threshold:g}: give a number from {LEAST} to {MOST}")


def tasks_page(results: Results, threshold: float) -> Page:
    """Return how the steps were shared out, and how they would be at this threshold and at others."""
    steps = [step for entry in results.entries for step in entry.steps]
    with_steps = sum(bool(entry.steps) for entry in results.entries)
    recorded = sum(entry.recorded for entry in results.entries)
    title = f"Steps of plans: {len(steps):,}, in {with_steps:,} of {len(results.entries):,} questions"
    return Page(
        title,
        (_mark(recorded, len(results.entries)),) if recorded else (),
        (_by_size(steps), _by_difficulty(steps, threshold), _by_threshold(steps, threshold)),
    )


def _mark(recorded: int, questions: int) -> str:
    which = "no model was asked" if recorded == questions else f"in {recorded:,} of {questions:,} questions"
    return f"recorded replies: {which}"


def _by_size(steps: Sequence[TaskStep]) -> Table:
    columns = (Column("model"), *SHARE)
    sizes = [size for size in ("small", "large") if any(step.size == size for step in steps)]
    rows = [(size, *_share([step for step in steps if step.size == size], len(steps))) for size in sizes]
    if unknown := [step for step in steps if step.size not in sizes]:
        rows.append(("unknown", *_share(unknown, len(steps))))
    return Table(
        "As it was",
        columns,
        tuple(rows),
        "An escalated step counts for the large model. Means are those of the steps with a result.",
    )


def _share(mine: Sequence[TaskStep], all: int) -> tuple[Cell, ...]:
    done = [step for step in mine if step.result is not None]
    tokens, seconds = mean(step.completion_tokens for step in done), mean(step.seconds for step in done)
    return (len(mine), 100 * len(mine) / all, rounded(tokens, 1), seconds)


def _by_difficulty(steps: Sequence[TaskStep], threshold: float) -> Table:
    columns = (
        Column("difficulty", "figure"),
        Column("goes to"),
        *SHARE,
        Column("were small", "count"),
        Column("were large", "count"),
    )
    groups = {
        number: [step for step in steps if step.difficulty == number]
        for number in sorted({step.difficulty for step in steps})
    }
    rows = tuple(
        (str(number), _goes_to(number, threshold), *_share(mine, len(steps)), *_were(mine))
        for number, mine in groups.items()
    )
    note = f"At threshold {threshold:g}: a step of that difficulty or above goes to the large model."
    return Table(f"By difficulty, at threshold {threshold:g}", columns, rows, note)


def _by_threshold(steps: Sequence[TaskStep], threshold: float) -> Table:
    """One row a threshold; what changes is compared with the threshold that was asked for."""
    columns = (
        Column("threshold"),
        Column("small", "count"),
        Column("large", "count"),
        Column("large %", "percent"),
        Column("more to large", "figure"),
    )
    base = _large(steps, threshold)
    rows: list[tuple[Cell, ...]] = []
    for each in sorted({*OTHERS, threshold}):
        large = _large(steps, each)
        name = f"{each:g}{' (asked for)' if each == threshold else ''}"
        rows.append((name, len(steps) - large, large, 100 * large / len(steps), _change(large - base)))
    small, were = _were(steps)
    if were is not None:
        rows.append(("as it was", small, were, 100 * were / len(steps), _change(were - base)))
    return Table("At each threshold", columns, tuple(rows), f"More to large: than at {threshold:g}.")


def _were(mine: Sequence[TaskStep]) -> tuple[int | None, int | None]:
    """How many were done by the small and by the large model; None where the file does not say of each."""
    counts = [sum(step.size == size for step in mine) for size in ("small", "large")]
    return (counts[0], counts[1]) if sum(counts) == len(mine) else (None, None)


def _change(steps: int) -> str:
    return f"{steps:+,}" if steps else "0"


def _large(steps: Sequence[TaskStep], threshold: float) -> int:
    return sum(step.difficulty >= threshold for step in steps)


def _goes_to(difficulty: int, threshold: float) -> str:
    return "large" if difficulty >= threshold else "small"

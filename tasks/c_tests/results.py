"""`logs/generation_results.json`: how the files stand and what each model has done, over all executions of a run."""

from collections.abc import Iterable
from datetime import datetime

from blocks.records import Record

NAMED = 50  # files that the terminal is told of by name; all are in the file


class Totals(Record):
    """Files by how they stand, and what was done in the run.

    `skipped` were complete before this execution, `none` are short files without any test, `left` have no end yet.
    """

    files: int
    complete: int
    skipped: int
    short: int
    none: int
    does_not_compile: int
    unusable: int
    errors: int
    left: int
    tests: int
    inputs_tried: int
    doubtful: int
    calls: int
    prompt_tokens: int | None
    completion_tokens: int | None
    cost_usd: float | None


class ModelResults(Record):
    """What one endpoint of the pool did. Coverage in percent, of the files it served first."""

    model: str
    files: int
    calls: int
    prompt_tokens: int | None
    completion_tokens: int | None
    cost_usd: float | None
    state: str
    exhausted_at: datetime | None = None
    line_coverage: float | None = None
    branch_coverage: float | None = None


class Said(Record):
    """A file and what is to be said of it."""

    path: str
    reason: str


class Results(Record):
    """The whole file."""

    run_id: str
    tests_folder: str
    num_tests: int
    feed: str
    recorded: bool
    totals: Totals
    models: dict[str, ModelResults]
    rejected: dict[str, int]
    short: tuple[Said, ...]
    does_not_compile: tuple[Said, ...]
    errors: tuple[Said, ...]
    unusable: tuple[Said, ...]
    line_coverage: float | None
    branch_coverage: float | None
    started_at: datetime
    finished_at: datetime
    elapsed_seconds: float

    def lines(self) -> list[str]:
        """Return what the terminal is told at the end."""
        totals = self.totals
        done = f"complete {totals.complete} of {totals.files} files, {totals.tests} tests"
        left = f"; left {totals.left}" if totals.left else ""
        short = f"; short {totals.short} (of these without any test {totals.none})" if totals.short else ""
        broken = f"; not compiled {totals.does_not_compile}" if totals.does_not_compile else ""
        rejected = ", ".join(f"{count} {outcome}" for outcome, count in self.rejected.items())
        lines = [f"{done}{short}{broken}{left}", *_named("short", self.short)]
        lines += _named("does not compile", self.does_not_compile)
        if rejected:
            lines.append(f"inputs rejected: {rejected}")
        if totals.doubtful:
            lines.append(f"doubtful tests: {totals.doubtful} (with sanitizers the program prints something else)")
        if self.line_coverage is not None:
            lines.append(f"coverage: {_reached(self)}")
            covered = {name: each for name, each in self.models.items() if each.line_coverage is not None}
            lines += [f"  {name}: {_reached(each)}, files {each.files}" for name, each in covered.items()]
        return lines


def _named(what: str, files: tuple[Said, ...]) -> Iterable[str]:
    yield from (f"  {what}: {each.path}: {each.reason}" for each in files[:NAMED])
    if len(files) > NAMED:
        yield f"  … and {len(files) - NAMED} more"


def _reached(each: Results | ModelResults) -> str:
    branches = "none" if each.branch_coverage is None else f"{each.branch_coverage} %"
    return f"lines {each.line_coverage} %, branches {branches}"

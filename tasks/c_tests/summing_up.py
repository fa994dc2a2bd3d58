"""Sum up a run of generating tests from its spool and the tests on disk, and write that down."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson

from blocks.records import CallRow, ModelEventRow, TestFileRow, now
from blocks.spool import read_lines
from tasks.c_tests.files import TestsFolder, write_json
from tasks.c_tests.findings import first_error
from tasks.c_tests.making import Wanted
from tasks.c_tests.results import ModelResults, Results, Said, Totals
from tasks.c_tests.sources import Source, Unusable
from tasks.runs import OpenRun

EXHAUSTED = "exhausted"
FILE = "generation_results.json"


def write_results(
    run: OpenRun,
    folder: TestsFolder,
    wanted: Wanted,
    *,
    sources: Sequence[Source],
    skipped: int,
    unusable: Sequence[Unusable],
    errors: Mapping[str, str],
    started: datetime,
) -> Results:
    """Write the file from the run's spool and the tests on disk; return what is in it."""
    calls = _calls(run)
    made = _made(run, sources)
    ends = {source.path: _end(folder, source, wanted, made.get(source.path)) for source in sources}
    said = {path: first_error(row.error or "") for path, row in made.items()}
    short = [path for path, end in ends.items() if end == "short"]
    broken = [path for path, end in ends.items() if end == "compile_error"]
    ended = now()
    rejected = Counter[str]()
    for row in made.values():
        rejected.update(row.rejected)
    results = Results(
        run_id=run.run_id,
        tests_folder=str(folder.path),
        num_tests=wanted.tests,
        feed=wanted.feed,
        recorded=any(call["recorded"] for call in calls),
        totals=Totals(
            files=len(sources),
            complete=sum(end == "complete" for end in ends.values()),
            skipped=skipped,
            short=len(short),
            none=sum(not made[path].tests for path in short),
            does_not_compile=len(broken),
            unusable=len(unusable),
            errors=len(errors),
            left=sum(end == "left" for end in ends.values()),
            tests=sum(len(folder.kept(source, wanted.feed, wanted.cflags)) for source in sources),
            inputs_tried=sum(row.tried for row in made.values()),
            doubtful=sum(row.doubtful for row in made.values()),
            **_use(calls),
        ),
        models=_models(run, calls, made),
        rejected=dict(rejected.most_common()),
        short=tuple(Said(path=path, reason=said[path]) for path in short),
        does_not_compile=tuple(Said(path=path, reason=said[path]) for path in broken),
        errors=tuple(Said(path=path, reason=reason) for path, reason in errors.items()),
        unusable=tuple(Said(path=each.path, reason=each.reason) for each in unusable),
        line_coverage=_mean(row.line_coverage for row in made.values()),
        branch_coverage=_mean(row.branch_coverage for row in made.values()),
        started_at=started,
        finished_at=ended,
        elapsed_seconds=round((ended - started).total_seconds(), 3),
    )
    path = folder.path / "logs" / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, results.model_dump(mode="json"))
    return results


def _calls(run: OpenRun) -> list[dict[str, Any]]:
    """The calls of the run that brought a reply."""
    found = (orjson.loads(line) for _, line in read_lines(run.spool.folder / CallRow.table))
    return list({row["call_key"]: row for row in found if row["error_kind"] is None}.values())


def _made(run: OpenRun, sources: Sequence[Source]) -> dict[str, TestFileRow]:
    """The latest row of every program that came to an end in this run with the text that it has now."""
    digests = {source.path: source.digest for source in sources}
    rows = sorted(
        (TestFileRow.model_validate_json(line) for _, line in read_lines(run.spool.folder / TestFileRow.table)),
        key=lambda row: row.written_at,
    )
    return {row.problem_id: row for row in rows if digests.get(row.problem_id) == row.source}


def _end(folder: TestsFolder, source: Source, wanted: Wanted, row: TestFileRow | None) -> str:
    """How a program stands: complete, short, compile_error, or left where it has no end yet."""
    if len(folder.kept(source, wanted.feed, wanted.cflags)) >= wanted.tests:
        return "complete"
    return "left" if row is None or row.outcome == "complete" else row.outcome


def _models(run: OpenRun, calls: list[dict[str, Any]], made: dict[str, TestFileRow]) -> dict[str, ModelResults]:
    """What each endpoint did, those that were never asked too; by the endpoint's name."""
    exhausted: dict[str, datetime] = {}
    for _, line in read_lines(run.spool.folder / ModelEventRow.table):
        event = ModelEventRow.model_validate_json(line)
        if event.event == EXHAUSTED:
            exhausted[event.endpoint] = event.happened_at
    by_endpoint: dict[str, list[dict[str, Any]]] = defaultdict(list)
    first: dict[str, str] = {}
    for call in sorted(calls, key=lambda call: str(call["started_at"])):
        by_endpoint[call["endpoint"]].append(call)
        first.setdefault(call["problem_id"], call["endpoint"])
    models = {}
    for each in (standing for model in run.models for standing in model.standing()):
        mine = by_endpoint[each.endpoint]
        rows = [row for path, row in made.items() if first.get(path) == each.endpoint]
        models[each.endpoint] = ModelResults(
            model=each.model,
            files=len({call["problem_id"] for call in mine}),
            state=each.state,
            exhausted_at=exhausted.get(each.endpoint),
            line_coverage=_mean(row.line_coverage for row in rows),
            branch_coverage=_mean(row.branch_coverage for row in rows),
            **_use(mine),
        )
    return models


def _use(calls: list[dict[str, Any]]) -> dict[str, Any]:
    """Calls, tokens and cost; what one call lacks is not known of all."""
    priced = all(call["cost"] is not None and call["currency"] == "USD" for call in calls)
    return {
        "calls": len(calls),
        "prompt_tokens": _sum(call["prompt_tokens"] for call in calls),
        "completion_tokens": _sum(call["completion_tokens"] for call in calls),
        "cost_usd": sum(call["cost"] for call in calls) if priced else None,
    }


def _sum(numbers: Iterable[int | None]) -> int | None:
    found = list(numbers)
    known = [number for number in found if number is not None]
    return sum(known) if len(known) == len(found) else None


def _mean(percentages: Iterable[float | None]) -> float | None:
    known = [each for each in percentages if each is not None]
    return round(sum(known) / len(known), 1) if known else None

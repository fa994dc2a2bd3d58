"""Rows with their texts, read from a run's spool a problem at a time: one pass finds where each problem's are."""

import json
import re
from array import array
from collections import defaultdict
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import NamedTuple, TypeVar

from pydantic import ValidationError

from blocks.records import AttemptRow, CallRow, ProgramRow, Row, TestRow
from blocks.spool import Position, read_line, read_lines, spool_folder

R = TypeVar("R", AttemptRow, CallRow, ProgramRow, TestRow)

ID = re.compile(rb'"problem_id":"((?:[^"\\]|\\.)*)"')  # stands near the beginning, before any text
SPAN = 3  # numbers of a span of lines: file, offset, length


class Places(NamedTuple):
    """Where the rows of problems are: spans of neighbouring lines, as numbers, for there may be many thousands."""

    files: tuple[Path, ...]
    spans: dict[str, "array[int]"]


class ProblemRows(NamedTuple):
    """The rows of one problem by sample: the latest of each key. Calls are those that brought a reply, in order."""

    attempts: dict[int, AttemptRow]
    calls: dict[int, list[CallRow]]
    rounds: dict[int, list[ProgramRow]]
    tests: dict[int, list[TestRow]]


def find_rows(output: Path, run_id: str, problems: Collection[str], tables: Iterable[type[Row]]) -> Places:
    """Find the rows of these problems in a run's spool, without reading what the lines hold behind their keys."""
    files: dict[Path, int] = {}
    spans: dict[str, array[int]] = defaultdict(lambda: array("q"))
    wanted = {_written(problem_id): problem_id for problem_id in problems}
    for row in tables:
        for place, line in read_lines(spool_folder(output, run_id) / row.table):
            found = ID.search(line)
            problem_id = wanted.get(found[1]) if found else None
            if problem_id is not None:
                _add(spans[problem_id], files.setdefault(place.path, len(files)), place)
    return Places(tuple(files), dict(spans))


def read_rows(places: Places, problem_id: str) -> ProblemRows:
    """Read all rows of a problem. A line that is no row of its table counts for nothing."""
    lines: dict[str, list[bytes]] = defaultdict(list)
    spans = places.spans.get(problem_id, array("q"))
    for at in range(0, len(spans), SPAN):
        number, offset, length = spans[at : at + SPAN]
        path = places.files[number]
        lines[path.parent.name] += read_line(Position(path, offset, length)).splitlines(keepends=False)
    calls = [call for call in _latest(CallRow, lines) if call.error_kind is None]
    return ProblemRows(
        attempts={attempt.sample: attempt for attempt in _latest(AttemptRow, lines)},
        calls=_by_sample(sorted(calls, key=lambda call: (call.started_at, call.stage, call.ordinal))),
        rounds=_by_sample(sorted(_latest(ProgramRow, lines), key=lambda each: each.round)),
        tests=_by_sample(sorted(_latest(TestRow, lines), key=lambda test: (test.suite, test.test))),
    )


def _written(problem_id: str) -> bytes:
    """A problem's id as rows have it between quotes."""
    return json.dumps(problem_id, ensure_ascii=False).encode()[1:-1]


def _add(spans: "array[int]", number: int, place: Position) -> None:
    """Add a line, to the last span where it goes on there."""
    if spans and spans[-3] == number and spans[-2] + spans[-1] == place.offset:
        spans[-1] += place.length
    else:
        spans.extend((number, place.offset, place.length))


def _latest(kind: type[R], lines: dict[str, list[bytes]]) -> list[R]:
    latest: dict[tuple[object, ...], R] = {}
    for line in lines[kind.table]:
        try:
            row = kind.model_validate_json(line)
        except ValidationError:
            continue  # what a full disk or a person has left there
        key = tuple(getattr(row, name) for name in kind.key)
        if key not in latest or row.written_at >= latest[key].written_at:
            latest[key] = row
    return list(latest.values())


def _by_sample(rows: Iterable[R]) -> dict[int, list[R]]:
    by_sample: dict[int, list[R]] = defaultdict(list)
    for row in rows:
        by_sample[row.sample].append(row)
    return by_sample

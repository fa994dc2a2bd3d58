"""CodeContests (Li et al. 2022, arXiv 2203.07814): programs to write from the text of a contest's problem.

One row; tests and solutions are columns, as here, or lists of objects:

    {"name": "1_A. Echo", "description": "Print the number.", "public_tests": {"input": ["1\\n"], "output": ["1\\n"]},
     "private_tests": {"input": ["7\\n"], "output": ["7\\n"]}, "generated_tests": {"input": [], "output": []},
     "time_limit": {"seconds": 2, "nanos": 0}, "memory_limit_bytes": 256000000, "cf_tags": ["math"], "difficulty": 7,
     "input_file": "", "solutions": {"language": [3], "solution": ["print(input())"]}}

The public tests are the samples; the hidden suite is all three kinds of tests, each pair once. `time_limit` may be a
number of seconds, null, or a text: "2.5s", or "seconds: 2 nanos: 0" as the release's own converter writes it; a limit
of 0 is none. Languages are the dataset's: 1 Python 2, 2 C++, 3 Python 3, 4 Java.
The reference is the first solution in Python 3, else in C++, else in Java. A row whose program must read or write
files of given names, that has no tests, or that names a checker of its own (as later work adds), is skipped.

A flattened form has `problem_id`, `description` and `all_test_cases` (`inputs` and `outputs`), and no samples.
"""

import math
import re
from collections.abc import Mapping
from typing import NamedTuple

from tasks.datasets.fields import Note, Row, Unusable, id_of, unpacked
from tasks.records import Pair, Problem, Suite

HUB = {"codecontests": "deepmind/code_contests@test"}
FIELDS = {"description": str}
CHECKERS = ("checker", "generated_checker", "special_judge")
KINDS = ("public_tests", "private_tests", "generated_tests", "all_test_cases")
REFERENCES = {3: "Python3", "PYTHON3": "Python3", 2: "C++", "CPP": "C++", 4: "Java", "JAVA": "Java"}
MEBIBYTE = 1 << 20


def recognises(row: Row) -> bool:
    """Tell whether a row is of this dataset."""
    return bool({*KINDS} & row.keys())


def problem_of(row: Row, note: Note) -> Problem:
    """Return the problem of a row whose FIELDS are there; raises ValueError where they do not fit, or Unusable."""
    name = id_of(row, "name", "problem_id", "id")
    for field in ("input_file", "output_file"):
        if row.get(field):
            raise Unusable(f"{name}: its programs use a file, {row[field]}, in place of standard input and output")
    for field in CHECKERS:
        if row.get(field):
            raise Unusable(f"{name}: its outputs are for a checker of its own to judge (field {field!r})")
    tests = [_pairs(row, kind) for kind in KINDS]
    hidden = tuple(dict.fromkeys(pair for pairs in tests for pair in pairs))
    if not hidden:
        raise Unusable(f"{name}: it has no tests")
    reference = _reference(row)
    problem = Problem(
        id=name,
        statement=str(row["description"]),
        samples=Suite(pairs=tests[0]),
        hidden=Suite(pairs=hidden),
        time_limit=_seconds(row.get("time_limit")),
        memory_limit_mb=_megabytes(row.get("memory_limit_bytes")),
    )
    return problem.model_copy(update=reference._asdict()) if reference else problem


class _Reference(NamedTuple):
    reference: str
    reference_language: str


def _columns(row: Row, field: str, *names: str) -> list[tuple[object, ...]]:
    """Return the rows of a field that is columns or a list of objects; the names may be plurals there."""
    found = unpacked(row, field) or {}
    columns: list[object] = []
    for name in names:
        if isinstance(found, list) and all(isinstance(each, Mapping) and name in each for each in found):
            columns.append([each[name] for each in found])
        elif isinstance(found, Mapping):
            columns.append(found.get(name, found.get(f"{name}s", [])))
    lists = [each for each in columns if isinstance(each, list)]
    if len(lists) != len(names) or len({len(each) for each in lists}) > 1:
        raise ValueError(f"field {field!r} does not have {' and '.join(repr(name) for name in names)} in pairs")
    return list(zip(*lists, strict=True))


def _pairs(row: Row, field: str) -> tuple[Pair, ...]:
    found = _columns(row, field, "input", "output")
    if not all(isinstance(each, str) for test in found for each in test):
        raise ValueError(f"field {field!r} holds inputs or outputs that are no text")
    return tuple(Pair(input=str(given), output=str(output)) for given, output in found)


def _reference(row: Row) -> _Reference | None:
    solutions = _columns(row, "solutions", "language", "solution")
    known = [_Reference(str(text), REFERENCES[which]) for which, text in solutions if which in REFERENCES]
    order = list(dict.fromkeys(REFERENCES.values()))
    return min(known, key=lambda each: order.index(each.reference_language), default=None)


def _seconds(limit: object) -> float | None:
    """Return the seconds of a duration: an object of seconds and nanos, the same as a text, a number, or "2.5s"."""
    if isinstance(limit, str):
        parts = dict(re.findall(r"(seconds|nanos):\s*(\d+)", limit))
        limit = parts or limit.strip() or None
    try:
        if isinstance(limit, Mapping):
            seconds = float(limit.get("seconds") or 0) + float(limit.get("nanos") or 0) / 1e9
        else:
            seconds = float(limit.removesuffix("s") if isinstance(limit, str) else limit or 0)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise ValueError(f"field 'time_limit' is not a duration: {limit!r}") from None
    if not 0 <= seconds < math.inf:
        raise ValueError(f"field 'time_limit' is not a duration: {limit!r}")
    return seconds or None


def _megabytes(size: object) -> int | None:
    if isinstance(size, str) and size.strip().isdecimal():  # how JSON has whole numbers of 64 bits
        size = int(size)
    if not isinstance(size, int | float | None) or not 0 <= (size or 0) < math.inf:
        raise ValueError(f"field 'memory_limit_bytes' is not a number of bytes: {size!r}")
    return math.ceil(size / MEBIBYTE) if size else None

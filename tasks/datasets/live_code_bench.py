"""LiveCodeBench (Jain et al. 2024, arXiv 2403.07974): functions and programs to write from the text of a contest.

One row; tests and metadata are JSON in a text:

    {"question_title": "Twice", "question_content": "Return n twice.", "platform": "leetcode", "question_id": "9001",
     "contest_id": "weekly", "contest_date": "2024-01-06T00:00:00", "difficulty": "easy",
     "starter_code": "class Solution:\\n    def twice(self, n: int) -> int:\\n        ",
     "public_test_cases": "[{\\"input\\": \\"2\\", \\"output\\": \\"4\\", \\"testtype\\": \\"functional\\"}]",
     "private_test_cases": "[{\\"input\\": \\"3\\", \\"output\\": \\"6\\", \\"testtype\\": \\"functional\\"}]",
     "metadata": "{\\"func_name\\": \\"twice\\"}"}

The public tests are the samples; the hidden suite is both kinds, each test once. `functional` tests call the function
that the metadata name (a method, where `starter_code` has a class) with one JSON value a line; the result equals the
output, a JSON value too. `stdin` tests are whole programs that read standard input.

`private_test_cases` may also be JSON, packed by zlib and in base64, of up to LARGEST bytes. Published tables hold a
pickle there. To read one is to run whatever is in it, so none is read: it is refused, and to be converted elsewhere.
"""

import base64
import binascii
import json
import zlib
from collections.abc import Mapping
from typing import NamedTuple

from tasks.datasets.calls import Call, Starter, owner_of, statement_of, suite_of
from tasks.datasets.fields import Note, Refused, Row, Unusable, id_of, unpacked
from tasks.records import Pair, Problem, Suite

HUB = {"livecodebench": "livecodebench/code_generation@test"}
FIELDS = {"question_content": str, "public_test_cases": str | list}
LARGEST = 256 << 20  # bytes of private tests when they are unpacked
REMEDY = "convert the tests once, in a place that you trust, to JSON"
FUNCTIONAL, STDIN = "functional", "stdin"

# What LiveCodeBench's own tools give every program that defines a function.
MODULES = (
    *("string", "re", "datetime", "collections", "heapq", "bisect", "copy", "math", "random", "statistics"),
    *("itertools", "functools", "operator", "io", "sys", "json"),
)
CONTEXT = "\n".join(
    [
        *(f"from {name} import *" for name in (*MODULES, "builtins", "typing")),
        f"import {', '.join(MODULES)}",
        "sys.setrecursionlimit(50000)\n",
    ]
)


def recognises(row: Row) -> bool:
    """Tell whether a row is of this dataset."""
    return bool({"public_test_cases", "private_test_cases"} & row.keys())


def problem_of(row: Row, note: Note) -> Problem:
    """Return the problem of a row whose FIELDS are there; raises ValueError where they do not fit, or Unusable."""
    name, code = id_of(row, "question_id"), str(row.get("starter_code") or "")
    public = _tests("public_test_cases", unpacked(row, "public_test_cases"))
    private = _tests("private_test_cases", _private(row))
    tests = tuple({each[1:]: each for each in (*public, *private)}.values())
    kinds = {test.kind for test in tests}
    if not tests or len(kinds) > 1:
        raise Unusable(f"{name}: it has no tests" if not tests else f"{name}: its tests are of several kinds")
    starter = _starter(row, code) if FUNCTIONAL in kinds else None
    samples, hidden = (_suite(starter, each, note) for each in (public, tests))
    if not hidden.size:
        raise Unusable(f"{name}: none of its tests can be used")
    return Problem(
        id=name,
        statement=statement_of(str(row["question_content"]), code, starter.name if starter else ""),
        entry_point=starter.entry_point if starter else "",
        context=CONTEXT if starter else "",
        samples=samples,
        hidden=hidden,
    )


class _Test(NamedTuple):
    where: str
    input: str
    output: str
    kind: str


def _tests(field: str, found: object) -> tuple[_Test, ...]:
    found = [] if found is None else found
    if not (isinstance(found, list) and all(isinstance(each, Mapping) for each in found)):
        raise ValueError(f"field {field!r} is not a list of tests")
    tests = []
    for number, each in enumerate(found):
        given, output, kind = each.get("input"), each.get("output"), each.get("testtype", STDIN)
        if not (isinstance(given, str) and isinstance(output, str) and kind in (FUNCTIONAL, STDIN)):
            raise ValueError(f"field {field!r}: test {number} has no 'input', 'output' or known 'testtype'")
        tests.append(_Test(f"{field}[{number}]", given, output, kind))
    return tuple(tests)


def _private(row: Row) -> object:
    """Return the private tests; raises ValueError for what is neither JSON nor packed, Refused for a pickle."""
    field, value = "private_test_cases", row.get("private_test_cases")
    if not isinstance(value, str) or not value.strip() or value.lstrip().startswith("["):
        return unpacked(row, field)
    try:
        packed = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"field {field!r} is neither JSON nor base64; {REMEDY}") from None
    unpacking = zlib.decompressobj()
    try:
        content = unpacking.decompress(packed, LARGEST)
    except zlib.error as fault:
        raise ValueError(f"field {field!r} is neither JSON nor packed by zlib ({fault}); {REMEDY}") from None
    if unpacking.unconsumed_tail or not unpacking.eof:
        raise ValueError(f"field {field!r} is cut off, or larger than {LARGEST >> 20} MiB when it is unpacked")
    try:
        found = unpacked({field: content.decode()}, field)
        return unpacked({field: found}, field)
    except ValueError:
        raise Refused(
            f"field {field!r} holds no JSON when it is unpacked, but most likely a pickle, which is never read here, "
            f"for it may run any program; {REMEDY}"
        ) from None


def _starter(row: Row, code: str) -> Starter:
    metadata = unpacked(row, "metadata")
    function = metadata.get("func_name") if isinstance(metadata, Mapping) else None
    if not (isinstance(function, str) and function.isidentifier()):
        raise ValueError("field 'metadata' does not name the function of its functional tests, 'func_name'")
    return Starter(owner_of(code), function)


def _suite(starter: Starter | None, tests: tuple[_Test, ...], note: Note) -> Suite:
    if starter is None:
        return Suite(pairs=tuple(Pair(input=test.input, output=test.output) for test in tests))
    called = []
    for test in tests:
        try:
            arguments = tuple(json.loads(line) for line in test.input.split("\n") if line.strip())
            called.append(Call(test.where, arguments, (json.loads(test.output),)))
        except (ValueError, RecursionError) as fault:
            note(f"{test.where} left out: it is not JSON ({fault})")
    return suite_of(starter, called, note)

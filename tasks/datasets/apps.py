"""APPS (Hendrycks et al. 2021, arXiv 2105.09938): programs to write from the text of a contest's problem.

One row, in the fields of the published table; `input_output` and `solutions` are JSON in a text:

    {"problem_id": 4000, "question": "Say how long a line is.", "solutions": "[\\"print(len(input()))\\"]",
     "input_output": "{\\"inputs\\": [\\"abc\\\\n\\"], \\"outputs\\": [\\"3\\\\n\\"]}", "difficulty": "interview",
     "url": "https://…", "starter_code": ""}

Without an `fn_name` in `input_output` the program reads standard input; an input or output that is a list is lines.
With one, the function of that name (a method, where `starter_code` has a class) is called with each list of
arguments. The comparison is the dataset's own: the result equals the output, or the first element of an output that
is a list; `tasks.datasets.calls` says the rest. There are no samples. Rows without tests are skipped.
"""

import itertools
from typing import NamedTuple

from tasks.datasets.calls import CONTEXT, Call, Starter, owner_of, statement_of, suite_of, text_of
from tasks.datasets.fields import Note, Row, Unusable, id_of, unpacked
from tasks.records import Pair, Problem, Suite

HUB = {"apps": "codeparrot/apps:all@test"}
FIELDS = {"question": str}


def recognises(row: Row) -> bool:
    """Tell whether a row is of this dataset."""
    return "input_output" in row


def problem_of(row: Row, note: Note) -> Problem:
    """Return the problem of a row whose FIELDS are there; raises ValueError where they do not fit, or Unusable."""
    name, question, code = id_of(row, "problem_id", "id"), str(row["question"]), str(row.get("starter_code") or "")
    tests = _tests(row)
    if not tests.inputs:
        raise Unusable(f"{name}: it has no tests")
    solutions = unpacked(row, "solutions")
    reference = str(solutions[0]) if isinstance(solutions, list) and solutions else None
    if not tests.function:
        pairs = tuple(map(_pair, tests.inputs, tests.outputs))
        return Problem(
            id=name, statement=statement_of(question, code), hidden=Suite(pairs=pairs), reference=reference
        )
    starter = Starter(owner_of(code), tests.function)
    hidden = suite_of(starter, map(_call, itertools.count(), tests.inputs, tests.outputs), note)
    if not hidden.size:
        raise Unusable(f"{name}: none of its tests can be used")
    return Problem(
        id=name,
        statement=statement_of(question, code, tests.function),
        entry_point=starter.entry_point,
        context=CONTEXT,
        hidden=hidden,
        reference=reference,
    )


class _Tests(NamedTuple):
    inputs: list[object]
    outputs: list[object]
    function: str  # empty: the program reads standard input


def _tests(row: Row) -> _Tests:
    tests = unpacked(row, "input_output") or {}
    if not isinstance(tests, dict):
        raise ValueError("field 'input_output' is not a JSON object")
    inputs, outputs = tests.get("inputs") or [], tests.get("outputs") or []
    if not (isinstance(inputs, list) and isinstance(outputs, list) and len(inputs) == len(outputs)):
        raise ValueError("field 'input_output' has not one output for each input")
    return _Tests(inputs, outputs, str(tests.get("fn_name") or ""))


def _pair(given: object, output: object) -> Pair:
    return Pair(input=text_of(given), output=text_of(output))


def _call(number: int, arguments: object, output: object) -> Call:
    accepted = (output, output[0]) if isinstance(output, list) and output else (output,)
    return Call(f"test {number}", tuple(arguments) if isinstance(arguments, list) else (arguments,), accepted)

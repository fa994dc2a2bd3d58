"""EvalPlus (Liu et al. 2023, arXiv 2305.01210) as released: HumanEval+ and MBPP+, whose tests are inputs alone.

One row:

    {"task_id": "HumanEval/0", "prompt": "def half(x: float) -> float:\\n    \\"\\"\\"Halve it.\\"\\"\\"\\n",
     "contract": "\\n    assert x >= 0\\n", "canonical_solution": "    return x / 2\\n", "entry_point": "half",
     "base_input": [[1.0]], "plus_input": [[0.0], [1e300]], "atol": 0}

MBPP+ (`task_id` "Mbpp/2") has the task and an assertion as a docstring in `prompt`; its `assertion` is not used.

The hidden suite is `base_input`; the extended suite is both, for a program passes EvalPlus where it passes both. What
is expected is what the reference (prompt and solution) returns; it is run where the tests are judged. A result is
right if it equals that. With an `atol`, or where that is a float or a list of floats (then 1e-6), it is right within
`atol` and 1e-7 of the value too, if it is of the same type and length. ORACLES are the tasks that EvalPlus judges
otherwise; a root of HumanEval/32 is right as well where the polynomial is no farther from 0 than at the reference's,
for of some polynomials no root that a float can hold comes within `atol`. JSON has no tuples, sets and complex
numbers: ARGUMENTS says which tasks of MBPP+ take them where.

The hub's forms of both are read by `humaneval` and `mbpp`.
"""

import ast
import json
import math
import textwrap
from typing import NamedTuple

from tasks.datasets.calls import statement_of
from tasks.datasets.fields import NEAR, Note, Row, python, unpacked
from tasks.datasets.humaneval import context_of, examples_of
from tasks.records import Problem, Suite

FIELDS = {"task_id": str, "prompt": str, "entry_point": str, "canonical_solution": str, "base_input": list}

# Expressions over `row`, one call's arguments as JSON has them, and the tasks of MBPP+ that they belong to.
ARGUMENTS = {
    "[tuple(each) for each in row]": (
        *(2, 116, 132, 143, 222, 261, 273, 394, 399, 421, 424, 429, 470, 560, 579, 596, 616, 630, 726, 740, 744, 809),
    ),
    "[list(map(tuple, each)) for each in row]": (
        *(63, 64, 70, 94, 120, 237, 272, 299, 400, 409, 417, 438, 473, 614, 780),
    ),
    "[tuple(map(tuple, each)) for each in row]": (259, 401, 445),
    "[list(map(tuple, row[0])), *row[1:]]": (75, 413, 444, 753),
    "[tuple(row[0]), *row[1:]]": (250, 307, 405, 446, 617, 720, 763, 808),
    "[row[0], tuple(row[1])]": (106, 750),
    "[[set(each) if each and isinstance(each, list) else {} for each in row[0]]]": (115,),
    "[float(row[0]), complex(row[1])]": (124,),
    "[complex(row[0])]": (252,),
    "[tuple(tuple(each) if isinstance(each, list) else each for each in row[0])]": (278,),
    "[{key: tuple(each) for key, each in row[0].items()}, *row[1:]]": (722,),
    "deep_tuple(row)": (580, 615, 791),
}
SAME = "right(got, expected)"
SAME_SET, FOUND = "set(got) == set(expected)", "(got if type(got) is bool else got is not None) == expected"
# Tasks whose results may be a re.Match, which is no plain value: right is whether there is one.
MATCHES = ("check_str", "text_match_three", "text_starta_endb")
# By entry point, an expression over `got`, `expected` and `row` that says whether a result is right.
ORACLES = {
    "humaneval": {"find_zero": "abs(poly(row[0], got)) <= max(ATOL, abs(poly(row[0], expected)))"},
    "mbpp": {
        **dict.fromkeys(("similar_elements", "find_char_long", "common_in_nested_lists", "extract_singly"), SAME_SET),
        **dict.fromkeys(("larg_nnum", "intersection_array", "find_dissimilar", "Diff"), SAME_SET),
        **dict.fromkeys(MATCHES, FOUND),
        "are_equivalent": "True",
        "sum_div": f"got == 0 or {SAME}",
        "surface_Area": f"{SAME} or abs(got - surface_area(*row)) <= ATOL",
        "digit_distance_nums": f"{SAME} or got == digit_distance(*row)",
    },
}
JUDGED = """\
import copy, json, math

{near}

def right(got, expected):
    if got == expected:
        return True
    floats = expected if isinstance(expected, (list, tuple)) else [expected]
    atol = ATOL or (1e-6 if floats and all(isinstance(each, float) for each in floats) else 0)
    return atol != 0 and type(got) is type(expected) and near(got, expected, 1e-7, atol)


def poly(coefficients, x):
    return sum(each * math.pow(x, power) for power, each in enumerate(coefficients))


def surface_area(base, height):
    return round(base**2 + 2 * base * math.hypot(base / 2, height))


def digit_distance(a, b):
    width = max(len(str(a)), len(str(b)))
    return sum(abs(int(x) - int(y)) for x, y in zip(str(a).zfill(width), str(b).zfill(width)))


def deep_tuple(value):
    return tuple(map(deep_tuple, value)) if isinstance(value, list) else value


ATOL = {atol!r}
REFERENCE = {{"__name__": "reference"}}
exec(compile({reference!r}, "<reference>", "exec"), REFERENCE)


def _every_input(candidate):
    for row in json.loads({inputs!r}):
        row = {arguments}
        expected = REFERENCE[{entry_point!r}](*copy.deepcopy(row))
        expected = {expected}
        got = candidate(*row)
        assert {oracle}, f"expected {{expected!r}}"
"""
EVERY = ("_every_input(candidate)",)


def recognises(row: Row) -> bool:
    """Tell whether a row is of this dataset."""
    return bool({"base_input", "plus_input"} & row.keys())


def problem_of(row: Row, note: Note) -> Problem:
    """Return the problem of a row whose FIELDS are there; raises ValueError where they do not fit."""
    name, prompt, entry_point = str(row["task_id"]), str(row["prompt"]), str(row["entry_point"])
    reference = f"{prompt}{row['canonical_solution']}"
    parts = python("canonical_solution", reference)
    if entry_point not in (part.name for part in parts if isinstance(part, ast.FunctionDef)):
        raise ValueError(f"field 'canonical_solution' does not define the entry point {entry_point!r}")
    base, plus = _inputs(row, "base_input"), _inputs(row, "plus_input")
    goes_on = f"def {entry_point}" in prompt
    sentence, samples = (prompt, examples_of(prompt, entry_point)) if goes_on else _docstring(prompt, note)
    return Problem(
        id=name,
        statement=sentence if goes_on else _statement(sentence, samples, entry_point),
        entry_point=entry_point,
        context=context_of(prompt, entry_point) if goes_on else "",
        samples=Suite(assertions=samples),
        hidden=_suite(row, base, reference),
        extended=_suite(row, [*base, *plus], reference),
        reference=reference,
    )


def _inputs(row: Row, field: str) -> list[object]:
    found = unpacked(row, field)
    found = [] if found is None else found
    if not (isinstance(found, list) and all(isinstance(each, list) for each in found)):
        raise ValueError(f"field {field!r} is not a list of lists of arguments")
    return found


class Docstring(NamedTuple):
    """A task's text, and the assertions in it."""

    sentence: str
    assertions: tuple[str, ...]


def _docstring(prompt: str, note: Note) -> Docstring:
    """Take a prompt that is a docstring alone to pieces; its escapes are those of the assertions."""
    text = prompt.strip()
    quotes = next((each for each in ('"""', "'''") if text.startswith(each) and text.endswith(each)), "")
    text = textwrap.dedent(text.removeprefix(quotes).removesuffix(quotes)).strip()
    sentence, found, tests = text.partition("\nassert ")
    try:
        parts = python("prompt", found + tests)
    except ValueError as fault:
        note(f"no sample: {fault}")
        return Docstring(text, ())
    return Docstring(sentence, tuple(ast.unparse(part) for part in parts if isinstance(part, ast.Assert)))


def _statement(sentence: str, tests: tuple[str, ...], entry_point: str) -> str:
    if not tests:
        return statement_of(sentence, "", entry_point)
    shown = "\n".join(tests)
    return f"{sentence.strip()}\n\nThe program must pass this test:\n\n{shown}\n"


def _suite(row: Row, inputs: list[object], reference: str) -> Suite:
    dataset, _, number = str(row["task_id"]).rpartition("/")
    name, atol = str(row["entry_point"]), row.get("atol") or 0
    if not isinstance(atol, int | float) or not 0 <= atol < math.inf:
        raise ValueError(f"field 'atol' is not a tolerance: {atol!r}")
    known = ORACLES.get(dataset.casefold(), {})
    numbers = ARGUMENTS.items() if dataset.casefold() == "mbpp" else ()
    oracle = known.get(name, SAME)
    source = JUDGED.format(
        near=NEAR,
        atol=atol,
        reference=reference,
        entry_point=name,
        inputs=json.dumps(inputs),
        arguments=next((shape for shape, tasks in numbers if number in map(str, tasks)), "row"),
        expected="expected is not None" if oracle == FOUND else "expected",
        oracle=oracle,
    )
    return Suite(setup=source, assertions=EVERY)

"""xCodeEval (Khan et al. 2023, arXiv 2303.03004): programs to write from the text of a contest's problem.

One row of the task program_synthesis; `hidden_unit_tests` is JSON in a text, and each test lists the outputs that are
right:

    {"src_uid": "9ce37bc2d361f5bb8a0568fb479b8a38", "description": "Print $$$n$$$ twice.", "input_from":
     "standard input", "output_to": "standard output", "time_limit": "2 seconds", "memory_limit": "256 megabytes",
     "input_spec": "The number $$$n$$$.", "output_spec": "Twice the number.", "notes": null, "sample_inputs": ["4"],
     "sample_outputs": ["8"], "tags": ["math"], "difficulty": 800,
     "hidden_unit_tests": "[{\\"input\\": \\"3\\\\r\\\\n\\", \\"output\\": [\\"6\\"]}]"}

The hub's rows have `prob_desc_` before the names of what describes the problem. A folder with
`problem_descriptions.jsonl` and `unittest_db.json` is read as such rows too. A test with several outputs that are
right is left out: a test here has one. A row whose program must read or write a file, or that has no tests, is
skipped. The reference is `source_code` where it passed (`exec_outcome`) and is in a language of REFERENCES.
"""

import ast
import html
import json
import math
import re
from collections.abc import Mapping

from tasks.datasets.fields import Note, Row, Unusable, id_of
from tasks.records import Pair, Problem, Suite

HUB = {"xcodeeval": "NTU-NLP-sg/xCodeEval:program_synthesis@validation"}
FIELDS = {"src_uid": str}
PREFIX = "prob_desc_"
STANDARD = {"input_from": "standard input", "output_to": "standard output"}
UNITS = {"kilobyte": 1 / 1024, "megabyte": 1.0, "gigabyte": 1024.0}
REFERENCES = {"C": "C", "C++": "C++", "Go": "Go", "Java": "Java", "Javascript": "JavaScript", "Rust": "Rust"}
PYTHON_3 = ("Python 3", "PyPy 3")


def recognises(row: Row) -> bool:
    """Tell whether a row is of this dataset."""
    return bool({"src_uid", "hidden_unit_tests"} & row.keys())


def problem_of(row: Row, note: Note) -> Problem:
    """Return the problem of a row whose FIELDS are there; raises ValueError where they do not fit, or Unusable."""
    name, row = id_of(row, "src_uid"), {key.removeprefix(PREFIX): value for key, value in row.items()}
    for field, standard in STANDARD.items():
        used = str(row.get(field) or standard)
        if standard not in used.casefold():
            raise Unusable(f"{name}: its programs use {used}, in place of standard input and output")
    samples = _samples(row)
    hidden = tuple(dict.fromkeys(_tests(row, note)))
    if not hidden:
        raise Unusable(f"{name}: it has no tests that can be used")
    return Problem(
        id=name,
        statement=_statement(row, samples),
        samples=Suite(pairs=samples),
        hidden=Suite(pairs=hidden),
        time_limit=_limit(row, "time_limit", {"second": 1.0, "millisecond": 0.001}),
        memory_limit_mb=math.ceil(_limit(row, "memory_limit", UNITS) or 0) or None,
        **_reference(row),
    )


def _value(row: Row, field: str) -> object:
    """Return a field's value, read once more where it is a text: JSON, or as Python prints it."""
    value = row.get(field)
    if not isinstance(value, str):
        return value
    if not value.strip():
        return None
    try:
        return json.loads(value)
    except (ValueError, RecursionError) as fault:
        try:
            return ast.literal_eval(value)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            raise ValueError(f"field {field!r} is not JSON ({fault})") from None


def _samples(row: Row) -> tuple[Pair, ...]:
    inputs, outputs = _value(row, "sample_inputs") or [], _value(row, "sample_outputs") or []
    if not (isinstance(inputs, list) and isinstance(outputs, list) and len(inputs) == len(outputs)):
        raise ValueError("field 'sample_outputs' has not one output for each of 'sample_inputs'")
    return tuple(
        Pair(input=_lines(given), output=_lines(output)) for given, output in zip(inputs, outputs, strict=True)
    )


def _tests(row: Row, note: Note) -> list[Pair]:
    found = _value(row, "hidden_unit_tests")
    found = [] if found is None else found
    if not (isinstance(found, list) and all(isinstance(each, Mapping) and "input" in each for each in found)):
        raise ValueError("field 'hidden_unit_tests' is not a list of tests with 'input' and 'output'")
    pairs = []
    for number, test in enumerate(found):
        output = test.get("output")
        outputs = list(dict.fromkeys(map(_lines, output if isinstance(output, list) else [output])))
        if len(outputs) == 1 and output is not None:
            pairs.append(Pair(input=_lines(test["input"]), output=outputs[0]))
        else:
            count = len(outputs) if output is not None else 0
            note(f"hidden_unit_tests[{number}] left out: it has {count} outputs that are right")
    return pairs


def _lines(text: object) -> str:
    return str(text).replace("\r\n", "\n")


def _statement(row: Row, samples: tuple[Pair, ...]) -> str:
    description = row.get("description")
    if not (isinstance(description, str) and description.strip()):
        raise ValueError("field 'description' is missing or empty")
    titles = {"Input": "input_spec", "Output": "output_spec", "Notes": "notes"}
    parts = [_shown(f"{title}\n{row[field]}") for title, field in titles.items() if row.get(field)]
    samples_shown = [f"Example\nInput:\n{pair.input.strip()}\nOutput:\n{pair.output.strip()}" for pair in samples]
    return "\n\n".join([_shown(description.strip()), *parts[:2], *samples_shown, *parts[2:]]) + "\n"


def _shown(text: str) -> str:
    """Return a text as its page shows it: the dataset kept `&lt;`, and three dollars around formulas."""
    return html.unescape(text).replace("$$$", "$")


def _limit(row: Row, field: str, units: dict[str, float]) -> float | None:
    """Return a limit such as "2 seconds" in the first of the units; None where there is none."""
    said = row.get(field)
    if said in (None, ""):
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]+?)s?\.?", str(said).strip().casefold())
    if found is None or found[2] not in units:
        raise ValueError(f"field {field!r} is not a limit in {'s or '.join(units)}s: {said!r}")
    return float(found[1]) * units[found[2]] or None


def _reference(row: Row) -> dict[str, str]:
    """Return the fields of the reference, none where there is none."""
    cluster, source = str(row.get("lang_cluster")), row.get("source_code")
    language = "Python3" if str(row.get("lang")).startswith(PYTHON_3) else REFERENCES.get(cluster)
    if row.get("exec_outcome") != "PASSED" or language is None or not (isinstance(source, str) and source.strip()):
        return {}
    return {"reference": source, "reference_language": language}

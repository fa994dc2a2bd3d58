"""APPS and CodeContests as MapCoder writes them (Islam et al. 2024, arXiv 2405.11403): a test's outputs are a list.

One row, with public tests in `sample_io` and hidden ones in `test_list`:

    {"name": "4500", "id": 4500, "description": "Say how often a word is in a list.\\n```python\\ncount('a', …",
     "difficulty": "introductory", "sample_io": [{"input": "a\\n['b', 'a']", "output": [1]}],
     "test_list": [{"input": "7\\n['7', 7]", "output": [1]}], "starter_code": "\\ndef count(word, words):\\n\\t"}

`output` lists the values that are right: one in every published row. Without `starter_code` the program reads `input`
and prints the output, a text.

With it, a function is called, `output` holds JSON values, and `input` is the arguments as Python prints them, one a
line: `7` may be a number or a text. What a parameter takes is the same in all tests of a problem. Calls that the
description shows (`count('a', …)`) say what; else it takes texts if any test has something there that Python cannot
read as a number, list, dictionary, truth value or None. Where a parameter that takes other values gets what cannot be
read (`factors('a')` among numbers), that one argument is a text. A single parameter takes all lines; of more lines
than parameters, the only parameter that takes texts gets those that are over. A test that stays unclear is left out.

MapCoder's own tools run such a problem as a whole program that reads and prints those texts; here it is a function,
as in APPS, so that the types of results are judged too.
"""

import ast
import contextlib
import json
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tasks.datasets.calls import CONTEXT, Call, Starter, starter_of, statement_of, suite_of, text_of
from tasks.datasets.fields import Note, Row, Unusable, id_of
from tasks.python_source import syntax_tree
from tasks.records import Pair, Problem, Suite

FIELDS = {"description": str, "test_list": list}
LONGEST_CALL = 2000  # characters of a call in a description


def recognises(row: Row) -> bool:
    """Tell whether a row is of this dataset."""
    return FIELDS.keys() <= row.keys()


def problem_of(row: Row, note: Note) -> Problem:
    """Return the problem of a row whose FIELDS are there; raises ValueError where they do not fit, or Unusable."""
    name, description, code = id_of(row, "name", "id"), str(row["description"]), str(row.get("starter_code") or "")
    samples, tests = _tests(row, "sample_io"), _tests(row, "test_list")
    starter = starter_of(code) if code.strip() else None
    if code.strip() and starter is None:
        raise Unusable(f"{name}: its starter code begins no function ({' '.join(code.split())[:60]})")
    if starter is None:
        public, hidden = _pairs(samples, note), _pairs(tests, note)
    else:
        rule = _rule(starter, description, [test.input for test in (*samples, *tests)])
        public, hidden = (suite_of(starter, _calls(each, rule, note), note) for each in (samples, tests))
    if not hidden.size:
        raise Unusable(f"{name}: none of its tests can be used")
    return Problem(
        id=name,
        statement=statement_of(description, code),
        entry_point=starter.entry_point if starter else "",
        context=CONTEXT if starter else "",
        samples=public,
        hidden=hidden,
    )


class _Test(NamedTuple):
    where: str
    input: str
    outputs: tuple[object, ...]


def _tests(row: Row, field: str) -> list[_Test]:
    found = row.get(field) or []
    if not (
        isinstance(found, list)
        and all(isinstance(each, dict) and {"input", "output"} <= each.keys() for each in found)
    ):
        raise ValueError(f"field {field!r} is not a list of tests with 'input' and 'output'")
    tests = []
    for number, each in enumerate(found):
        outputs = each["output"] if isinstance(each["output"], list) else [each["output"]]
        tests.append(_Test(f"{field}[{number}]", text_of(each["input"]), tuple(outputs)))
    return tests


def _pairs(tests: list[_Test], note: Note) -> Suite:
    kept = []
    for test in tests:
        if len(test.outputs) == 1:
            kept.append(Pair(input=test.input, output=text_of(test.outputs[0])))
        else:
            note(f"{test.where} left out: it has {len(test.outputs)} outputs that are right")
    return Suite(pairs=tuple(kept))


class _Rule(NamedTuple):
    """How lines become arguments: which of the parameters are texts."""

    starter: Starter
    texts: tuple[bool, ...]


def _rule(starter: Starter, description: str, inputs: Sequence[str]) -> _Rule:
    shown = [call for call in _shown(starter.name, description) if len(call) <= starter.parameters]
    rows = [each.split("\n") if starter.parameters > 1 else [each] for each in inputs]
    rows = [row for row in rows if len(row) <= starter.parameters]
    texts = []
    for at in range(starter.parameters):
        said = [isinstance(call[at], str) for call in shown if at < len(call)]
        column = [isinstance(_value(row[at]), str) for row in rows if at < len(row)]
        texts.append(all(said) if said else any(column))
    return _Rule(starter, tuple(texts))


def _calls(tests: list[_Test], rule: _Rule, note: Note) -> Iterator[Call]:
    for test in tests:
        arguments = _arguments(test.input, rule)
        if arguments is None:
            lines = test.input.count("\n") + 1
            note(f"{test.where} left out: {lines} lines of input do not fit {rule.starter.parameters} parameters")
        elif not test.outputs:
            note(f"{test.where} left out: it has no output")
        else:
            yield Call(test.where, arguments, test.outputs)


def _arguments(text: str, rule: _Rule) -> tuple[object, ...] | None:
    count = rule.starter.parameters
    lines = text.split("\n") if count > 1 else [text] if count else []
    over = len(lines) - count
    if over > 0:
        if sum(rule.texts) != 1:
            return None
        at = rule.texts.index(True)
        lines[at : at + over + 1] = ["\n".join(lines[at : at + over + 1])]
    if len(lines) < rule.starter.required:
        return None
    return tuple(line if is_text else _value(line) for line, is_text in zip(lines, rule.texts, strict=False))


def _value(text: str) -> object:
    """Return what a printed argument is, as far as it can be read; the text itself where it cannot."""
    try:
        value: object = ast.literal_eval(text.strip())
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        try:
            value = json.loads(text) if text.strip()[:1] in ("[", "{") else text
        except (ValueError, RecursionError):
            return text
    return value if value is None or isinstance(value, bool | int | float | list | dict) else text


def _shown(name: str, description: str) -> Iterator[list[object]]:
    """Yield the arguments of the calls that a description shows, where all of them are literals."""
    for found in re.finditer(rf"\b{re.escape(name)}\s*\(", description):
        text = description[found.start() : found.start() + LONGEST_CALL]
        for end in re.finditer(r"\)", text):
            try:
                call = syntax_tree(text[: end.end()], "eval").body
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                continue
            with contextlib.suppress(ValueError):
                yield [ast.literal_eval(each) for each in call.args] if isinstance(call, ast.Call) else []
            break

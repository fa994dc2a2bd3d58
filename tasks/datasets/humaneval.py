"""HumanEval (Chen et al. 2021, arXiv 2107.03374): functions to write from a signature and a docstring.

One row, in the original's fields; `sample_io` (a list of assertions) is an addition of later work:

    {"task_id": "HumanEval/0", "prompt": "from typing import List\\n\\n\\ndef has_close_elements(…", "entry_point":
     "has_close_elements", "canonical_solution": "    for idx, …", "test": "def check(candidate):\\n    assert …",
     "sample_io": ["assert has_close_elements([1.0, 2.0, 3.0], 0.5) == False"]}

Without `sample_io` the samples are the docstring's own `>>>` examples.
"""

import ast
import doctest
import re
from collections.abc import Mapping

from tasks.python_source import syntax_tree
from tasks.records import Problem

FIELDS = {"task_id": str, "prompt": str, "entry_point": str, "test": str}


def recognises(row: Mapping[str, object]) -> bool:
    """Tell whether a row is of this dataset."""
    return {"task_id", "prompt", "entry_point"} <= row.keys() and "canonical_solution" in row


def problem_of(row: Mapping[str, object]) -> Problem:
    """Return the problem of a row whose FIELDS are there; raises ValueError where their texts do not fit."""
    prompt, entry_point = str(row["prompt"]), str(row["entry_point"])
    signature = re.search(rf"^(async\s+)?def\s+{re.escape(entry_point)}\b", prompt, re.MULTILINE)
    if signature is None:
        raise ValueError(f"field 'prompt' does not define the entry point {entry_point!r}")
    samples = row.get("sample_io")
    if samples is not None and not (isinstance(samples, list) and all(isinstance(sample, str) for sample in samples)):
        raise ValueError("field 'sample_io' is not a list of assertions")
    for sample in samples or ():
        _parsed("sample_io", sample)
    if not any(isinstance(part, ast.FunctionDef) and part.name == "check" for part in _parsed("test", row["test"])):
        raise ValueError("field 'test' does not define check(candidate)")
    solution = row.get("canonical_solution")
    return Problem(
        id=str(row["task_id"]),
        statement=prompt,
        entry_point=entry_point,
        context=prompt[: signature.start()],
        samples=_examples(prompt, entry_point) if samples is None else tuple(samples),
        test=str(row["test"]),
        reference=prompt + solution if isinstance(solution, str) and solution.strip() else None,
    )


def _parsed(field: str, text: object) -> list[ast.stmt]:
    try:
        return syntax_tree(str(text)).body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as fault:
        raise ValueError(f"field {field!r} is not Python ({fault}): {' '.join(str(text).split())[:80]}") from None


def _examples(prompt: str, entry_point: str) -> tuple[str, ...]:
    """Turn the examples of the entry point's docstring into assertions, those whose result is a literal."""
    samples = []
    try:
        examples = doctest.DocTestParser().get_examples(_docstring(prompt, entry_point))
    except ValueError:  # lines that doctest cannot read
        return ()
    for example in examples:
        try:
            source = syntax_tree(example.source.strip(), "eval").body
            ast.literal_eval(example.want.strip())
        except (SyntaxError, ValueError):
            continue
        if entry_point not in (part.id for part in ast.walk(source) if isinstance(part, ast.Name)):
            continue
        said = ast.unparse(source)  # without a comment, which would swallow what follows it
        samples.append(f"assert {said if isinstance(source, ast.Call) else f'({said})'} == {example.want.strip()}")
    return tuple(samples)


def _docstring(prompt: str, entry_point: str) -> str:
    try:
        parts = syntax_tree(prompt).body
    except SyntaxError:
        return ""
    named = [part for part in parts if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef)]
    return next((ast.get_docstring(part) or "" for part in named if part.name == entry_point), "")

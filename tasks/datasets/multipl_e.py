"""MBPP as MultiPL-E writes it (Cassano et al. 2022, arXiv 2208.08227): functions to write from typed signatures.

One row, of those for Python; `sample_io` (a list of assertions) is an addition of later work:

    {"name": "mbpp_762_check_monthnumber_number", "language": "py", "prompt": "def check_monthnumber_number(…",
     "entry_point": "check_monthnumber_number", "test": "def check(candidate):\\n    assert …\\n\\ntest_check()\\n",
     "sample_io": ["assert check_monthnumber_number(6) == True"]}

The source in `test` ends in calling itself on the entry point. Those calls are dropped: its `check` is run once.
"""

import ast

from tasks.datasets.fields import Note, Row, assertions, python
from tasks.datasets.humaneval import CHECK, context_of
from tasks.records import Problem, Suite

FIELDS = {"name": str, "prompt": str, "entry_point": str, "test": str}


def recognises(row: Row) -> bool:
    """Tell whether a row is of this dataset."""
    return {"entry_point", "test"} <= row.keys() and not {"task_id", "canonical_solution"} & row.keys()


def problem_of(row: Row, note: Note) -> Problem:
    """Return the problem of a row whose FIELDS are there; raises ValueError where their texts do not fit."""
    if row.get("language", "py") not in ("py", "python"):
        raise ValueError(
            f"field 'language' is {row['language']!r}; the tests of such rows are Python only where 'py'"
        )
    prompt, entry_point = str(row["prompt"]), str(row["entry_point"])
    return Problem(
        id=str(row["name"]),
        statement=prompt,
        entry_point=entry_point,
        context=context_of(prompt, entry_point),
        samples=Suite(assertions=assertions(row, "sample_io", note)),
        hidden=Suite(setup=_definitions(str(row["test"])), assertions=CHECK),
    )


def _definitions(test: str) -> str:
    """Return the source of the tests without the function that runs them and without calls at the top level."""
    parts = python("test", test)
    if not any(isinstance(part, ast.FunctionDef) and part.name == "check" for part in parts):
        raise ValueError("field 'test' does not define check(candidate)")
    calls = (part for part in parts if isinstance(part, ast.Expr) and isinstance(part.value, ast.Call))
    runs = {part.value.func.id for part in calls if isinstance(part.value.func, ast.Name)}  # type: ignore[attr-defined]
    kept = [
        part
        for part in parts
        if not isinstance(part, ast.Expr)
        and not (isinstance(part, ast.FunctionDef) and part.name in runs and part.name != "check")
    ]
    return "\n\n\n".join(ast.get_source_segment(test, part) or "" for part in kept) + "\n"

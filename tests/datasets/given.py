"""Rows written to files, and programs graded by the problems that are made of them, in the real sandbox."""

import json
from pathlib import Path
from typing import Any, Literal

from blocks.bubblewrap import detect_isolation
from blocks.limits import Limits
from tasks.datasets.load import load
from tasks.grading import grade
from tasks.records import Problem

PROMPT = '''import math
from typing import List


def helper(n: int) -> int:
    """Help.
    >>> helper(1)
    2
    """
    return n + 1


def area(radius: float, scale: float = 1) -> float:
    """Say how large a circle is.
    >>> area(0)
    0
    >>> round(area(1), 2) # a comment
    3.14
    >>> area(1) > 3
    True
    >>> x = area(2)
    >>> area(
    ...     2, scale=0)
    0.0
    >>> area(-1)
    Traceback (most recent call last):
    ValueError
    >>> area(3)
    28.27…

    And so on.
    >>> helper(4)
    5
    """
'''
ROW: dict[str, Any] = {
    "task_id": "HumanEval/0",
    "prompt": PROMPT,
    "entry_point": "area",
    "canonical_solution": "    return math.pi * radius**2 * scale\n",
    "test": "METADATA = {}\n\n\ndef check(candidate):\n    assert candidate(0) == 0\n",
}
SAMPLES = ["assert area(0) == 0", "assert area(1) > 3"]


def written(folder: Path, *rows: object, name: str = "mine.jsonl") -> Path:
    path = folder / name
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows), encoding="utf-8")
    return path


def problem(folder: Path, row: dict[str, Any]) -> Problem:
    """The one problem of a file of one row."""
    (made,) = load(str(written(folder, row))).problems
    return made


async def outcome(problem: Problem, program: str, suite: Literal["hidden", "extended"] = "hidden") -> str:
    limits = Limits(isolation=detect_isolation(), cpu_seconds=10.0, wall_seconds=60.0)
    return (await grade(problem, program, limits, suite=suite)).outcome


def told(said: str) -> str:
    """A message that is one line."""
    assert len(said.splitlines()) == 1
    return said

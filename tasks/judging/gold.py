"""Reads people's scores: JSON (a list), JSONL with one row a line, or CSV with a head.

    {"problem_id": "ferry", "role": "executor", "step": 2, "dimension": "correctness", "score": 4}

`step` is left out, or empty, for a planner; `sample` is 0 where it is left out. Fields that are not named here are
let pass.
"""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator

from blocks.errors import UsageError
from tasks.judging.dimensions import DIMENSIONS, PLAN, Role


class Key(NamedTuple):
    """What a score is of; `step` is 0 for a plan."""

    problem_id: str
    sample: int
    role: Role
    step: int
    dimension: str


class _Row(BaseModel):
    """One row; numbers may be texts, as in CSV."""

    problem_id: str = Field(min_length=1, coerce_numbers_to_str=True)
    sample: int = 0
    role: Role
    step: int | None = None
    dimension: str
    score: int = Field(ge=1, le=5)

    @field_validator("sample", "step", "score", mode="before")
    @classmethod
    def _number(cls, value: object) -> object:
        if isinstance(value, bool):
            raise ValueError("it is no number")
        return value.strip() if isinstance(value, str) else value

    @field_validator("role", "dimension", mode="before")
    @classmethod
    def _word(cls, value: object) -> object:
        return value.strip().casefold() if isinstance(value, str) else value

    @model_validator(mode="before")
    @classmethod
    def _without_blanks(cls, row: object) -> object:
        if not isinstance(row, dict):
            return row
        return {name: value for name, value in row.items() if value is not None and value != ""}

    @model_validator(mode="after")
    def _of_its_role(self) -> "_Row":
        if self.dimension not in DIMENSIONS[self.role]:
            known = ", ".join(DIMENSIONS[self.role])
            raise ValueError(f"dimension {self.dimension!r} is none of {self.role}'s ({known})")
        if self.role == "executor" and self.step is None:
            raise ValueError("`step` is missing, which an executor's score needs")
        return self

    @property
    def key(self) -> Key:
        step = self.step if self.role == "executor" and self.step is not None else PLAN
        return Key(self.problem_id, self.sample, self.role, step, self.dimension)


def read_gold(path: Path) -> dict[Key, int]:
    """Return the scores of a file by what they are of. Raises UsageError, which names file, row and fault."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as problem:
        raise UsageError(f"--gold {path} cannot be read ({problem.strerror}); give JSON, JSONL or CSV") from None
    except UnicodeDecodeError:
        raise UsageError(f"--gold {path} is not UTF-8 text; give JSON, JSONL or CSV") from None
    gold: dict[Key, int] = {}
    for number, fields in _rows(path, text):
        where = f"--gold {path}, row {number}"
        try:
            row = _Row.model_validate(fields)
        except ValidationError as problem:
            raise UsageError(f"{where}: {_said(problem)}") from None
        if row.key in gold:
            raise UsageError(f"{where}: {row.key.problem_id!r} has a score of {row.dimension} already; leave one out")
        gold[row.key] = row.score
    if not gold:
        raise UsageError(f"--gold {path} holds no rows; give problem_id, role, step, dimension and score")
    return gold


def _rows(path: Path, text: str) -> Iterator[tuple[int, Any]]:
    """Yield the rows and their numbers, from 1; those of CSV behind its head."""
    start = text.lstrip()[:1]
    if start == "[":
        try:
            yield from enumerate(json.loads(text), start=1)
        except (ValueError, RecursionError) as problem:
            raise UsageError(f"--gold {path} is not JSON ({problem})") from None
    elif start == "{":
        lines = (line for line in text.split("\n") if line.strip())
        for number, line in enumerate(lines, start=1):
            try:
                yield number, json.loads(line)
            except (ValueError, RecursionError) as problem:
                raise UsageError(f"--gold {path}, row {number}: not JSON ({problem})") from None
    else:
        try:
            for number, row in enumerate(csv.DictReader(io.StringIO(text, newline=""), strict=True), start=1):
                yield number, {str(name).strip(): value for name, value in row.items()}
        except csv.Error as problem:
            raise UsageError(f"--gold {path} is not CSV ({problem})") from None


def _said(problem: ValidationError) -> str:
    first = problem.errors(include_url=False)[0]
    what = first["msg"].removeprefix("Value error, ")
    where = ".".join(str(part) for part in first["loc"])
    return f"`{where}`: {what}" if where else what

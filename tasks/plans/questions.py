"""Reads files of questions: a JSON list, or JSONL with one row a line.

    {"id": "ferry", "problem": "A ferry needs …", "answer": "7.5 km/h", "subject": "arithmetic"}

`problem` is the question as the model is shown it, with its options where it has any; all other fields may be left
out. `answer` is the right answer: a number, a text, the letter or the content of an option. A row's id is `id`, else
`task_id`, else its position in the file, from 1. Fields that are not named here are let pass.
"""

import hashlib
import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from blocks.errors import UsageError
from tasks.datasets.fields import Row, id_of
from tasks.plans.records import Question


class Questions(NamedTuple):
    """A file's questions in its order, its name (the file's stem) and the SHA-256 of its bytes."""

    name: str
    path: Path
    hash: str
    questions: tuple[Question, ...]


def read_questions(path: Path | str) -> Questions:
    """Read a file of questions. Raises UsageError, which names the file, the row and what to mend."""
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as problem:
        raise UsageError(f"{path} cannot be read ({problem.strerror}); give a JSON or JSONL file") from None
    seen: dict[str, int] = {}
    questions = []
    for number, row in _rows(path, data):
        try:
            question = _question(number, row)
        except ValueError as fault:
            raise UsageError(f"{path}, row {number}: {fault}") from None
        first = seen.setdefault(question.id, number)
        if first != number:
            raise UsageError(f"{path}, row {number}: the id {question.id!r} is that of row {first} too")
        questions.append(question)
    if not questions:
        raise UsageError(f"{path} holds no rows; give at least one with a `problem`")
    return Questions(path.stem, path, hashlib.sha256(data).hexdigest(), tuple(questions))


def sampled(questions: Sequence[Question], limit: int | None, seed: int) -> tuple[Question, ...]:
    """Return so many questions, chosen by a seed, in the order of the file; all without a limit.

    With the same seed a larger limit adds to those of a smaller one, so that a run can be made longer.
    """
    if limit is not None and limit < 1:
        raise UsageError(f"limit {limit}: give a number of 1 or more")
    order = list(range(len(questions)))
    random.Random(seed).shuffle(order)
    return tuple(questions[at] for at in sorted(order[:limit]))


def _rows(path: Path, data: bytes) -> Iterator[tuple[int, object]]:
    """Yield the rows and their positions, from 1."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not UTF-8 text; give a JSON or JSONL file") from None
    if text.lstrip().startswith("["):
        try:
            rows = json.loads(text)
        except (ValueError, RecursionError) as problem:
            raise UsageError(f"{path} is not JSON ({problem})") from None
        yield from enumerate(rows, start=1)
        return
    lines = (line for line in text.split("\n") if line.strip())
    for number, line in enumerate(lines, start=1):
        try:
            yield number, json.loads(line)
        except (ValueError, RecursionError) as problem:
            raise UsageError(f"{path}, row {number}: not JSON ({problem})") from None


def _question(number: int, row: object) -> Question:
    if not isinstance(row, dict):
        raise ValueError("not a JSON object")
    fields: Row = row
    text = _text(fields, "problem")
    if text is None:
        raise ValueError("no `problem`")
    try:
        name = id_of(fields, "id", "task_id")
    except ValueError:
        name = str(number)
    question = Question(id=name, text=text, answer=_text(fields, "answer"), subject=_text(fields, "subject"))
    json.dumps(
        question.model_dump(), ensure_ascii=False
    ).encode()  # half a surrogate pair can be neither sent nor kept
    return question


def _text(row: Row, field: str) -> str | None:
    """Return a field as text, None where it is missing, null or blank."""
    value = row.get(field)
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if not isinstance(value, str | int | float):
        raise ValueError(f"`{field}` is neither a text nor a number")
    return str(value)

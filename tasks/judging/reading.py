"""A judge's reply as scores: one JSON object, whatever stands around it, checked against a schema.

What is refused rather than guessed at: a reply whose JSON is broken or cut off (what it quotes must not pass for
what it says), one that gives two different sets of scores, one that gives a dimension twice.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field, ValidationError, create_model, model_validator

from blocks.records import Record
from tasks.parsing import THINKING, BadReply, answer_of

LONGEST = 50_000  # characters of a reply
MOST_OBJECTS = 20  # that one may hold

OPENING = re.compile(r'\{(?=\s*")|\[(?=\s*\{\s*")')  # not the braces of prose and of LaTeX
# A string, which may be cut off; or a comma that nothing follows.
STRING_OR_COMMA = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|,(?=\s*[}\]])', re.DOTALL)


def _number(score: object) -> object:
    if isinstance(score, bool):
        raise ValueError("true and false are no scores")
    return score.strip() if isinstance(score, str) else score


def _text(reason: object) -> object:
    if not isinstance(reason, str):
        return reason
    said = reason.strip().encode("utf-8", "replace").decode()  # half a surrogate pair cannot be kept
    if not said:
        raise ValueError("it is empty")
    return said


class _Named(BaseModel):
    """An object whose names may be in any case and have spaces; one alone in a list is meant as itself."""

    @model_validator(mode="before")
    @classmethod
    def _plain_names(cls, value: object) -> object:
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        if not isinstance(value, dict):
            return value
        names = [re.sub(r"[\s-]+", "_", str(name).strip().casefold()) for name in value]
        if len(set(names)) < len(names):
            raise ValueError("a name is given twice")
        return dict(zip(names, value.values(), strict=True))


class Score(_Named):
    """The score of one dimension, and why it is that."""

    reason: Annotated[str, BeforeValidator(_text)]
    score: Annotated[int, BeforeValidator(_number), Field(ge=1, le=5)]


class Scored(Record):
    """One dimension's score."""

    dimension: str
    score: int
    reason: str


def scores_of(text: str, dimensions: Sequence[str]) -> tuple[Scored, ...]:
    """Return the scores in a reply, in the order of the dimensions. Raises BadReply with the exact fault."""
    if len(text) > LONGEST:
        raise BadReply(f"the reply has {len(text):,} characters; give the JSON object alone")
    answer = answer_of(text)
    if THINKING.match(answer):
        raise BadReply("the reply was cut off while thinking: its <think> is never closed")
    shape, found, fault = _shape(tuple(dimensions)), list[BaseModel](), "the reply holds no JSON object"
    for value in _objects(answer):
        try:
            found.append(shape.model_validate(value))
        except ValidationError as problem:
            fault = _said(problem)
    if not found:
        raise BadReply(fault)
    if any(other != found[0] for other in found):
        raise BadReply("the reply gives several different sets of scores; give one JSON object")
    scores: Mapping[str, Score] = dict(found[0])
    return tuple(Scored(dimension=name, score=scores[name].score, reason=scores[name].reason) for name in dimensions)


@cache
def _shape(dimensions: tuple[str, ...]) -> type[BaseModel]:
    """The schema of a reply: an object of these dimensions; what else it holds is let pass."""
    fields: dict[str, Any] = dict.fromkeys(dimensions, (Score, ...))
    return create_model("Scores", __base__=_Named, **fields)


def _objects(text: str) -> Iterator[object]:
    """Yield the JSON objects, and lists of objects, that a text holds side by side."""
    decoder = json.JSONDecoder(strict=False, object_pairs_hook=_once)
    for _ in range(MOST_OBJECTS):
        opening = OPENING.search(text)
        if opening is None:
            return
        text = STRING_OR_COMMA.sub(lambda found: found[0] if found[0] != "," else "", text[opening.start() :])
        try:
            value, end = decoder.raw_decode(text)
        except RecursionError:
            raise BadReply("the reply's JSON is nested too deep") from None
        except ValueError as problem:
            raise BadReply(f"the reply's JSON cannot be read: {problem}") from None
        yield value
        text = text[end:]
    if OPENING.search(text):
        raise BadReply(f"the reply holds more than {MOST_OBJECTS} JSON objects; give one")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    twice = next((name for name in names if names.count(name) > 1), None) if len(names) < LONGEST else None
    if twice is not None:
        raise ValueError(f"{twice[:40]!r} is given twice")
    return dict(pairs)


def _said(problem: ValidationError) -> str:
    faults = problem.errors(include_url=False)
    first = faults[0]
    where = ".".join(str(part) for part in first["loc"])
    what = first["msg"].removeprefix("Value error, ")
    got = f" (it is {str(first['input'])[:40]!r})" if where.endswith(".score") and first["type"] != "missing" else ""
    more = f", and {len(faults) - 1} more" if len(faults) > 1 else ""
    return (
        f"the reply's JSON does not fit: {where}: {what}{got}{more}" if where else f"the reply's JSON: {what}{more}"
    )

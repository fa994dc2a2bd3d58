"""Files of recorded replies: what a line may say, and which line answers a request.

One JSON object a line; blank lines are skipped. A reply:

    {"problem_id": "HumanEval/0", "stage": "coding", "n": 1, "model": "gpt-oss-120b", "content": "def f(): …",
     "prompt_tokens": 1343, "completion_tokens": 2083}

All but `content` may be left out or null: a record without `problem_id`, `sample`, `stage`, `n` or `model` is for any
of them, and one without both token counts sends no usage. The shortest file is `{"content": "hi"}`.
See `RecordedReply` for the other fields, and `QuotaScript` for what the first line may be instead.
"""

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, NamedTuple, Self, TypeVar

import orjson
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    ValidationError,
    field_validator,
    model_validator,
)

from blocks.records import Record

Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Parsed = TypeVar("Parsed", bound=BaseModel)


def load(path: Path | str) -> "Recording":
    """Read and validate a file of recorded replies. Raises `RecordedFileError`, which says what to mend."""
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise RecordedFileError(f"{path}: cannot be read ({error.strerror}); check the path") from error
    quota: QuotaScript | None = None
    replies: list[RecordedReply] = []
    lines = ((number, line) for number, line in enumerate(data.split(b"\n"), 1) if line.strip())
    for position, (number, line) in enumerate(lines):
        where = f"{path}, line {number}"
        fields = _parse(line.removeprefix(b"\xef\xbb\xbf"), where)
        if "quota" not in fields:
            replies.append(_validate(RecordedReply, fields, where))
        elif position == 0:
            quota = _validate(QuotaScript, fields, where)
        else:
            raise RecordedFileError(f"{where}: field 'quota' belongs in the file's first line; move it there")
    if not replies:
        raise RecordedFileError(f'{path}: holds no reply; add at least one line such as {{"content": "hi"}}')
    digest = hashlib.sha256(data).hexdigest()
    return Recording(path=path, digest=digest, quota=quota, replies=tuple(replies))


def _parse(line: bytes, where: str) -> dict[str, Any]:
    try:
        fields = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise RecordedFileError(f"{where}: no JSON ({error}); write one JSON object a line") from error
    if not isinstance(fields, dict):
        raise RecordedFileError(f"{where}: no JSON object; write one JSON object a line")
    return fields


def _validate(shape: type[Parsed], fields: dict[str, Any], where: str) -> Parsed:
    try:
        return shape.model_validate(fields)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            known = ", ".join(shape.model_fields)
            problem = f"field '{field}' is unknown; remove it, or use one of {known}"
        else:
            what = " ".join(first["msg"].removeprefix("Value error, ").replace("Input should", "should").split())
            problem = f"field '{field}' {what}" if field else what
        raise RecordedFileError(f"{where}: {problem}") from error


class RecordedFileError(ValueError):
    """A file that cannot be served: one line that names the file, the line, the field and the remedy."""


class _Line(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    @model_validator(mode="before")
    @classmethod
    def _null_is_absent(cls, fields: object) -> object:
        if not isinstance(fields, dict):
            return fields
        known = cls.model_fields
        return {name: value for name, value in fields.items() if value is not None or name not in known}


class RecordedReply(_Line):
    """One line: the reply, or the scripted failure, to one call.

    `problem_id` (of a path its last component is enough), `sample` (from 0), `stage`, `n` (the ordinal, from 1) and
    `model` say which call it answers, `match` (a regular expression, searched in the last user message) which text.
    `latency` is the time to the last byte, `ttft` to the first token, in seconds. `status`, `headers` and `body`
    (JSON, or text) are sent as they stand. `disconnect_after` cuts the connection after that many characters: of
    reasoning and content in a stream, of the body otherwise.
    """

    problem_id: str | None = None
    sample: Annotated[int, Field(ge=0)] | None = None
    stage: str | None = None
    n: Annotated[int, Field(ge=1)] | None = None
    model: str | None = None
    content: str | None = None
    prompt_tokens: Annotated[int, Field(ge=0)] | None = None
    completion_tokens: Annotated[int, Field(ge=0)] | None = None
    reasoning: str | None = None
    finish_reason: str = "stop"
    latency: Seconds = 0.0
    ttft: Seconds | None = None
    status: Annotated[int, Field(ge=200, le=599)] | None = None
    headers: dict[str, str | int | float] = {}
    body: JsonValue = None
    disconnect_after: Annotated[int, Field(ge=0)] | None = None
    match: re.Pattern[str] | None = None

    @field_validator("headers")
    @classmethod
    def _headers_can_be_sent(cls, headers: dict[str, str | int | float]) -> dict[str, str | int | float]:
        for name, value in headers.items():
            if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name) or not str(value).isprintable():
                raise ValueError(f"has a header that HTTP cannot carry, {name!r}; mend or remove it")
            if not str(value).isascii() or name.lower() in (
                "content-length",
                "transfer-encoding",
                "connection",
            ):
                raise ValueError(f"may not set {name!r} to {value!r}; remove it")
        return headers

    @model_validator(mode="after")
    def _says_what_to_send(self) -> Self:
        if self.content is None and self.status is None:
            raise ValueError("field 'content' is missing; give it, or a 'status' for a scripted failure")
        if self.ttft is not None and self.ttft > self.latency:
            raise ValueError("field 'ttft' is above 'latency'; raise 'latency' or lower 'ttft'")
        return self

    @property
    def fails(self) -> bool:
        """Whether this is a scripted failure, which is served once where a reply answers the same call."""
        return self.disconnect_after is not None or (self.status is not None and self.status >= 400)


class QuotaError(_Line):
    status: Annotated[int, Field(ge=400, le=599)]
    body: JsonValue = None


class QuotaScript(_Line):
    """The first line, if it has `quota`: {"quota": {"model-a": 50}, "provider": "dashscope", "error": {…}}.

    Each model named gives that many replies and from then on the error: by default what the provider sends,
    which is known of dashscope and openai.
    """

    quota: dict[str, Annotated[int, Field(ge=0)]]
    provider: str = "dashscope"
    error: QuotaError | None = None

    @model_validator(mode="after")
    def _has_an_error(self) -> Self:
        if self.error is None and self.provider not in SPENT:
            known = " or ".join(SPENT)
            raise ValueError(f"field 'provider' {self.provider!r} is unknown; use {known}, or give 'error'")
        return self

    @property
    def spent(self) -> QuotaError:
        """What a model answers once its replies are given."""
        return self.error or SPENT[self.provider]


def _spent(status: int, code: str, message: str, **more: str) -> QuotaError:
    error: JsonValue = {"message": message, "type": code, "param": None, "code": code}
    return QuotaError(status=status, body={"error": error, **more})


SPENT = {
    "dashscope": _spent(
        403,
        "AllocationQuota.FreeTierOnly",
        "The free tier of the model has been exhausted.",
        request_id="recorded",
    ),
    "openai": _spent(429, "insufficient_quota", "You exceeded your current quota, check your plan and billing."),
}


class Recording(Record):
    """A file of recorded replies, read. `digest` is the SHA-256 of its bytes."""

    path: Path
    digest: str
    quota: QuotaScript | None = None
    replies: tuple[RecordedReply, ...]

    @property
    def models(self) -> tuple[str, ...]:
        """Every model that the file names, in its order."""
        named = [reply.model for reply in self.replies if reply.model is not None]
        return tuple(dict.fromkeys([*named, *(self.quota.quota if self.quota else ())]))


class CallKey(NamedTuple):
    """What a request says of itself; None where its header is absent."""

    model: str
    problem_id: str | None
    stage: str | None
    ordinal: int | None
    sample: int | None = None


class Chosen(NamedTuple):
    """A record of the file and its position there, from 0."""

    position: int
    reply: RecordedReply


class Replies:
    """Chooses the record that answers a call, and remembers which scripted failures it has given.

    With `model`, only that model's records are there. Raises `RecordedFileError` where that leaves none.
    """

    def __init__(self, recording: Recording, model: str | None = None) -> None:
        self._index: dict[tuple[str | None, str | None], list[Chosen]] = defaultdict(list)
        self._given: set[int] = set()
        for position, reply in enumerate(recording.replies):
            if model is None or reply.model in (None, model):
                self._index[reply.problem_id, reply.stage].append(Chosen(position, reply))
        if not self._index:
            named = ", ".join(recording.models)
            raise RecordedFileError(f"{recording.path}: holds no reply of model '{model}'; it has {named}")
        self._models = {chosen.reply.model for records in self._index.values() for chosen in records}

    def choose(self, key: CallKey, message: str) -> Chosen | None:
        """The record for a call whose last user message is `message`; None where the file has none.

        The scripted failures for the call come first, once each, in the file's order; then the reply that
        names most of the call (problem, stage, `match`, sample, `n`, model, in this order), the first of equals.
        Where there are only failures the last repeats.
        """
        group = [chosen for tier in self._tiers(key, message) for chosen in _of_ordinal(tier, key.ordinal)]
        failures = sorted(chosen for chosen in group if chosen.reply.fails)
        for failure in failures:
            if failure.position not in self._given:
                self._given.add(failure.position)
                return failure
        replies = [chosen for chosen in group if not chosen.reply.fails]
        return replies[0] if replies else failures[-1] if failures else None

    def _tiers(self, key: CallKey, message: str) -> Iterable[list[Chosen]]:
        """The records that fit all but the ordinal, those that name the most first."""
        model = key.model if key.model in self._models else None
        for problem_id, stage in self._keys(key):
            fit = [
                chosen
                for chosen in self._index.get((problem_id, stage), ())
                if model is None or chosen.reply.model in (None, model)
                if key.sample is None or chosen.reply.sample in (None, key.sample)
                if (chosen.reply.match.search(message) if chosen.reply.match else _named(problem_id, stage, key))
            ]
            yield sorted(fit, key=_vague)

    def _keys(self, key: CallKey) -> Iterable[tuple[str | None, str | None]]:
        if key.problem_id is not None and key.stage is not None:
            names = (*_names(key.problem_id), None)
            return [(name, stage) for name in names for stage in (key.stage, None)]
        fit = [
            (problem_id, stage)
            for problem_id, stage in self._index
            if key.problem_id is None or problem_id in (None, *_names(key.problem_id))
            if key.stage is None or stage in (None, key.stage)
        ]
        return sorted(fit, key=lambda names: (names[0] is None, names[1] is None))


def _vague(chosen: Chosen) -> tuple[bool, bool, bool, bool]:
    """What a record does not name of the call; a record that names more comes first."""
    reply = chosen.reply
    return reply.match is None, reply.sample is None, reply.n is None, reply.model is None


def _named(problem_id: str | None, stage: str | None, key: CallKey) -> bool:
    """Whether the call names what the record names: without a header only `match` can tell."""
    return problem_id in (None, *_names(key.problem_id)) and stage in (None, key.stage)


def _names(problem_id: str | None) -> tuple[str, ...]:
    """What a record may call a problem: by its id or, where that is a path, by its last component."""
    return () if problem_id is None else tuple(dict.fromkeys((problem_id, problem_id.rpartition("/")[2])))


def _of_ordinal(tier: list[Chosen], ordinal: int | None) -> list[Chosen]:
    """Those of the ordinal and those of any; past the last ordinal the last, without one the first."""
    ordinals = {chosen.reply.n for chosen in tier if chosen.reply.n is not None}
    if ordinals:
        first, last = min(ordinals), max(ordinals)
        ordinal = first if ordinal is None else min(ordinal, last)
    return [chosen for chosen in tier if chosen.reply.n in (None, ordinal)]

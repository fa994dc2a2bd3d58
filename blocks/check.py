"""Whether saved endpoints can be used: `GET /models` and one completion of one token each, as a table.

No key is printed: messages are cleaned of it, and a server that quotes it is only quoted without.
"""

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import httpx2

from blocks.endpoint import ModelEndpoint
from blocks.errors import BadRequest, CallError, Transient, classify, read_failure

LISTING = 10.0  # seconds that `GET /models` may take
ANSWERING = 60.0  # seconds that the completion may take
AT_ONCE = 16
WINDOWS = ("max_model_len", "context_length", "context_window", "max_context_length")  # vLLM's name first
COLUMNS = ("endpoint", "reachable", "model served", "latency", "context", "error")
NO_RECORDED_REPLY = "no_recorded_reply"  # a recorded server has replies for its own problems only


class Finding(NamedTuple):
    """What was found out about one endpoint; `error` is None where it can be used. Latency in seconds."""

    name: str
    reachable: bool
    served: str | None
    latency: float | None
    context_window: int | None
    error: CallError | None


class Asked(NamedTuple):
    """What came of asking for a completion; without a latency nobody answered."""

    latency: float | None
    served: str | None
    error: CallError | None


class Answer(NamedTuple):
    """An HTTP answer, read to its end."""

    status: int
    headers: Mapping[str, str]
    text: str


async def check(endpoints: Mapping[str, ModelEndpoint]) -> list[Finding]:
    """Check endpoints by name, several at once, in their order."""
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(name: str, endpoint: ModelEndpoint) -> Finding:
        async with slots:
            return await _check(name, endpoint)

    return await asyncio.gather(*(one(name, endpoint) for name, endpoint in endpoints.items()))


def table(findings: Sequence[Finding]) -> str:
    """Return a line an endpoint under a line of headings, then what each error says."""
    rows = [COLUMNS, *(_cells(finding) for finding in findings)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    said = [f"{finding.name}: {finding.error}" for finding in findings if finding.error]
    return "\n".join([*lines, *([""] if said else []), *said])


async def _check(name: str, endpoint: ModelEndpoint) -> Finding:
    async with httpx2.AsyncClient(headers={"Authorization": f"Bearer {endpoint.key}"}) as client:
        listing = await _send(client, endpoint, "GET", "/models", None, LISTING)
        asked = await _complete(client, endpoint)
    window = _window(listing, endpoint.model) if isinstance(listing, Answer) else None
    return Finding(
        name=name,
        reachable=asked.latency is not None or isinstance(listing, Answer),
        served=asked.served,
        latency=asked.latency,
        context_window=window or endpoint.context_window,
        error=asked.error,
    )


async def _complete(client: httpx2.AsyncClient, endpoint: ModelEndpoint) -> Asked:
    """Ask for one token; where the server refuses a field of the question, ask once more with what it wants."""
    body: dict[str, Any] = {
        "model": endpoint.model,
        "messages": [{"role": "user", "content": "Hi"}],
        "max_tokens": 1,
        **endpoint.parameters,
    }
    asked = await _ask(client, endpoint, body)
    said = asked.error.message.removeprefix(_where(endpoint)) if isinstance(asked.error, BadRequest) else ""
    if "stream" in said:
        return await _ask(client, endpoint, {**body, "stream": True})
    if "max_tokens" in said:
        rest = {field: value for field, value in body.items() if field != "max_tokens"}
        return await _ask(client, endpoint, {**rest, "max_completion_tokens": 16})
    return asked


async def _ask(client: httpx2.AsyncClient, endpoint: ModelEndpoint, body: dict[str, Any]) -> Asked:
    begun = time.perf_counter()
    answer = await _send(client, endpoint, "POST", "/chat/completions", body, ANSWERING)
    if isinstance(answer, CallError):
        return Asked(None, None, answer)
    latency = time.perf_counter() - begun
    completion = _completion(answer.text) if answer.status < 400 else None
    if completion is not None:
        return Asked(latency, str(completion.get("model") or endpoint.model), None)
    failure = read_failure(answer.text)
    if failure.code == NO_RECORDED_REPLY:
        return Asked(latency, f"{endpoint.model} (recorded)", None)
    where = _where(endpoint)
    if answer.status < 400 and not (failure.code or failure.type):
        said = failure.message[:200] or "nothing"
        return Asked(latency, None, Transient(f"{where} answered {answer.status} with no completion: {said}"))
    status = answer.status if answer.status >= 400 else None  # an error in an answer that began with 200
    error = classify(endpoint.spoken_provider, status, answer.headers, answer.text, endpoint=where)
    return Asked(latency, None, error)


def _completion(text: str) -> dict[str, Any] | None:
    """Return the completion that an answer is, or the first chunk of its stream; None where it is none."""
    events = [line.removeprefix("data:") for line in text.splitlines() if line.startswith("data:")]
    for document in events or [text]:
        try:
            parsed = json.loads(document)
        except (ValueError, RecursionError):
            continue
        if isinstance(parsed, dict) and parsed.get("choices") and not parsed.get("error"):
            return parsed
    return None


async def _send(
    client: httpx2.AsyncClient, endpoint: ModelEndpoint, method: str, path: str, body: object, patience: float
) -> Answer | CallError:
    """Send one request and read its answer to the end, within `patience` and the endpoint's timeout (seconds)."""
    url = f"{endpoint.base_url}{path}"
    try:
        async with asyncio.timeout(min(patience, endpoint.timeout)):
            answer = await client.request(method, url, json=body, timeout=None)
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as problem:
        said = _clean(endpoint, str(problem) or type(problem).__name__)
        return Transient(f"{endpoint.base_url} does not answer: {said}")
    return Answer(answer.status_code, dict(answer.headers), _clean(endpoint, answer.text))


def _window(listing: Answer, model: str) -> int | None:
    """Return the context window that `GET /models` says a model has."""
    try:
        rows = json.loads(listing.text)["data"]
    except (ValueError, RecursionError, KeyError, TypeError):
        return None
    own = [row for row in rows if isinstance(row, dict) and row.get("id") == model] if isinstance(rows, list) else []
    said = [row[field] for row in own for field in WINDOWS if isinstance(row.get(field), int)]
    return said[0] if said else None


def _cells(finding: Finding) -> tuple[str, ...]:
    return (
        finding.name,
        "yes" if finding.reachable else "no",
        finding.served or "-",
        "-" if finding.latency is None else f"{finding.latency:.2f} s",
        _or_dash(finding.context_window),
        finding.error.kind if finding.error else "-",
    )


def _or_dash(value: object) -> str:
    return "-" if value is None else str(value)


def _where(endpoint: ModelEndpoint) -> str:
    return f"{endpoint.model} at {endpoint.host}"


def _clean(endpoint: ModelEndpoint, text: str) -> str:
    """Take the endpoint's key out of a text, also as some write it in JSON."""
    secret = endpoint.api_key.get_secret_value() if endpoint.api_key else ""
    if len(secret) <= 5:  # not a key but a word such as EMPTY
        return text
    return text.replace(secret, "***").replace(secret.replace("/", "\\/"), "***")

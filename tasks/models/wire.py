"""How a recorded reply goes over the wire: its pace, a stream's events or one document, and where it is cut."""

import asyncio
import sys
from collections.abc import Mapping
from itertools import groupby
from typing import NamedTuple

import orjson
from pydantic import JsonValue
from starlette.types import Receive, Scope, Send

from tasks.models.recording import RecordedReply

TTFT_SHARE = 0.1  # of the latency, where a record gives no ttft
SECONDS_A_PIECE = 0.05
MOST_PIECES = 64
Fields = dict[str, JsonValue]


class Settings(NamedTuple):
    """What stands in for the records' own timing, None where theirs holds; and the key to ask for."""

    latency: float | None
    ttft: float | None
    pieces: int | None
    api_key: str | None


class Frame(NamedTuple):
    """Bytes to send, and when, in seconds after the request."""

    at: float
    data: bytes


class Answer(NamedTuple):
    """What goes over the wire. `cut` ends it by closing the connection in the middle."""

    status: int
    headers: Mapping[str, str]
    frames: tuple[Frame, ...]
    cut: bool = False


class Pace(NamedTuple):
    """Seconds to the first and to the last byte of text, and the number of pieces it comes in."""

    ttft: float
    latency: float
    pieces: int


def pace(reply: RecordedReply, settings: Settings) -> Pace:
    """The pace of a reply: the record's own, but for what the settings say."""
    latency = reply.latency if settings.latency is None else settings.latency
    ttft = latency * TTFT_SHARE if reply.ttft is None else min(reply.ttft, latency)
    if settings.ttft is not None:
        ttft, latency = settings.ttft, max(settings.ttft, latency)
    usual = max(1, min(MOST_PIECES, round(latency / SECONDS_A_PIECE))) if latency else 2
    return Pace(ttft, latency, settings.pieces or usual)


def frames(reply: RecordedReply, about: Fields, pace: Pace, with_usage: bool) -> tuple[Frame, ...]:
    """A stream's events, from ttft to latency; what is due at one time goes out in one write."""

    def event(delta: Fields, finish_reason: str | None = None) -> bytes:
        choice: JsonValue = {"index": 0, "delta": delta, "finish_reason": finish_reason}
        return _event({**about, "object": "chat.completion.chunk", "choices": [choice]})

    pieces = [("reasoning_content", piece) for piece in _split(reply.reasoning or "", pace.pieces)]
    pieces += [("content", piece) for piece in _split(reply.content or "", pace.pieces)]
    events = [(pace.ttft, event({"role": "assistant", "content": ""}))]
    left = sys.maxsize if reply.disconnect_after is None else reply.disconnect_after
    for step, (kind, piece) in enumerate(pieces):
        share = step / max(1, len(pieces) - 1)
        if left > 0:
            events.append((pace.ttft * (1 - share) + pace.latency * share, event({kind: piece[:left]})))
        left -= len(piece)
    if reply.disconnect_after is None:
        events.append((pace.latency, event({}, reply.finish_reason)))
        if with_usage and (usage := _usage(reply)):
            chunk: Fields = {"object": "chat.completion.chunk", "choices": [], "usage": usage}
            events.append((pace.latency, _event({**about, **chunk})))
        events.append((pace.latency, b"data: [DONE]\n\n"))
    together = groupby(events, key=lambda due: due[0])
    return tuple(Frame(at, b"".join(data for _, data in due)) for at, due in together)


def _event(chunk: Fields) -> bytes:
    return b"data: " + orjson.dumps(chunk) + b"\n\n"


def _split(text: str, pieces: int) -> list[str]:
    count = min(pieces, len(text))
    return [text[len(text) * i // count : len(text) * (i + 1) // count] for i in range(count)]


def _usage(reply: RecordedReply) -> Fields | None:
    prompt, completion = reply.prompt_tokens, reply.completion_tokens
    if prompt is None or completion is None:
        return None
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def whole(reply: RecordedReply, about: Fields) -> Fields:
    """The reply as one chat completion."""
    message: Fields = {"role": "assistant", "content": reply.content or ""}
    if reply.reasoning:
        message["reasoning_content"] = reply.reasoning
    choice: JsonValue = {"index": 0, "message": message, "finish_reason": reply.finish_reason}
    whole: Fields = {**about, "object": "chat.completion", "choices": [choice]}
    usage = _usage(reply)
    return {**whole, "usage": usage} if usage else whole


def document(status: int, body: JsonValue, at: float = 0.0) -> Answer:
    """A whole answer at once: text as it stands, anything else as JSON."""
    kind = "text/plain; charset=utf-8" if isinstance(body, str) else "application/json"
    data = body.encode() if isinstance(body, str) else orjson.dumps(body)
    return Answer(status, {"content-type": kind, "content-length": str(len(data))}, (Frame(at, data),))


def cut_short(answer: Answer, characters: int | None) -> Answer:
    if characters is None:
        return answer
    ((at, data),) = answer.frames
    return answer._replace(frames=(Frame(at, data[: min(characters, len(data) - 1)]),), cut=True)


async def send(answer: Answer, begun: float, scope: Scope, receive: Receive, send: Send) -> None:
    """The answer as an ASGI response, by hand: Starlette's own have no way to stop in the middle."""
    loop = asyncio.get_running_loop()
    headers = [(name.encode(), value.encode()) for name, value in answer.headers.items()]
    last = len(answer.frames) - 1
    for number, (at, data) in enumerate(answer.frames):
        wait = begun + at - loop.time() if at else 0.0
        if wait > 0:
            await asyncio.sleep(wait)
        if number == 0:
            await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        # A response that its application leaves unfinished makes uvicorn close the connection.
        await send({"type": "http.response.body", "body": data, "more_body": answer.cut or number < last})

"""The recorded-reply server: a file of replies behind the OpenAI protocol, over real HTTP on loopback.

    python -m tasks.models.recorded FILE --port 9000

`GET /v1/models` names the file's models, owned by `consort-recorded`. `POST /v1/chat/completions` answers
from the file (its format: tasks/models/recording.py), streaming or not. Which reply: by the headers of
`key_headers`; 404 where the file has none. `GET /stats` counts what was given, by requested model, over all
clients: a reply from the moment it is accepted for serving, so that one which nobody read to its end counts
as paid for; every other answer to a completion is an error.
"""

import asyncio
import contextlib
import secrets
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from functools import partial
from pathlib import Path
from urllib.parse import quote, unquote

import cyclopts
from pydantic import BaseModel, JsonValue, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Route
from starlette.types import ASGIApp

from blocks.records import Record
from tasks.models.loopback import listen, running
from tasks.models.recording import CallKey, Chosen, Recording, Replies, load
from tasks.models.wire import Answer, Fields, Frame, Settings, cut_short, document, frames, pace, send, whole

OWNER = "consort-recorded"
PROBLEM, STAGE, ORDINAL = "X-Consort-Problem", "X-Consort-Stage", "X-Consort-Ordinal"
SAMPLE = "X-Consort-Sample"


@contextlib.asynccontextmanager
async def serve(
    recording: Recording,
    *,
    model: str | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
    latency: float | None = None,
    ttft: float | None = None,
    pieces: int | None = None,
    api_key: str | None = None,
) -> AsyncIterator["RecordedServer"]:
    """Serve a recording in the running event loop; on exit streams in flight are cut.

    With `model`, that model's replies only. `latency` and `ttft` (seconds) stand in for every record's;
    `pieces` is how many chunks a reply's text comes in. Port 0 takes a free one. With `api_key`, a request
    without it gets a 401 that repeats what it sent. Raises ValueError on a setting that cannot be,
    RecordedFileError where the file has nothing of `model`, OSError where the port is taken.
    """
    settings = Settings(latency=latency, ttft=ttft, pieces=pieces, api_key=api_key)
    if (latency or 0) < 0 or (ttft or 0) < 0 or (pieces is not None and pieces < 1):
        raise ValueError("latency and ttft are seconds, 0 or more; pieces is a count, 1 or more")
    if latency is not None and ttft is not None and ttft > latency:
        raise ValueError("ttft is above latency; raise latency or lower ttft")
    server = RecordedServer(recording, model, settings)
    with listen(host, port) as listener:
        server.url = f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}/v1"
        async with running(application(server), listener):
            yield server


def application(server: "RecordedServer") -> Starlette:
    """The server's ASGI application."""
    return Starlette(
        routes=[
            Route("/v1/chat/completions", partial(_complete, server), methods=["POST"]),
            Route("/v1/models", partial(_models, server)),
            Route("/stats", partial(_stats, server)),
        ]
    )


def key_headers(problem_id: str, stage: str, ordinal: int, sample: int = 0) -> dict[str, str]:
    """The headers that say which call this is. Percent-encoded: an id may hold what HTTP cannot carry."""
    return {PROBLEM: quote(problem_id), SAMPLE: str(sample), STAGE: quote(stage), ORDINAL: str(ordinal)}


class Stats(Record):
    """Answers to completions so far, by requested model ("" where a request was not understood)."""

    replies: dict[str, int]
    errors: dict[str, int]
    total_replies: int
    total_errors: int


class RecordedServer:
    """A server that is listening: where, and what it has given."""

    def __init__(self, recording: Recording, model: str | None, settings: Settings) -> None:
        self.recording = recording
        self.url = ""
        self.settings = settings
        self.models = ((model,) if model else recording.models) or ("recorded",)
        self.replies = Replies(recording, model)
        self.given: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self.frames: dict[tuple[int, str, bool], tuple[Frame, ...]] = {}
        self.created = int(time.time())
        self._nonce = secrets.token_hex(4)

    @property
    def stats(self) -> Stats:
        replies, errors = self.given.total(), self.errors.total()
        return Stats(replies=dict(self.given), errors=dict(self.errors), total_replies=replies, total_errors=errors)

    def request_id(self) -> str:
        return f"recorded-{self._nonce}-{self.given.total() + self.errors.total()}"


class ChatMessage(BaseModel):
    role: str
    content: str | list[Fields] | None = None


class StreamOptions(BaseModel):
    include_usage: bool | None = None


class ChatRequest(BaseModel):
    """What of a completion's body decides the answer; its other fields are let pass."""

    model: str
    messages: list[ChatMessage]
    stream: bool | None = None
    stream_options: StreamOptions | None = None


async def _complete(server: RecordedServer, http: Request) -> ASGIApp:
    begun = asyncio.get_running_loop().time()
    answer = _answer(server, await http.body(), http.headers)
    answer = answer._replace(headers={"x-request-id": server.request_id(), **answer.headers})
    return partial(send, answer, begun)


def _answer(server: RecordedServer, body: bytes, headers: Mapping[str, str]) -> Answer:
    """Decide what a completion is answered, and count it."""
    try:
        asked = ChatRequest.model_validate_json(body)
        key = _key(asked.model, headers)
    except ValueError as error:
        server.errors[""] += 1
        return _error(400, "invalid_request_error", _one_line(error))
    refusal = _denied(server, headers) or _spent(server, asked.model)
    chosen = None if refusal else server.replies.choose(key, _last_user_message(asked))
    counts = server.given if chosen and not chosen.reply.fails else server.errors
    counts[asked.model] += 1
    if chosen:
        return _recorded(server, asked, chosen)
    return refusal or _error(404, "no_recorded_reply", _unanswered(server, key))


def _key(model: str, headers: Mapping[str, str]) -> CallKey:
    return CallKey(
        model=model,
        problem_id=unquote(headers.get(PROBLEM, "")) or None,
        stage=unquote(headers.get(STAGE, "")) or None,
        ordinal=_number(headers, ORDINAL, 1),
        sample=_number(headers, SAMPLE, 0),
    )


def _number(headers: Mapping[str, str], name: str, first: int) -> int | None:
    said = headers.get(name, "")
    if said and (not said.isdecimal() or int(said) < first):
        raise ValueError(f"header {name} is '{said}'; send a number from {first}")
    return int(said) if said else None


def _one_line(error: ValueError) -> str:
    if not isinstance(error, ValidationError):
        return str(error)
    first = error.errors(include_url=False)[0]
    return f"body {'.'.join(str(part) for part in first['loc'])}: {first['msg']}"


def _error(status: int, code: str, message: str) -> Answer:
    return document(status, {"error": {"message": message, "type": code, "param": None, "code": code}})


def _denied(server: RecordedServer, headers: Mapping[str, str]) -> Answer | None:
    received = headers.get("authorization", "")
    if server.settings.api_key is None or received == f"Bearer {server.settings.api_key}":
        return None
    return _error(401, "invalid_api_key", f"Incorrect API key provided: {received}")


def _spent(server: RecordedServer, model: str) -> Answer | None:
    """The provider's error, where the quota script gives the model no more replies."""
    script = server.recording.quota
    if script is None or server.given[model] < script.quota.get(model, sys.maxsize):
        return None
    return document(script.spent.status, script.spent.body)


def _last_user_message(asked: ChatRequest) -> str:
    content = next((said.content for said in reversed(asked.messages) if said.role == "user"), None)
    if isinstance(content, list):
        return "\n".join(str(part.get("text", "")) for part in content)
    return content or ""


def _unanswered(server: RecordedServer, key: CallKey) -> str:
    named = f"problem {key.problem_id!r}, stage {key.stage!r}, ordinal {key.ordinal}, model {key.model!r}"
    hint = "" if key.problem_id and key.stage else f"; send {PROBLEM} and {STAGE}, or give a record a 'match'"
    return f"{server.recording.path.name} has no reply for {named}{hint}"


def _recorded(server: RecordedServer, asked: ChatRequest, chosen: Chosen) -> Answer:
    """The chosen record as it goes over the wire."""
    position, reply = chosen
    paced, status = pace(reply, server.settings), reply.status or 200
    name = f"chatcmpl-recorded-{position + 1}"
    about: Fields = {"id": name, "created": server.created, "model": reply.model or asked.model}
    if status >= 400 or reply.body is not None:
        usual: JsonValue = {"error": {"message": f"recorded failure, status {status}"}}
        answer = document(status, usual if reply.body is None else reply.body, paced.latency)
        answer = cut_short(answer, reply.disconnect_after)
    elif asked.stream:
        usage = bool(asked.stream_options and asked.stream_options.include_usage)
        cached = (position, asked.model, usage)
        if cached not in server.frames:
            server.frames[cached] = frames(reply, about, paced, usage)
        kind = {"content-type": "text/event-stream"}
        answer = Answer(status, kind, server.frames[cached], cut=reply.disconnect_after is not None)
    else:
        answer = document(status, whole(reply, about), paced.latency)
        answer = cut_short(answer, reply.disconnect_after)
    own = {name.lower(): str(value) for name, value in reply.headers.items()}
    return answer._replace(headers={**answer.headers, **own})


async def _models(server: RecordedServer, http: Request) -> ASGIApp:
    rows: JsonValue = [
        {"id": model, "object": "model", "created": server.created, "owned_by": OWNER} for model in server.models
    ]
    return partial(send, _denied(server, http.headers) or document(200, {"object": "list", "data": rows}), 0.0)


async def _stats(server: RecordedServer, http: Request) -> ASGIApp:
    return partial(send, document(200, server.stats.model_dump()), 0.0)


def main(
    file: Path,
    /,
    *,
    port: int = 9000,
    model: str | None = None,
    latency: float | None = None,
    ttft: float | None = None,
    pieces: int | None = None,
    api_key: str | None = None,
) -> None:
    """Serve a file of recorded replies on 127.0.0.1 until interrupted.

    Args:
        file: JSONL, one reply a line.
        port: 0 takes a free one.
        model: serve this model's replies only.
        latency: seconds to the end of every reply, whatever the file says.
        ttft: seconds to the first token of every reply, whatever the file says.
        pieces: chunks per streamed reply; by default one per 50 ms of latency.
        api_key: refuse requests without this key.
    """
    settings = Settings(latency, ttft, pieces, api_key)
    asyncio.run(_serve_until_stopped(load(file), model, port, settings))


async def _serve_until_stopped(recording: Recording, model: str | None, port: int, settings: Settings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with serve(recording, model=model, port=port, **settings._asdict()) as server:
        count, name = len(recording.replies), recording.path.name
        print(f"{count} recorded replies of {name} at {server.url}", flush=True)
        await stop.wait()


def command(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit code. A bad file, port or flag is one line on stderr and 2."""
    app = cyclopts.App(name="python -m tasks.models.recorded", default_command=main)
    try:
        app(arguments, exit_on_error=False, print_error=False, result_action="return_value")
    except (cyclopts.CycloptsError, ValueError, OSError) as error:
        print(" ".join(str(error).split()), file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(command())

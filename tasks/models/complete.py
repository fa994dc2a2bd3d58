"""One model call: one request, one reply, streamed where the server can, retried while the trouble is short."""

import asyncio
import json
import time
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import httpx2
import openai
import tenacity

from blocks.endpoint import ModelEndpoint
from blocks.errors import (
    AuthFailed,
    BadRequest,
    CallError,
    QuotaExhausted,
    RateLimited,
    Transient,
    classify,
)
from blocks.records import Reply, Request
from tasks.models.pricing import price_of
from tasks.models.recorded import OWNER, key_headers


PATIENCE = 180.0  # seconds of rate limiting after which a call is given up
LONG_WAIT = 120.0  # a Retry-After above this many seconds means that the quota is spent

OnText = Callable[[str | None], None]


class OpenEndpoint:
    """A ModelEndpoint with its HTTP client open, and what has been learned of its server; to be closed."""

    def __init__(self, name: str, block: ModelEndpoint, *, recorded: bool = False) -> None:
        self.name = name
        self.block = block
        self.recorded = recorded
        self.client = block.client()
        self.limit = asyncio.Semaphore(block.max_concurrency) if block.max_concurrency else nullcontext()
        self.streams = True
        self.streams_usage = True
        self.refused: AuthFailed | None = None

    async def models(self) -> list[str]:
        """Ask `GET /models`; raises Transient where nobody answers. Any HTTP answer is an answer."""
        try:
            async with self.client.models.with_streaming_response.list(timeout=10.0) as response:
                listed = json.loads(await response.read())
        except openai.APIStatusError:
            return []
        except (openai.APIConnectionError, httpx2.HTTPError, OSError) as problem:
            raise Transient(f"{self.block.base_url} does not answer: {self.clean(problem)}") from None
        except ValueError:
            return []
        models = listed.get("data") if isinstance(listed, dict) else None
        rows = [row for row in models or [] if isinstance(row, dict)]
        self.recorded = self.recorded or any(row.get("owned_by") == OWNER for row in rows)
        return [str(row.get("id")) for row in rows]

    def clean(self, said: object) -> str:
        """Return a text without this endpoint's key, and an exception as its type and text."""
        text = f"{type(said).__name__}: {said}" if isinstance(said, Exception) else str(said)
        secret = self.block.api_key.get_secret_value() if self.block.api_key else ""
        return text.replace(secret, "***") if len(secret) > 5 else text

    async def close(self) -> None:
        await self.client.close()


async def complete(endpoint: OpenEndpoint, request: Request, on_text: OnText | None = None) -> Reply:
    """Return the reply to `request`; `on_text` hears its pieces, and None when a retry starts over.

    Rate limits, server errors and dropped connections are retried here, honouring Retry-After; what is left
    raises a CallError of the class that says what it means (blocks/errors.py).
    """
    if endpoint.refused:
        raise endpoint.refused
    tries = tenacity.AsyncRetrying(
        retry=tenacity.retry_if_exception_type((RateLimited, Transient)),
        wait=_wait,
        stop=_out_of_patience(endpoint.block.tries),
        before_sleep=lambda _: on_text(None) if on_text else None,
        reraise=True,
    )
    async for attempt in tries:
        with attempt:
            async with endpoint.limit:
                return await _request(endpoint, request, on_text)
    raise AssertionError("tenacity either returns or raises")


async def _request(endpoint: OpenEndpoint, request: Request, on_text: OnText | None) -> Reply:
    """Send one request; where the server refuses streaming, send it again without, and remember."""
    problem: CallError | None = None
    try:
        reading = _Reading(on_text)
        async with endpoint.client.chat.completions.with_streaming_response.create(
            **_body(endpoint, request)
        ) as response:
            if endpoint.streams and "text/event-stream" in response.headers.get("content-type", ""):
                await reading.stream(response.iter_lines())
            else:
                reading.whole(await response.read())
            request_id = response.headers.get("x-request-id")
    except openai.APIStatusError as failed:
        problem = _problem(endpoint, failed.status_code, dict(failed.response.headers), failed.response.content)
    except _StreamError as failed:
        problem = _problem(endpoint, failed.status, {}, failed.body)
    except (openai.APIConnectionError, httpx2.HTTPError, OSError, _CutOff) as failed:
        problem = Transient(f"{endpoint.block.base_url}: {endpoint.clean(failed)}")
    # Raised outside the except clause: the client's own exception may quote the key.
    if problem is None:
        return reading.reply(endpoint, request_id)
    if isinstance(problem, BadRequest) and _give_up_streaming(endpoint, problem):
        return await _request(endpoint, request, on_text)
    raise problem


def _body(endpoint: OpenEndpoint, request: Request) -> dict[str, Any]:
    body: dict[str, Any] = {
        "model": endpoint.block.model,
        "messages": [message.model_dump() for message in request.messages],
        "stream": endpoint.streams,
        "extra_body": endpoint.block.parameters or None,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "max_tokens": request.max_tokens,
    }
    if endpoint.streams and endpoint.streams_usage:
        body["stream_options"] = {"include_usage": True}
    if endpoint.recorded:
        body["extra_headers"] = key_headers(request.problem_id, request.stage, request.ordinal)
    return {name: value for name, value in body.items() if value is not None}


def _problem(endpoint: OpenEndpoint, status: int, headers: dict[str, str], body: object) -> CallError:
    text = body.decode(errors="replace") if isinstance(body, bytes) else body
    if isinstance(text, str):
        text = endpoint.clean(text)
    name = f"{endpoint.block.model} at {endpoint.block.host}"
    problem = classify(endpoint.block.spoken_provider, status, headers, text, endpoint=name)
    if isinstance(problem, AuthFailed):
        endpoint.refused = problem
    if isinstance(problem, RateLimited) and (problem.retry_after or 0) > LONG_WAIT:
        return QuotaExhausted(problem.message, status=status, code=problem.code, retry_after=problem.retry_after)
    return problem


def _give_up_streaming(endpoint: OpenEndpoint, problem: BadRequest) -> bool:
    """Note what the server refused; False where the request was refused for something else."""
    if "stream" not in problem.message:
        return False
    if endpoint.streams_usage and endpoint.streams:
        endpoint.streams_usage = False
        return True
    if endpoint.streams:
        endpoint.streams = False
        return True
    return False


class _CutOff(Exception):
    """The stream ended before its end."""


class _StreamError(Exception):
    """An error object in the middle of a stream that began with 200."""

    def __init__(self, body: object) -> None:
        super().__init__()
        self.body = body
        fields = body.get("error") if isinstance(body, dict) else None
        code = fields.get("code") if isinstance(fields, dict) else None
        self.status = code if isinstance(code, int) and 400 <= code < 600 else 500


class _Reading:
    """Puts a reply together from a stream's chunks, or from one whole answer.

    The chunks are read as plain JSON: building the client's typed objects costs about four times as much, and a
    server may send one chunk a token.
    """

    def __init__(self, on_text: OnText | None) -> None:
        self.on_text = on_text
        self.started = time.perf_counter()
        self.first: float | None = None
        self.text: list[str] = []
        self.reasoning: list[str] = []
        self.finish_reason: str | None = None
        self.usage: dict[str, Any] = {}
        self.model: str | None = None

    async def stream(self, lines: Any) -> None:
        async for line in lines:
            if not line.startswith("data:"):
                continue  # comments such as `: keep-alive`, and empty lines
            data = line[5:].strip()
            if data == "[DONE]":
                return
            try:
                chunk = json.loads(data)
            except ValueError:
                raise _CutOff("a chunk of the stream is not JSON") from None
            if not isinstance(chunk, dict) or chunk.get("error"):
                raise _StreamError(chunk)
            self._take(chunk, "delta")
        if self.finish_reason is None:
            raise _CutOff("the stream was cut before its end")

    def whole(self, content: bytes) -> None:
        try:
            answer = json.loads(content)
        except ValueError:
            raise _CutOff("the answer is not JSON" if content else "the answer is empty") from None
        if not isinstance(answer, dict) or answer.get("error") or not answer.get("choices"):
            raise _StreamError(answer)
        self._take(answer, "message")

    def _take(self, chunk: dict[str, Any], field: str) -> None:
        self.model = chunk.get("model") or self.model
        self.usage = chunk.get("usage") or self.usage
        for choice in chunk.get("choices") or ():
            delta = choice.get(field) or {}
            reasoning = delta.get("reasoning_content") or delta.get("reasoning")
            text = delta.get("content")
            if (text or reasoning) and self.first is None:
                self.first = time.perf_counter()
            if reasoning:
                self.reasoning.append(reasoning)
            if text:
                self.text.append(text)
                if self.on_text:
                    self.on_text(text)
            self.finish_reason = choice.get("finish_reason") or self.finish_reason

    def reply(self, endpoint: OpenEndpoint, request_id: str | None) -> Reply:
        ended = time.perf_counter()
        text = "".join(self.text)
        model = self.model or endpoint.block.model
        prompt_tokens = self.usage.get("prompt_tokens")
        completion_tokens = self.usage.get("completion_tokens")
        cached = (self.usage.get("prompt_tokens_details") or {}).get("cached_tokens")
        price = price_of(endpoint.block, model, prompt_tokens, completion_tokens, cached)
        return Reply(
            text=text,
            reasoning="".join(self.reasoning) or text.rpartition("</think>")[0].removeprefix("<think>").strip(),
            prompt_tokens=prompt_tokens,
            completion_tokens=completion_tokens,
            reasoning_tokens=(self.usage.get("completion_tokens_details") or {}).get("reasoning_tokens"),
            cached_prompt_tokens=cached,
            ttft=None if self.first is None else self.first - self.started,
            seconds=ended - self.started,
            finish_reason=self.finish_reason,
            model=model,
            endpoint=endpoint.name,
            request_id=request_id,
            recorded=endpoint.recorded,
            cost=price.cost,
            currency=price.currency,
            price_source=price.source,
        )


_backoff = tenacity.wait_random_exponential(multiplier=0.5, max=30)


def _wait(state: tenacity.RetryCallState) -> float:
    problem = state.outcome.exception() if state.outcome else None
    said = problem.retry_after if isinstance(problem, CallError) else None
    return said if said is not None else max(0.2, _backoff(state))


def _out_of_patience(tries: int) -> Callable[[tenacity.RetryCallState], bool]:
    def stop(state: tenacity.RetryCallState) -> bool:
        problem = state.outcome.exception() if state.outcome else None
        if isinstance(problem, RateLimited):
            return (state.seconds_since_start or 0.0) > PATIENCE
        return state.attempt_number >= tries

    return stop

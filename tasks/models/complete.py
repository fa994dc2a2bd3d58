"""One model call: one request, one reply, streamed where the server can, retried while the trouble is short."""

import asyncio
import contextlib
import copy
import json
import logging
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import httpx2
import tenacity

from blocks.endpoint import ModelEndpoint
from blocks.errors import (
    AuthFailed,
    BadRequest,
    CallError,
    QuotaExhausted,
    RateLimited,
    Throttled,
    Transient,
    classify,
)
from blocks.records import Reply, Request
from tasks.models.interruption import INTERRUPTION, to_its_end
from tasks.models.limits import Adaptive, Rates
from tasks.models.pricing import price_of
from tasks.models.reading import CutOff, ErrorInside, OnText, Reading, joined
from tasks.models.recorded import OWNER, key_headers

logger = logging.getLogger("consort")

TELLING = 10.0  # seconds between two warnings about one server
PATIENCE = 180.0  # seconds of rate limiting at one call in flight after which the quota must be spent
MOST_REFUSALS = 20  # of one request, over PATIENCE: the others get through, so it is too large
LONG_WAIT = 120.0  # a Retry-After above this many seconds means that the quota is spent
THROTTLED_FOR = 3600.0  # seconds until one that is throttled is looked at again


class Way(NamedTuple):
    """How a server is asked for a reply: in a stream or whole, and for the usage at the end of a stream."""

    streams: bool
    usage: bool


WAYS = (Way(streams=True, usage=True), Way(streams=True, usage=False), Way(streams=False, usage=False))


class SetAside(Exception):
    """The endpoint was set aside before the request could be sent, or sent again."""


class OpenEndpoint:
    """A ModelEndpoint with its HTTP client open, and what has been learned of its server; to be closed.

    While `aside` is set nothing is sent, and whoever waits to send is sent away with SetAside. `ended` hears how each
    request ended: None is a reply.
    """

    def __init__(self, name: str, block: ModelEndpoint, *, recorded: bool = False) -> None:
        self.name = name
        self.block = block
        self.recorded = recorded
        self.client = block.client()
        self.limit = Adaptive(block.max_concurrency)
        self.rates = Rates(block)
        self.patience = PATIENCE
        self.aside = asyncio.Event()
        self.ended: Callable[[CallError | None], None] | None = None
        self.way = 0  # of WAYS: what comes before it, the server has refused
        self.refused: AuthFailed | None = None
        self.listing = 200  # the status of `GET /models`
        self._told = 0.0

    @property
    def where(self) -> str:
        """Model and host, as messages name them."""
        return f"{self.block.model} at {self.block.host}"

    async def models(self) -> list[str]:
        """Ask `GET /models`; raises Transient where nobody answers. Any HTTP answer is an answer."""
        import openai  # takes a second, which a usage error need not

        try:
            async with self.client.models.with_streaming_response.list(timeout=10.0) as response:
                self.listing = response.status_code
                listed = json.loads(await response.read())
        except openai.APIStatusError as refused:
            self.listing = refused.status_code
            return []
        except (openai.APIConnectionError, httpx2.HTTPError, OSError) as problem:
            raise Transient(f"{self.block.base_url} does not answer: {self.clean(problem)}") from None
        except ValueError:
            return []
        models = listed.get("data") if isinstance(listed, dict) else None
        rows = [row for row in models if isinstance(row, dict)] if isinstance(models, list) else []
        self.recorded = self.recorded or any(row.get("owned_by") == OWNER for row in rows)
        return [str(row.get("id")) for row in rows]

    def clean(self, said: object) -> str:
        """Return a text without this endpoint's key, and an exception as its type and text."""
        if isinstance(said, Exception):
            cause = said.__cause__ or said  # the client calls whatever kept it from connecting a timeout
            said = str(cause) or type(cause).__name__
        text = str(said)
        secret = self.block.api_key.get_secret_value() if self.block.api_key else ""
        if len(secret) <= 5:  # not a key but a word such as EMPTY
            return text
        return text.replace(secret, "***").replace(secret.replace("/", "\\/"), "***")  # as some write it in JSON

    def tell(self, problem: BaseException | None, pause: float) -> None:
        """Say that the server gives trouble, now and then: many calls meet it at once."""
        if time.monotonic() - self._told > TELLING:
            self._told = time.monotonic()
            logger.warning("%s; calls are tried again (this one in %.1f s)", problem, pause)

    async def pause(self, seconds: float) -> None:
        """Wait, unless the endpoint is set aside."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.aside.wait(), seconds)

    def set_aside(self) -> None:
        """Send nothing any more, and send away whoever waits for that."""
        self.aside.set()
        self.limit.dismiss()

    async def close(self) -> None:
        self.rates.close()
        await self.client.close()


async def complete(
    endpoint: OpenEndpoint,
    request: Request,
    on_text: OnText | None = None,
    *,
    elsewhere: Callable[[], bool] | None = None,
) -> Reply:
    """Return the reply to `request`; `on_text` hears its pieces, and None when a retry starts over.

    Rate limits, server errors and dropped connections are retried here, honouring Retry-After, unless the request had
    better go `elsewhere`; what is left raises a CallError of the class that says what it means (blocks/errors.py), or
    SetAside.
    """

    def again(state: tenacity.RetryCallState) -> None:
        endpoint.tell(state.outcome.exception() if state.outcome else None, state.upcoming_sleep)
        if on_text:
            on_text(None)

    tries = tenacity.AsyncRetrying(
        retry=tenacity.retry_if_exception_type((RateLimited, Transient)),
        wait=_wait,
        stop=_out_of_patience(endpoint, elsewhere),
        sleep=endpoint.pause,
        before_sleep=again,
        reraise=True,
    )
    try:
        async for attempt in tries:
            with attempt:
                return await ask(endpoint, request, on_text)
    except RateLimited as limited:
        if endpoint.limit.starved() > endpoint.patience:
            raise _throttled(endpoint, limited) from None
        raise
    raise AssertionError("tenacity either returns or raises")


async def ask(endpoint: OpenEndpoint, request: Request, on_text: OnText | None = None) -> Reply:
    """Send a request once, when it is its turn; raises CallError, or SetAside."""
    if endpoint.aside.is_set() or not await endpoint.limit.enter():
        raise SetAside
    try:
        expected = await _take(endpoint, request)
        sent_at = asyncio.get_running_loop().time()
        ended: Reply | CallError | None = None
        try:
            if endpoint.aside.is_set():
                raise SetAside
            if INTERRUPTION.wanted:
                raise asyncio.CancelledError
            if endpoint.refused:
                raise copy.copy(endpoint.refused)
            ended = await to_its_end(_request(endpoint, request, on_text))
        finally:
            endpoint.rates.settle(request, expected, ended if isinstance(ended, Reply) else None)
        if isinstance(ended, RateLimited):
            endpoint.limit.refused(sent_at, ended.retry_after)
        if endpoint.ended:
            endpoint.ended(None if isinstance(ended, Reply) else ended)
        if isinstance(ended, CallError):
            raise ended
        return ended
    finally:
        endpoint.limit.leave()


async def look(endpoint: OpenEndpoint, request: Request) -> CallError | None:
    """Send a request whatever the limits and marks say; return what went wrong."""
    answer = await _request(endpoint, request, None)
    return answer if isinstance(answer, CallError) else None


async def _take(endpoint: OpenEndpoint, request: Request) -> float:
    """Wait for the endpoint's rates, or until it is set aside; return the tokens that were taken."""
    if endpoint.block.rpm is None and endpoint.block.tpm is None:
        return 0.0
    taking = asyncio.ensure_future(endpoint.rates.take(request))
    aside = asyncio.ensure_future(endpoint.aside.wait())
    try:
        await asyncio.wait((taking, aside), return_when=asyncio.FIRST_COMPLETED)
        return taking.result() if taking.done() else 0.0
    finally:
        taking.cancel()
        aside.cancel()


def _throttled(endpoint: OpenEndpoint, limited: RateLimited) -> Throttled:
    said = f"{limited.message} (for {endpoint.patience:.0f} s, with one call in flight)"
    return Throttled(said, status=limited.status, code=limited.code, retry_after=THROTTLED_FOR)


async def _request(endpoint: OpenEndpoint, request: Request, on_text: OnText | None) -> Reply | CallError:
    """Send one request; where the server refuses a way of asking, ask in the next, and remember what it took."""
    for number in range(endpoint.way, len(WAYS)):
        answer = await _ask(endpoint, request, WAYS[number], on_text)
        if isinstance(answer, Reply):
            endpoint.way = max(endpoint.way, number)
            return answer
        said = answer.message.removeprefix(endpoint.where)
        if not isinstance(answer, BadRequest) or "stream" not in said or number == len(WAYS) - 1:
            return answer
    raise AssertionError("the last way returns")


async def _ask(endpoint: OpenEndpoint, request: Request, way: Way, on_text: OnText | None) -> Reply | CallError:
    """Send one request in one way; return the reply, or what went wrong.

    It is returned, not raised: the client's own exceptions may quote the key, and would be its context. The client's
    `post` sends the body as it is; `chat.completions.create` would first walk it by its type annotations, which costs
    a millisecond a call.
    """
    import openai
    from openai.types.chat import ChatCompletionChunk

    reading = Reading(on_text)
    try:
        async with asyncio.timeout(endpoint.block.reply_timeout):
            answer = await endpoint.client.post(
                "/chat/completions",
                body=_body(endpoint, request, way),
                options={"headers": _headers(endpoint, request)},
                cast_to=ChatCompletionChunk,
                stream=True,
                stream_cls=openai.AsyncStream[ChatCompletionChunk],
            )
            endpoint.limit.let_in()
            async with answer:
                response = answer.response
                if "text/event-stream" in response.headers.get("content-type", ""):
                    await reading.stream(response.aiter_bytes())
                else:
                    reading.whole(await response.aread())
                return _reply(endpoint, reading, response.headers.get("x-request-id"))
    except TimeoutError as late:
        return Transient(f"{endpoint.where}: {str(late) or f'no whole reply in {endpoint.block.reply_timeout} s'}")
    except openai.APIStatusError as failed:
        return _problem(endpoint, failed.status_code, dict(failed.response.headers), failed.response.content)
    except ErrorInside as failed:
        return _problem(endpoint, failed.status, {}, failed.body)
    except CutOff as failed:
        return Transient(f"{endpoint.where}: {failed}")
    except (openai.APIConnectionError, httpx2.HTTPError, OSError) as failed:
        return Transient(f"{endpoint.block.base_url}: {endpoint.clean(failed)}")


def _body(endpoint: OpenEndpoint, request: Request, way: Way) -> dict[str, Any]:
    body: dict[str, Any] = {
        "model": endpoint.block.model,
        "messages": [message.model_dump() for message in request.messages],
        "stream": way.streams,
        "stream_options": {"include_usage": True} if way.usage else None,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "max_tokens": request.max_tokens,
    }
    return {name: value for name, value in body.items() if value is not None} | endpoint.block.parameters


def _headers(endpoint: OpenEndpoint, request: Request) -> dict[str, str]:
    """Tell recorded servers, and no others, which call of which attempt this is."""
    if not endpoint.recorded:
        return {}
    return key_headers(request.problem_id, request.stage, request.ordinal, request.sample)


def _problem(endpoint: OpenEndpoint, status: int | None, headers: dict[str, str], body: bytes) -> CallError:
    said = endpoint.clean(body.decode(errors="replace"))
    problem = classify(endpoint.block.spoken_provider, status, headers, said, endpoint=endpoint.where)
    if isinstance(problem, AuthFailed):
        endpoint.refused = problem
    if isinstance(problem, RateLimited | Transient) and (problem.retry_after or 0) > LONG_WAIT:
        return QuotaExhausted(problem.message, status=status, code=problem.code, retry_after=problem.retry_after)
    return problem


def _reply(endpoint: OpenEndpoint, reading: Reading, request_id: str | None) -> Reply:
    ended = time.perf_counter()
    text = joined(reading.text)
    model = reading.model or endpoint.block.model
    prompt_tokens = reading.usage.get("prompt_tokens")
    completion_tokens = reading.usage.get("completion_tokens")
    cached = (reading.usage.get("prompt_tokens_details") or {}).get("cached_tokens")
    price = price_of(endpoint.block, model, prompt_tokens, completion_tokens, cached)
    return Reply(
        text=text,
        reasoning=joined(reading.reasoning) or text.rpartition("</think>")[0].removeprefix("<think>").strip(),
        prompt_tokens=prompt_tokens,
        completion_tokens=completion_tokens,
        reasoning_tokens=(reading.usage.get("completion_tokens_details") or {}).get("reasoning_tokens"),
        cached_prompt_tokens=cached,
        ttft=None if reading.first is None else reading.first - reading.started,
        seconds=ended - reading.started,
        finish_reason=reading.finish_reason,
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
    return max(0.2, said or _backoff(state))  # a server that says 0 is not to be asked without a pause


def _out_of_patience(
    endpoint: OpenEndpoint, elsewhere: Callable[[], bool] | None
) -> Callable[[tenacity.RetryCallState], bool]:
    def stop(state: tenacity.RetryCallState) -> bool:
        if elsewhere is not None and elsewhere():
            return True
        problem = state.outcome.exception() if state.outcome else None
        if isinstance(problem, RateLimited):
            waited = state.seconds_since_start or 0.0
            too_large = state.attempt_number > MOST_REFUSALS and waited > endpoint.patience
            return too_large or endpoint.limit.starved() > endpoint.patience
        return state.attempt_number >= endpoint.block.tries

    return stop

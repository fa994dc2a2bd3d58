"""One model call against real servers: the recorded one, and small ones that behave in ways it cannot."""

import asyncio
import contextlib
import json
import socket
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from email.utils import formatdate
from pathlib import Path
from time import time
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request as HttpRequest
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from blocks.endpoint import ModelEndpoint
from blocks.errors import (
    AccessDenied,
    AuthFailed,
    BadRequest,
    CallError,
    ContextOverflow,
    QuotaExhausted,
    RateLimited,
    Transient,
)
from blocks.records import Message, Reply, Request
from tasks.models.complete import OpenEndpoint, complete
from tasks.models.loopback import listen, running
from tasks.models.pricing import price_of
from tasks.models.recorded import RecordedServer, serve
from tasks.models.recording import load

KEY = "sk-secret/0123456789abcdef"
HI = {"content": "hi"}
AT_ONCE = {"Retry-After": "0"}
REQUEST = Request(messages=(Message(role="user", content="say hi"),), problem_id="p", stage="coding")


@contextlib.asynccontextmanager
async def recorded(
    folder: Path, *lines: object, api_key: str | None = None, **fields: Any
) -> AsyncIterator[tuple[OpenEndpoint, RecordedServer]]:
    """An endpoint at a server of recorded replies."""
    path = folder / "replies.jsonl"
    path.write_text("\n".join(json.dumps(line) for line in lines))
    async with serve(load(path), api_key=api_key) as server, opened(server.url, recorded=True, **fields) as endpoint:
        yield endpoint, server


@contextlib.asynccontextmanager
async def opened(url: str, *, recorded: bool = False, **fields: Any) -> AsyncIterator[OpenEndpoint]:
    fields = {"provider": "generic", "tries": 3, "model": "m", "api_key": SecretStr(KEY), **fields}
    endpoint = OpenEndpoint("name", ModelEndpoint(base_url=url, **fields), recorded=recorded)
    try:
        yield endpoint
    finally:
        await endpoint.close()


class Asked(list[dict[str, Any]]):
    """The bodies that a small server was sent, in order."""


@contextlib.asynccontextmanager
async def answering(
    answer: Callable[[dict[str, Any]], Awaitable[Response]], **fields: Any
) -> AsyncIterator[tuple[OpenEndpoint, Asked]]:
    """An endpoint at a server that answers every completion with `answer(body)`."""
    asked = Asked()

    async def route(http: HttpRequest) -> Response:
        asked.append(await http.json())
        return await answer(asked[-1])

    app = Starlette(routes=[Route("/v1/chat/completions", route, methods=["POST"])])
    with listen("127.0.0.1", 0) as listener:
        async with (
            running(app, listener),
            opened(f"http://127.0.0.1:{listener.getsockname()[1]}/v1", **fields) as endpoint,
        ):
            yield endpoint, asked


def chunk(text: str | None = None, finish_reason: str | None = None, **more: Any) -> bytes:
    choice = {"index": 0, "delta": {} if text is None else {"content": text}, "finish_reason": finish_reason}
    return event({"model": "served", "choices": [choice], **more})


def event(fields: object) -> bytes:
    return b"data: " + json.dumps(fields).encode() + b"\n\n"


DONE = b"data: [DONE]\n\n"


def stream(*pieces: bytes) -> StreamingResponse:
    async def body() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece

    return StreamingResponse(body(), media_type="text/event-stream")


def whole(text: str = "hi", **more: Any) -> JSONResponse:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    return JSONResponse({"model": "served", "choices": [choice], **more})


async def failure(endpoint: OpenEndpoint, request: Request = REQUEST) -> CallError:
    with pytest.raises(CallError) as caught:
        await complete(endpoint, request)
    return caught.value


# Replies


async def test_a_streamed_reply(tmp_path: Path):
    line = {"content": "abcdef", "reasoning": "hm", "model": "m", "finish_reason": "length"}
    counts = {"prompt_tokens": 3, "completion_tokens": 5, "latency": 0.02, "ttft": 0.01}
    heard: list[str | None] = []
    async with recorded(tmp_path, {**line, **counts}) as (endpoint, server):
        reply = await complete(endpoint, REQUEST, heard.append)
    assert "".join(text or "" for text in heard) == "abcdef"
    assert None not in heard
    assert (reply.text, reply.reasoning, reply.finish_reason) == ("abcdef", "hm", "length")
    assert (reply.prompt_tokens, reply.completion_tokens) == (3, 5)
    assert (reply.model, reply.endpoint, reply.recorded) == ("m", "name", True)
    assert reply.ttft is not None
    assert 0 < reply.ttft <= reply.seconds
    assert reply.request_id is not None
    assert reply.request_id.startswith("recorded-")
    assert (reply.cost, reply.currency, reply.price_source) == (None, None, None)
    assert server.stats.replies == {"m": 1}


@pytest.mark.parametrize(
    "text", ["a\u2028b\u2029c", "a\x85b\x1cc\x0bd", "zwei\r\nZeilen", "🎻" * 2000, "\ufeff", "{}"]
)
async def test_any_text_comes_through(tmp_path: Path, text: str):
    async with recorded(tmp_path, {"content": text, "reasoning": text, "latency": 0.01}) as (endpoint, server):
        reply = await complete(endpoint, REQUEST)
        assert server.stats.total_replies == 1
    assert (reply.text, reply.reasoning) == (text, text)


@pytest.mark.parametrize("streamed", [True, False])
async def test_halves_of_a_surrogate_pair_are_put_together_or_replaced(streamed: bool):
    async def answer(body: dict[str, Any]) -> Response:
        if not streamed:
            return Response(bytes(json.dumps({"choices": [{"message": {"content": "a\ud83cb"}}]}), "ascii"))
        return stream(chunk("a\ud83c"), chunk("\udfbb"), chunk("\udfbb", "stop"))

    async with answering(answer) as (endpoint, _):
        reply = await complete(endpoint, REQUEST)
    assert reply.text == ("a🎻\ufffd" if streamed else "a\ufffdb")
    assert reply.model_dump_json()


async def test_problem_and_stage_of_any_name_reach_a_recorded_server(tmp_path: Path):
    name = "ünï/☃\n%41"
    async with recorded(tmp_path, {"problem_id": name, "stage": "größe", "n": 2, **HI}) as (endpoint, _):
        request = REQUEST.model_copy(update={"problem_id": name, "stage": "größe", "ordinal": 2})
        assert (await complete(endpoint, request)).text == "hi"


async def test_other_servers_are_not_told_what_the_call_is_for():
    async def answer(body: dict[str, Any]) -> Response:
        return whole(json.dumps(sorted(body)))

    async with answering(answer) as (endpoint, _):
        sent = json.loads((await complete(endpoint, REQUEST)).text)
    assert sent == ["messages", "model", "stream", "stream_options"]


async def test_counts_are_unknown_where_the_server_gives_none(tmp_path: Path):
    async with recorded(tmp_path, HI) as (endpoint, _):
        reply = await complete(endpoint, REQUEST)
    assert (reply.prompt_tokens, reply.completion_tokens, reply.reasoning_tokens) == (None, None, None)
    assert reply.cached_prompt_tokens is None


async def test_what_servers_say_beside_text():
    """Keep-alive comments, empty lines, chunks without choices, null choices, running usage, no [DONE]."""
    details = {"completion_tokens_details": {"reasoning_tokens": 2}, "prompt_tokens_details": {"cached_tokens": 1}}
    usage = {"prompt_tokens": 4, "completion_tokens": 3, **details}

    async def answer(body: dict[str, Any]) -> Response:
        return stream(
            b": keep-alive\n\n\n\nevent: message\nid: 1\nretry: 9\n\n",
            event({"choices": [None]}),
            event({"choices": [{"delta": None}]}),
            event({"choices": [{"delta": {"reasoning": "hm"}}], "usage": None}),
            b'data:{"choices": [{"delta": {"con',
            b'tent": "h"}}], "usage": {"prompt_tokens": 4, "completion_tokens": 1}}\r\n\r\n',
            chunk("i", "stop")[:-1],
            b"\n" + event({"choices": [], "usage": usage}),
        )

    async with answering(answer) as (endpoint, asked):
        reply = await complete(endpoint, REQUEST)
    assert (reply.text, reply.reasoning, reply.model, reply.finish_reason) == ("hi", "hm", "served", "stop")
    assert (reply.prompt_tokens, reply.completion_tokens) == (4, 3)
    assert (reply.reasoning_tokens, reply.cached_prompt_tokens) == (2, 1)
    assert len(asked) == 1


async def test_thinking_in_the_text_is_the_reasoning_where_there_is_no_other(tmp_path: Path):
    async with recorded(tmp_path, {"content": "<think>\nhm\n</think>\nhi"}) as (endpoint, _):
        reply = await complete(endpoint, REQUEST)
    assert (reply.text, reply.reasoning) == ("<think>\nhm\n</think>\nhi", "hm")


async def test_an_answer_that_is_not_streamed():
    async def answer(body: dict[str, Any]) -> Response:
        told = whole("hi", usage={"prompt_tokens": 1, "completion_tokens": 2, "prompt_tokens_details": None})
        return Response(b"\n\n\n" + bytes(told.body), media_type="application/json")  # as DeepSeek while queued

    heard: list[str | None] = []
    async with answering(answer) as (endpoint, _):
        reply = await complete(endpoint, REQUEST, heard.append)
    assert (reply.text, reply.prompt_tokens, reply.completion_tokens, reply.model) == ("hi", 1, 2, "served")
    assert reply.ttft is None, "nobody saw when the first token came"
    assert heard == ["hi"]


async def test_parameters_are_in_the_body():
    async def answer(body: dict[str, Any]) -> Response:
        return whole()

    request = REQUEST.model_copy(update={"temperature": 0.5, "top_p": 0.9, "max_tokens": 7})
    parameters = {"enable_thinking": False, "top_p": 0.1, "chat_template_kwargs": {"a": [1]}}
    async with answering(answer, parameters=parameters, api_key=None) as (endpoint, asked):
        await complete(endpoint, request)
        await complete(endpoint, REQUEST)
    assert asked[0] == {
        "model": "m",
        "messages": [{"role": "user", "content": "say hi"}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": 0.5,
        "max_tokens": 7,
        **parameters,
    }
    assert not asked[1].keys() & {"temperature", "max_tokens"}


# What a server refuses


def refusing(*fields: str, status: int = 400, error: Callable[[str], object]) -> Any:
    async def answer(body: dict[str, Any]) -> Response:
        for field in fields:
            if body.get(field):
                return JSONResponse(error(field), status_code=status)
        return stream(chunk("hi", "stop"), DONE) if body.get("stream") else whole()

    return answer


NESTED: Callable[[str], object] = lambda field: {"error": {"message": "unsupported value", "param": field}}  # noqa: E731
FLAT: Callable[[str], object] = lambda field: {"object": "error", "message": f"{field} is not supported"}  # noqa: E731
FASTAPI: Callable[[str], object] = lambda field: {"detail": [{"loc": ["body", field], "msg": "not allowed"}]}  # noqa: E731


@pytest.mark.parametrize(("error", "status"), [(NESTED, 400), (FLAT, 400), (FASTAPI, 422)])
async def test_a_server_that_refuses_stream_options(error: Callable[[str], object], status: int):
    async with answering(refusing("stream_options", error=error, status=status)) as (endpoint, asked):
        replies = [await complete(endpoint, REQUEST) for _ in range(2)]
    assert [reply.text for reply in replies] == ["hi", "hi"]
    assert [("stream_options" in body, body["stream"]) for body in asked] == [
        (True, True),
        (False, True),
        (False, True),
    ]
    assert all(reply.ttft is not None for reply in replies)


@pytest.mark.parametrize(("error", "status"), [(NESTED, 400), (FLAT, 400), (FASTAPI, 422)])
async def test_a_server_that_refuses_streaming(error: Callable[[str], object], status: int):
    async with answering(refusing("stream", error=error, status=status)) as (endpoint, asked):
        replies = [await complete(endpoint, REQUEST) for _ in range(3)]
    assert [reply.text for reply in replies] == ["hi"] * 3
    assert [body["stream"] for body in asked] == [True, True, False, False, False]


async def test_many_calls_at_once_give_up_no_more_than_is_refused():
    async with answering(refusing("stream_options", error=NESTED)) as (endpoint, asked):
        await asyncio.gather(*(complete(endpoint, REQUEST) for _ in range(8)))
        await complete(endpoint, REQUEST)
    assert all(body["stream"] for body in asked)
    assert "stream_options" not in asked[-1]


async def test_a_request_at_fault_is_not_taken_for_a_refusal_of_streaming():
    """A server that repeats the request in its error names `stream` whatever is wrong."""

    async def answer(body: dict[str, Any]) -> Response:
        if body["messages"][0]["content"] == "bad":
            return JSONResponse({"detail": f"bad request: {json.dumps(body)}; stream"}, status_code=400)
        return stream(chunk("hi", "stop"), DONE)

    bad = REQUEST.model_copy(update={"messages": (Message(role="user", content="bad"),)})
    async with answering(answer) as (endpoint, asked):
        assert isinstance(await failure(endpoint, bad), BadRequest)
        assert (await complete(endpoint, REQUEST)).text == "hi"
    assert "stream_options" in asked[-1]


async def test_a_bad_request_is_sent_once():
    async def answer(body: dict[str, Any]) -> Response:
        return JSONResponse({"error": {"message": "temperature must be ≥ 0"}}, status_code=400)

    async with answering(answer, model="streaming-model") as (endpoint, asked):
        problem = await failure(endpoint)
    assert isinstance(problem, BadRequest)
    assert "temperature must be" in problem.message
    assert len(asked) == 1


async def test_a_prompt_that_is_too_long_is_sent_once(tmp_path: Path):
    body = {"object": "error", "code": 400, "message": "This model's maximum context length is 8 tokens."}
    async with recorded(tmp_path, {"status": 400, "body": body}, provider="vllm") as (endpoint, server):
        assert isinstance(await failure(endpoint), ContextOverflow)
        assert server.stats.total_errors == 1


# Short troubles


@pytest.mark.parametrize(
    "trouble",
    [
        pytest.param({"status": 429, "headers": AT_ONCE}, id="rate limit"),
        pytest.param({"status": 429, "headers": {"retry-after-ms": "1"}}, id="rate limit in milliseconds"),
        pytest.param(
            {"status": 429, "headers": {"Retry-After": formatdate(0, usegmt=True)}}, id="rate limit by date"
        ),
        pytest.param({"status": 500, "headers": AT_ONCE}, id="server error"),
        pytest.param({"status": 503, "headers": AT_ONCE, "body": ""}, id="server error without a body"),
        pytest.param(
            {"status": 502, "headers": {**AT_ONCE, "Content-Type": "text/html"}, "body": "<html>"}, id="proxy"
        ),
        pytest.param({"content": "abcdef", "disconnect_after": 3}, id="cut stream"),
        pytest.param({"content": "abcdef", "disconnect_after": 0}, id="cut before the first token"),
        pytest.param({"status": 500, "disconnect_after": 5}, id="cut error"),
    ],
)
async def test_a_short_trouble_and_then_the_reply(tmp_path: Path, trouble: dict[str, Any]):
    heard: list[str | None] = []
    async with recorded(tmp_path, trouble, {**HI, "content": "whole"}) as (endpoint, server):
        reply = await complete(endpoint, REQUEST, heard.append)
        assert reply.text == "whole"
        assert (server.stats.total_errors + server.stats.total_replies) == 2
    again = heard.index(None)
    assert "".join(text or "" for text in heard[:again]) == ("abc" if trouble.get("disconnect_after") == 3 else "")
    assert "".join(text or "" for text in heard[again:]) == "whole"
    assert heard.count(None) == 1


@pytest.mark.parametrize(
    "trouble",
    [
        pytest.param(HTMLResponse("<html>Please log in"), id="portal"),
        pytest.param(Response(b"", media_type="application/json"), id="empty"),
        pytest.param(Response(b""), id="empty, of no kind"),
        pytest.param(JSONResponse(None), id="null"),
        pytest.param(JSONResponse({"choices": []}), id="no choices"),
        pytest.param(JSONResponse({"error": {"message": "try again"}}), id="an error with 200"),
        pytest.param(JSONResponse({"code": "InternalError", "message": "?"}), id="a flat error with 200"),
        pytest.param(Response(b"", media_type="text/event-stream"), id="empty stream"),
        pytest.param(Response(b": keep-alive\n\n", media_type="text/event-stream"), id="only comments"),
    ],
)
async def test_an_answer_that_is_none_and_then_the_reply(trouble: Response):
    async def answer(body: dict[str, Any]) -> Response:
        return trouble if len(asked) == 1 else stream(chunk("hi", "stop"), DONE)

    heard: list[str | None] = []
    async with answering(answer) as (endpoint, asked):
        assert (await complete(endpoint, REQUEST, heard.append)).text == "hi"
    assert heard == [None, "hi"]


async def test_a_trouble_that_stays_is_given_up(tmp_path: Path):
    async with recorded(tmp_path, {"status": 500, "headers": AT_ONCE}, tries=3) as (endpoint, server):
        problem = await failure(endpoint)
        assert server.stats.total_errors == 3
    assert isinstance(problem, Transient)
    assert problem.status == 500


async def test_a_server_that_hangs(tmp_path: Path):
    hanging = {**HI, "latency": 3600, "ttft": 3600}
    heard: list[str | None] = []
    async with recorded(tmp_path, hanging, timeout=0.1, tries=2) as (endpoint, _):
        with pytest.raises(Transient, match="Timeout"):
            await complete(endpoint, REQUEST, heard.append)
    assert heard == [None], "asked twice"


async def test_a_stream_that_stops_in_the_middle(tmp_path: Path):
    stuck = {"content": "abcdef", "latency": 3600, "ttft": 0}
    async with recorded(tmp_path, stuck, timeout=0.1, tries=1) as (endpoint, _):
        assert isinstance(await failure(endpoint), Transient)


async def test_nobody_answers():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening: a connection is refused
        async with opened(f"http://127.0.0.1:{taken.getsockname()[1]}/v1", tries=2) as endpoint:
            problem = await failure(endpoint)
            assert isinstance(problem, Transient)
            assert endpoint.block.host in problem.message
            with pytest.raises(Transient, match="does not answer"):
                await endpoint.models()


@pytest.mark.parametrize(
    ("pieces", "error"),
    [
        ([event({"error": {"message": "Server overloaded"}})], Transient),
        ([event({"error": {"code": 400, "message": "no"}})], BadRequest),
        ([event({"error": {"code": "429", "message": "slow"}}), DONE], RateLimited),
        ([event({"object": "error", "message": "Engine dead", "code": 500}), DONE], Transient),
        ([event({"code": "InternalError", "message": "?"}), DONE], Transient),
        ([event({"error": "out of memory"}), DONE], Transient),
        ([event("error"), DONE], Transient),
        ([b"data: {not json\n\n"], Transient),
        ([b"data: " + b"[" * 100_000 + b"\n\n"], Transient),
        ([b"data: \xff\n\n"], Transient),
    ],
    ids=lambda value: str(value)[:60],
)
async def test_an_error_in_the_middle_of_a_stream(pieces: list[bytes], error: type[CallError]):
    async def answer(body: dict[str, Any]) -> Response:
        return stream(chunk("ab"), *pieces) if len(asked) % 2 else stream(chunk("hi", "stop"), DONE)

    heard: list[str | None] = []
    async with answering(answer) as (endpoint, asked):
        if error is BadRequest:
            assert isinstance(await failure(endpoint), BadRequest)
        else:
            assert (await complete(endpoint, REQUEST, heard.append)).text == "hi"
            assert heard == ["ab", None, "hi"]


@pytest.mark.parametrize(
    ("provider", "code", "error", "scope"),
    [
        ("dashscope", "AllocationQuota.FreeTierOnly", QuotaExhausted, "model"),
        ("openai", "insufficient_quota", QuotaExhausted, "account"),
    ],
)
async def test_a_quota_that_ends_in_the_middle_of_a_stream(
    provider: str, code: str, error: type[CallError], scope: str
):
    async def answer(body: dict[str, Any]) -> Response:
        return stream(chunk("ab"), event({"error": {"code": code, "message": "spent"}}), DONE)

    async with answering(answer, provider=provider) as (endpoint, asked):
        problem = await failure(endpoint)
    assert (type(problem), problem.scope, len(asked)) == (error, scope, 1)


# Long troubles


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("headers", [{"Retry-After": "121"}, {"Retry-After": "1h"}, {"retry-after-ms": "9999999"}])
async def test_a_long_wait_is_a_spent_quota(tmp_path: Path, status: int, headers: dict[str, str]):
    async with recorded(tmp_path, {"status": status, "headers": headers}, HI) as (endpoint, server):
        problem = await failure(endpoint)
        assert isinstance(problem, QuotaExhausted)
        assert problem.retry_after is not None
        assert problem.retry_after > 120
        assert server.stats.total_errors == 1


async def test_a_long_wait_until_a_date(tmp_path: Path):
    date = formatdate(time() + 7200, usegmt=True)
    async with recorded(tmp_path, {"status": 429, "headers": {"Retry-After": date}}, HI) as (endpoint, _):
        assert isinstance(await failure(endpoint), QuotaExhausted)


async def test_a_spent_quota_is_asked_once(tmp_path: Path):
    async with recorded(tmp_path, {"quota": {"m": 1}}, HI, provider="dashscope") as (endpoint, server):
        await complete(endpoint, REQUEST)
        problem = await failure(endpoint)
        assert (type(problem), problem.code) == (QuotaExhausted, "AllocationQuota.FreeTierOnly")
        assert server.stats.total_errors == 1


async def test_a_wrong_key_is_tried_once(tmp_path: Path):
    async with recorded(tmp_path, HI, api_key="right", max_concurrency=1) as (endpoint, server):
        problems = await asyncio.gather(*(failure(endpoint) for _ in range(5)))
        problems += [await failure(endpoint)]
        assert {type(problem) for problem in problems} == {AuthFailed}
        assert len({id(problem) for problem in problems}) == 6, "one exception raised again grows its traceback"
        assert server.stats.errors == {"m": 1}


async def test_a_denied_model_is_asked_once(tmp_path: Path):
    body = {"error": {"message": "The model `m` does not exist.", "code": "model_not_found"}}
    async with recorded(tmp_path, {"status": 404, "body": body}, HI) as (endpoint, server):
        problem = await failure(endpoint)
        assert isinstance(problem, AccessDenied)
        assert server.stats.total_errors == 1


async def test_a_reply_that_was_not_recorded_is_the_requests_fault(tmp_path: Path):
    async with recorded(tmp_path, {"problem_id": "other", **HI}) as (endpoint, server):
        problem = await failure(endpoint)
        assert isinstance(problem, BadRequest)
        assert "problem 'p', stage 'coding'" in problem.message
        assert server.stats.total_errors == 1


@pytest.mark.parametrize("most", [1, 2, 3])
async def test_no_more_calls_at_once_than_allowed(most: int):
    together = asyncio.Barrier(most)
    in_flight, peak = 0, 0

    async def answer(body: dict[str, Any]) -> Response:
        nonlocal in_flight, peak
        in_flight += 1
        peak = max(peak, in_flight)
        await together.wait()  # passes only where `most` calls are in flight
        in_flight -= 1
        return stream(chunk("hi", "stop"), DONE)

    async with answering(answer, max_concurrency=most) as (endpoint, asked):
        await asyncio.gather(*(complete(endpoint, REQUEST) for _ in range(6)))
    assert (peak, len(asked)) == (most, 6)


# The key


ECHO = f"Incorrect API key provided: Bearer {KEY}. You can find yours …"


@pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 429, 500])
@pytest.mark.parametrize(
    ("body", "kind"),
    [
        pytest.param(json.dumps({"error": {"message": ECHO}}), "application/json", id="nested"),
        pytest.param(json.dumps({"error": {"message": ECHO}}).replace("/", "\\/"), "application/json", id="escaped"),
        pytest.param(json.dumps({"error": {"code": KEY, "type": KEY, "param": KEY}}), "application/json", id="code"),
        pytest.param(json.dumps({"message": "x" * 250 + KEY}), "application/json", id="at the cut"),
        pytest.param(ECHO, "text/plain", id="text"),
        pytest.param(f"<html><title>{KEY}</title></html>", "text/html", id="html"),
        pytest.param(f"data: {json.dumps({'error': {'message': ECHO}})}\n\n", "text/event-stream", id="stream"),
        pytest.param(f"data: {KEY}\n\n", "text/event-stream", id="stream of no JSON"),
    ],
)
async def test_the_key_is_in_no_error(status: int, body: str, kind: str):
    async def answer(_: dict[str, Any]) -> Response:
        later = {"Retry-After": "3600"}  # a rate limit would be retried
        return Response(body, status_code=status, headers=later, media_type=kind)

    async with answering(answer, tries=1) as (endpoint, _):
        problem = await failure(endpoint)
    assert_no_key(problem)


def assert_no_key(problem: BaseException) -> None:
    said = "".join(traceback.format_exception(problem))
    known: BaseException | None = problem
    while known is not None:
        said += f"{known!r} {known} {vars(known)}"
        known = known.__context__
    assert KEY not in said
    assert KEY[:20] not in said


async def test_the_key_is_in_nothing_that_is_shown(tmp_path: Path):
    async with recorded(tmp_path, HI) as (endpoint, _):
        reply = await complete(endpoint, REQUEST)
        shown = [repr(endpoint), repr(endpoint.block), str(endpoint.block), endpoint.block.model_dump_json()]
        shown += [endpoint.where, endpoint.block.quota_account, repr(reply)]
    assert KEY not in " ".join(shown)


@pytest.mark.parametrize("key", ["sk-ключ-0123456789", "sk-01234\n56789"])
def test_a_key_that_cannot_be_sent_is_refused_without_showing_it(key: str):
    for given in (key, SecretStr(key)):
        with pytest.raises(ValidationError, match="cannot carry") as caught:
            ModelEndpoint(base_url="http://127.0.0.1/v1", model="m", api_key=given)
        assert key[3:8] not in str(caught.value)


def test_a_key_as_a_file_has_it():
    assert ModelEndpoint(base_url="http://h/v1", model="m", api_key=SecretStr("sk-1\n")).key == "sk-1"
    assert ModelEndpoint(base_url="http://h/v1", model="m", api_key=SecretStr(" \n")).key == "EMPTY"
    assert ModelEndpoint(base_url="http://h/v1", model="m").key == "EMPTY"


def test_a_url_that_holds_a_password_is_refused_without_showing_it():
    with pytest.raises(ValidationError, match="api_key") as caught:
        ModelEndpoint(base_url="https://me:hunter2@h/v1", model="m")
    assert "hunter2" not in str(caught.value)


# Which models there are


async def test_the_models_of_a_recorded_server(tmp_path: Path):
    async with recorded(tmp_path, {**HI, "model": "a"}, {**HI, "model": "b"}) as (endpoint, server):
        async with opened(server.url) as plain:
            assert not plain.recorded
            assert await plain.models() == ["a", "b"]
            assert plain.recorded
            assert (await complete(plain, REQUEST)).recorded
        assert await endpoint.models() == ["a", "b"]


@pytest.mark.parametrize(
    ("answer", "models"),
    [
        (JSONResponse({"data": [{"id": "a"}, {"id": "b", "owned_by": "me"}, "c", None]}), ["a", "b"]),
        (JSONResponse({"data": None}), []),
        (JSONResponse({"data": 7}), []),
        (JSONResponse([{"id": "a"}]), []),
        (JSONResponse({"error": "no"}, status_code=401), []),
        (HTMLResponse("<html>"), []),
        (Response(b""), []),
        (HTMLResponse("<html>", status_code=502), []),
    ],
)
async def test_any_answer_to_models_is_an_answer(answer: Response, models: list[str]):
    async def route(http: HttpRequest) -> Response:
        return answer

    with listen("127.0.0.1", 0) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        async with running(Starlette(routes=[Route("/v1/models", route)]), listener), opened(url) as endpoint:
            assert await endpoint.models() == models
            assert not endpoint.recorded


# Costs


async def test_the_prices_of_the_endpoint(tmp_path: Path):
    line = {**HI, "prompt_tokens": 1000, "completion_tokens": 100}
    async with recorded(tmp_path, line, input_price=2.0, output_price=10.0, currency="CNY") as (endpoint, _):
        reply: Reply = await complete(endpoint, REQUEST)
    assert reply.cost == pytest.approx(0.003)
    assert (reply.currency, reply.price_source) == ("CNY", "endpoint")


@pytest.mark.parametrize(
    ("url", "model", "counts", "source"),
    [
        ("https://api.openai.com/v1", "gpt-4o-mini", (100, 10, None), "genai-prices"),
        ("https://api.openai.com/v1", "gpt-4o-mini", (100, 10, 50), "genai-prices"),
        ("https://api.openai.com/v1", "gpt-4o-mini", (100, None, None), None),
        ("https://api.openai.com/v1", "gpt-4o-mini", (None, 10, None), None),
        ("https://api.openai.com/v1", "gpt-4o-mini", (100, 10, 500), None),
        ("https://api.openai.com/v1", "no-such-model", (100, 10, None), None),
        ("http://127.0.0.1:8000/v1", "gpt-4o-mini", (100, 10, None), None),
    ],
)
def test_a_price_is_known_or_none(url: str, model: str, counts: tuple[Any, Any, Any], source: str | None):
    price = price_of(ModelEndpoint(base_url=url, model=model), model, *counts)
    assert (price.cost is None, price.source) == (source is None, source)

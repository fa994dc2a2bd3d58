"""The recorded-reply server, over real HTTP: by the real OpenAI client, by raw requests, as a process."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest

from tasks.models.recorded import RecordedServer, key_headers, serve
from tasks.models.recording import RecordedFileError, load

ROOT = Path(__file__).parents[2]
HI = {"content": "hi"}


@contextlib.asynccontextmanager
async def serving(folder: Path, *lines: object, **settings: Any) -> AsyncIterator[RecordedServer]:
    async with serve(load(written(folder, *lines)), **settings) as server:
        yield server


@contextlib.asynccontextmanager
async def raw(server: RecordedServer) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=server.url, trust_env=False, timeout=20) as client:
        yield client


def written(folder: Path, *lines: object) -> Path:
    path = folder / "replies.jsonl"
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines))
    return path


def body(text: str = "x", model: str = "m", **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": text}], **more}


async def ask(
    server: RecordedServer,
    problem: str | None = None,
    stage: str | None = None,
    ordinal: int | None = None,
    *,
    text: str = "x",
    model: str = "m",
    **more: Any,
) -> httpx2.Response:
    headers = {"X-Consort-Problem": problem, "X-Consort-Stage": stage, "X-Consort-Ordinal": ordinal}
    sent = {name: str(value) for name, value in headers.items() if value is not None}
    async with raw(server) as client:
        return await client.post("/chat/completions", json=body(text, model, **more), headers=sent)


async def said(server: RecordedServer, *key: Any, **more: Any) -> str:
    """The reply's text, or the status of a failure."""
    response = await ask(server, *key, **more)
    if response.status_code != 200:
        return str(response.status_code)
    return str(response.json()["choices"][0]["message"]["content"])


def chunks(stream: str) -> list[dict[str, Any]]:
    events = [event for event in stream.split("\n\n") if event]
    assert events[-1] == "data: [DONE]"
    return [json.loads(event.removeprefix("data: ")) for event in events[:-1]]


# The protocol


async def test_the_real_client_streams_a_reply(tmp_path: Path):
    reply = {"content": "Grüße 🎻!", "reasoning": "thinking", "model": "m", "finish_reason": "length"}
    line = {**reply, "prompt_tokens": 3, "completion_tokens": 5, "latency": 0.05, "ttft": 0.01}
    async with serving(tmp_path, line, pieces=3) as server, client_of(server) as client:
        stream = await client.chat.completions.create(
            model="m",
            messages=[{"role": "user", "content": "?"}],
            stream=True,
            stream_options={"include_usage": True},
        )
        got = [chunk async for chunk in stream]
    deltas = [chunk.choices[0].delta for chunk in got if chunk.choices]
    thoughts = [getattr(delta, "reasoning_content", None) for delta in deltas]
    texts = [delta.content for delta in deltas]
    assert deltas[0].role == "assistant" and not deltas[0].content
    assert [thought for thought in thoughts if thought] == ["th", "ink", "ing"]
    assert [text for text in texts if text] == ["Gr", "üße", " 🎻!"]
    assert texts.index("Gr") > thoughts.index("ing")
    assert got[-2].choices[0].finish_reason == "length"
    assert got[-1].choices == [] and got[-1].usage is not None
    assert (got[-1].usage.prompt_tokens, got[-1].usage.completion_tokens, got[-1].usage.total_tokens) == (
        3,
        5,
        8,
    )
    assert {chunk.model for chunk in got} == {"m"} and len({chunk.id for chunk in got}) == 1


async def test_the_real_client_gets_a_whole_reply(tmp_path: Path):
    line = {"content": "hi", "reasoning": "hm", "prompt_tokens": 3, "completion_tokens": 0}
    async with serving(tmp_path, line) as server, client_of(server) as client:
        reply = await client.chat.completions.create(model="q", messages=[{"role": "user", "content": "?"}])
    assert reply.choices[0].message.content == "hi"
    assert reply.choices[0].message.model_extra == {"reasoning_content": "hm"}
    assert reply.choices[0].finish_reason == "stop"
    assert reply.usage is not None and reply.usage.total_tokens == 3
    assert reply.model == "q"
    assert reply._request_id and reply._request_id.startswith("recorded-")


def client_of(server: RecordedServer, key: str = "EMPTY") -> openai.AsyncOpenAI:
    http = openai.DefaultAsyncHttpxClient(trust_env=False)
    return openai.AsyncOpenAI(base_url=server.url, api_key=key, max_retries=0, http_client=http)


async def test_models_are_owned_by_consort(tmp_path: Path):
    lines = [{"quota": {"c": 9}}, {"content": "1", "model": "b"}, {"content": "2", "model": "a"}]
    async with serving(tmp_path, *lines) as server, client_of(server) as client:
        models = [model async for model in client.models.list()]
    assert [model.id for model in models] == ["b", "a", "c"]
    assert {model.owned_by for model in models} == {"consort-recorded"}
    async with serving(tmp_path, HI) as server, raw(server) as http:
        listed = (await http.get("/models")).json()["data"]
        assert [model["id"] for model in listed] == ["recorded"]


@pytest.mark.parametrize("asked", [True, False])
@pytest.mark.parametrize("tokens", [{"prompt_tokens": 1, "completion_tokens": 2}, {"prompt_tokens": 1}, {}])
async def test_usage_only_where_it_is_asked_for_and_known(tmp_path: Path, asked: bool, tokens: dict[str, int]):
    options: dict[str, Any] = {"stream_options": {"include_usage": True}} if asked else {}
    async with serving(tmp_path, {**HI, **tokens}) as server:
        streamed = chunks((await ask(server, stream=True, **options)).text)
        whole = (await ask(server)).json()
    usage = [chunk["usage"] for chunk in streamed if "usage" in chunk]
    expected = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
    assert usage == ([expected] if asked and len(tokens) == 2 else [])
    assert whole.get("usage") == (expected if len(tokens) == 2 else None)


@pytest.mark.parametrize(
    ("latency", "pieces", "expected"),
    [(0.0, None, 2), (0.02, None, 1), (0.2, None, 4), (0.0, 5, 5), (0.04, 7, 7), (0.0, 99, 20)],
)
async def test_number_of_pieces(tmp_path: Path, latency: float, pieces: int | None, expected: int):
    text = "abcdefghijklmnopqrst"
    async with serving(tmp_path, {"content": text, "latency": latency}, pieces=pieces) as server:
        got = chunks((await ask(server, stream=True)).text)
    texts = [chunk["choices"][0]["delta"].get("content") for chunk in got]
    assert len([text for text in texts if text]) == expected
    assert "".join(text or "" for text in texts) == text
    assert got[-1]["choices"][0]["finish_reason"] == "stop"


async def test_an_empty_reply_is_a_stream_too(tmp_path: Path):
    async with serving(tmp_path, {"content": "", "latency": 0.01}) as server:
        got = chunks((await ask(server, stream=True)).text)
    assert [chunk["choices"][0]["finish_reason"] for chunk in got] == [None, "stop"]


async def test_latency_and_ttft_of_the_server_stand_in_for_the_records(tmp_path: Path):
    slow = {"content": "slow", "latency": 3600, "ttft": 1800}
    async with serving(tmp_path, slow, latency=0, pieces=1) as server:
        assert await said(server) == "slow"
    async with serving(tmp_path, slow, latency=0.02, ttft=0.01) as server:
        assert len(chunks((await ask(server, stream=True)).text)) > 2
    async with serving(tmp_path, HI, ttft=0.01) as server:
        assert await said(server) == "hi"


@pytest.mark.parametrize(
    "settings",
    [{"latency": -1}, {"ttft": -1}, {"pieces": 0}, {"latency": 1, "ttft": 2}, {"host": "0.0.0.0"}],
)
async def test_settings_that_cannot_be(tmp_path: Path, settings: dict[str, Any]):
    with pytest.raises(ValueError, match=r"latency|loopback"):
        async with serving(tmp_path, HI, **settings):
            pass


@pytest.mark.parametrize(
    ("content", "headers", "named"),
    [
        (b"{", {}, "JSON"),
        (b'{"messages": []}', {}, "model"),
        (b'{"model": "m"}', {}, "messages"),
        (json.dumps(body()).encode(), {"X-Consort-Ordinal": "0"}, "X-Consort-Ordinal"),
        (json.dumps(body()).encode(), {"X-Consort-Ordinal": "two"}, "X-Consort-Ordinal"),
    ],
)
async def test_a_request_that_is_none(tmp_path: Path, content: bytes, headers: dict[str, str], named: str):
    async with serving(tmp_path, HI) as server, raw(server) as client:
        response = await client.post("/chat/completions", content=content, headers=headers)
        assert response.status_code == 400
        assert named in response.json()["error"]["message"]
        assert server.stats.errors == {"": 1}


async def test_the_key_is_asked_for_and_the_refusal_repeats_what_came(tmp_path: Path):
    async with serving(tmp_path, HI, api_key="right") as server:
        async with client_of(server, "sk-wrong") as client:
            with pytest.raises(openai.AuthenticationError, match="sk-wrong"):
                await client.chat.completions.create(model="m", messages=[{"role": "user", "content": "?"}])
            with pytest.raises(openai.AuthenticationError):
                await client.models.list()
        async with client_of(server, "right") as client:
            await client.models.list()
            await client.chat.completions.create(model="m", messages=[{"role": "user", "content": "?"}])
        assert (server.stats.errors, server.stats.replies) == ({"m": 1}, {"m": 1})


# Which reply


async def test_problem_stage_and_ordinal_choose_the_reply(tmp_path: Path):
    lines = [
        {"problem_id": problem, "stage": stage, "n": n, "content": f"{problem} {stage} {n}"}
        for problem in ("p/1", "p/2")
        for stage in ("planning", "coding")
        for n in (1, 2)
    ]
    async with serving(tmp_path, *lines) as server:
        assert await said(server, "p/2", "coding", 1) == "p/2 coding 1"
        assert await said(server, "p/1", "planning", 2) == "p/1 planning 2"
        assert await said(server, "p/1", "planning", 7) == "p/1 planning 2"
        assert await said(server, "p/1", "planning") == "p/1 planning 1"


async def test_no_reply_names_the_key(tmp_path: Path):
    lines = [
        {"problem_id": "p", "stage": "coding", "n": 1, "content": "1"},
        {"problem_id": "p", "stage": "coding", "n": 3, "content": "3"},
    ]
    async with serving(tmp_path, *lines) as server:
        for key in [("p", "coding", 2), ("q", "coding", 1), ("p", "planning", 1)]:
            response = await ask(server, *key, model="mine")
            assert response.status_code == 404
            assert all(str(part) in response.json()["error"]["message"] for part in (*key, "mine"))
        response = await ask(server)
        assert response.status_code == 404
        assert "X-Consort-Problem" in response.json()["error"]["message"]
        assert server.stats.errors == {"mine": 3, "m": 1}
        assert server.stats.replies == {}


async def test_the_requested_model_filters_only_if_the_file_has_it(tmp_path: Path):
    lines = [{"model": "a", "content": "of a"}, {"model": "b", "content": "of b"}]
    async with serving(tmp_path, *lines) as server:
        assert [await said(server, model=model) for model in ("a", "b", "c")] == ["of a", "of b", "of a"]


async def test_serving_one_model(tmp_path: Path):
    lines = [{"model": "a", "content": "of a"}, {"model": "b", "content": "of b"}]
    async with serving(tmp_path, *lines, model="b") as server, raw(server) as client:
        assert [await said(server, model=model) for model in ("a", "b")] == ["of b", "of b"]
        assert [row["id"] for row in (await client.get("/models")).json()["data"]] == ["b"]
    with pytest.raises(RecordedFileError, match=r"no reply of model 'c'; it has a, b"):
        async with serving(tmp_path, *lines, model="c"):
            pass


async def test_records_without_a_problem_or_stage_are_for_any_and_the_particular_goes_first(tmp_path: Path):
    lines = [
        {"content": "any"},
        {"stage": "coding", "content": "any problem's code"},
        {"problem_id": "p", "content": "anything of p"},
        {"problem_id": "p", "stage": "coding", "n": 2, "content": "p's second code"},
    ]
    async with serving(tmp_path, *lines) as server:
        assert await said(server, "q", "planning", 1) == "any"
        assert await said(server, "q", "coding", 4) == "any problem's code"
        assert await said(server, "p", "planning", 1) == "anything of p"
        assert await said(server, "p", "coding", 1) == "anything of p"
        assert await said(server, "p", "coding", 2) == "p's second code"
        assert await said(server) == "any"
        assert await said(server, "", "", 1) == "any"


async def test_match_decides_where_headers_are_absent(tmp_path: Path):
    lines = [
        {"problem_id": "p", "stage": "coding", "match": "(?i)SORT\\b", "content": "sorted"},
        {"problem_id": "q", "stage": "coding", "match": "prime", "content": "primes"},
        {"problem_id": "r", "stage": "coding", "content": "for headers only"},
    ]
    async with serving(tmp_path, *lines) as server:
        assert await said(server, text="please sort it") == "sorted"
        assert await said(server, text="is it prime?") == "primes"
        assert await said(server, text="something else") == "404"
        assert await said(server, None, "planning", 1, text="is it prime?") == "404"
        assert await said(server, "q", None, 1, text="is it prime?") == "primes"
        parts = [{"type": "text", "text": "please"}, {"type": "text", "text": "sort"}]
        messages = [{"role": "user", "content": parts}, {"role": "assistant", "content": "prime"}]
        assert await said(server, messages=messages) == "sorted"


async def test_match_narrows_where_headers_are_present(tmp_path: Path):
    key = {"problem_id": "p", "stage": "coding"}
    lines = [{**key, "content": "else"}, {**key, "match": "again", "content": "second try"}]
    async with serving(tmp_path, *lines) as server:
        assert await said(server, "p", "coding", 1, text="try again") == "second try"
        assert await said(server, "p", "coding", 1, text="try") == "else"
        assert await said(server, "q", "coding", 1, text="try again") == "404"


async def test_key_headers_carry_any_id(tmp_path: Path):
    names = ["HumanEval/0", "ünï/☃ %41", "two words\nand lines", "p001.c"]
    lines = [{"problem_id": name, "stage": "größe", "content": name} for name in names]
    async with serving(tmp_path, *lines) as server, raw(server) as client:
        for name in names:
            headers = key_headers(name, "größe", 1)
            response = await client.post("/chat/completions", json=body(), headers=headers)
            assert response.json()["choices"][0]["message"]["content"] == name
    assert key_headers("HumanEval/0", "coding", 2)["X-Consort-Problem"] == "HumanEval/0"


# Scripted failures


async def test_failures_of_a_call_come_once_each_before_its_reply(tmp_path: Path):
    key = {"problem_id": "p", "stage": "coding"}
    lines = [
        {**key, "n": 1, "content": "first"},
        {**key, "n": 1, "status": 500},
        {**key, "n": 1, "status": 429},
        {**key, "n": 2, "status": 503},
        {**key, "n": 2, "status": 502},
    ]
    async with serving(tmp_path, *lines) as server:
        assert [await said(server, "p", "coding", 1) for _ in range(4)] == ["500", "429", "first", "first"]
        assert [await said(server, "p", "coding", 2) for _ in range(4)] == ["503", "502", "502", "502"]
        assert [await said(server, "p", "coding", 3) for _ in range(2)] == ["502", "502"]
        assert server.stats.replies == {"m": 2}
        assert server.stats.errors == {"m": 8}


async def test_a_failure_for_any_call_comes_once_in_all(tmp_path: Path):
    lines = [{"status": 429}, {"problem_id": "p", "stage": "coding", "content": "p"}, {"content": "any"}]
    async with serving(tmp_path, *lines) as server:
        assert [await said(server, "p", "coding", 1) for _ in range(2)] == ["429", "p"]
        assert await said(server, "q", "coding", 1) == "any"


async def test_two_servers_of_one_recording_fail_independently(tmp_path: Path):
    for _ in range(2):
        async with serving(tmp_path, {"status": 500}, HI) as server:
            assert [await said(server) for _ in range(2)] == ["500", "hi"]


async def test_status_headers_and_body_are_sent_as_scripted(tmp_path: Path):
    error = {"error": {"message": "slow down", "type": None, "code": 1302}}
    page = "<html>Bad gateway</html>"
    lines = [
        {
            "status": 429,
            "headers": {"Retry-After": 7, "X-Request-Id": "mine"},
            "body": error,
            "latency": 0.01,
        },
        {"status": 502, "headers": {"Content-Type": "text/html"}, "body": page},
        {"status": 503, "body": ""},
        {"status": 500},
        {"status": 200, "body": {"choices": []}},
    ]
    async with serving(tmp_path, *lines) as server:
        for stream in (False, True):
            got = [await ask(server, stream=stream) for _ in range(5 if not stream else 1)]
            assert (got[-1].status_code, got[-1].json()) == (200, {"choices": []})
            if not stream:
                slow, proxy, empty, plain = got[:4]
                assert (slow.status_code, slow.json()) == (429, error)
                assert (slow.headers["retry-after"], slow.headers["x-request-id"]) == ("7", "mine")
                assert (proxy.status_code, proxy.text) == (502, page)
                assert proxy.headers.get_list("content-type") == ["text/html"]
                assert (empty.status_code, empty.content) == (503, b"")
                assert "500" in plain.json()["error"]["message"]
                ids = [response.headers["x-request-id"] for response in got]
                assert len(set(ids)) == len(ids)


async def test_the_real_client_sees_a_scripted_failure(tmp_path: Path):
    async with serving(tmp_path, {"status": 429, "body": "slow"}) as server, client_of(server) as client:
        with pytest.raises(openai.RateLimitError) as caught:
            await client.chat.completions.create(model="m", messages=[{"role": "user", "content": "?"}], stream=True)
    assert caught.value.response.text == "slow"


@pytest.mark.parametrize("latency", [0, 0.02])
@pytest.mark.parametrize(("after", "seen"), [(0, ""), (4, "abcd"), (10, "abcdefghij"), (99, "abcdefghij")])
async def test_a_stream_is_cut_after_so_many_characters(tmp_path: Path, after: int, seen: str, latency: float):
    line = {"content": "efghij", "reasoning": "abcd", "disconnect_after": after, "latency": latency}
    async with serving(tmp_path, line, HI) as server, raw(server) as client:
        got = b""
        with pytest.raises(httpx2.RemoteProtocolError):
            async with client.stream("POST", "/chat/completions", json=body(stream=True)) as response:
                assert response.status_code == 200
                async for data in response.aiter_bytes():
                    got += data
        events = [json.loads(event[6:]) for event in got.decode().split("\n\n") if event]
        deltas = [event["choices"][0]["delta"] for event in events]
        assert "".join(delta.get("reasoning_content") or delta.get("content", "") for delta in deltas) == seen
        assert await said(server) == "hi"
        assert (server.stats.total_errors, server.stats.total_replies) == (1, 1)


@pytest.mark.parametrize("after", [0, 5, 10_000])
async def test_a_whole_answer_is_cut_too(tmp_path: Path, after: int):
    lines = [{**HI, "disconnect_after": after}, {"status": 500, "disconnect_after": after}]
    async with serving(tmp_path, *lines) as server:
        for _ in range(3):
            with pytest.raises(httpx2.RemoteProtocolError):
                await ask(server)


async def test_the_real_client_raises_on_a_cut_stream(tmp_path: Path):
    line = {"content": "abcdef", "disconnect_after": 3}
    async with serving(tmp_path, line) as server, client_of(server) as client:
        stream = await client.chat.completions.create(
            model="m", messages=[{"role": "user", "content": "?"}], stream=True
        )
        with pytest.raises((openai.APIConnectionError, httpx2.RemoteProtocolError)):
            async for _ in stream:
                pass


# Quotas


async def test_a_model_gives_its_quota_and_then_the_error_of_dashscope(tmp_path: Path):
    lines = [{"quota": {"a": 2, "b": 0}}, {"status": 500}, HI]
    async with serving(tmp_path, *lines) as server:
        assert [await said(server, model="a") for _ in range(4)] == ["500", "hi", "hi", "403"]
        assert [await said(server, model="c") for _ in range(3)] == ["hi", "hi", "hi"]
        error = (await ask(server, model="b")).json()["error"]
        assert error["code"] == error["type"] == "AllocationQuota.FreeTierOnly"
        assert server.stats.replies == {"a": 2, "c": 3}
        assert server.stats.errors == {"a": 2, "b": 1}


async def test_many_clients_at_once_get_no_more_than_the_quota(tmp_path: Path):
    async with serving(tmp_path, {"quota": {"m": 7}}, {**HI, "latency": 0.02}) as server:
        got = await asyncio.gather(*(said(server) for _ in range(20)))
        assert sorted(got) == ["403"] * 13 + ["hi"] * 7


@pytest.mark.parametrize(
    ("script", "status", "text"),
    [
        ({"provider": "openai"}, 429, "insufficient_quota"),
        ({"provider": "mine", "error": {"status": 402, "body": {"message": "pay"}}}, 402, "pay"),
        ({"error": {"status": 418, "body": "no more"}}, 418, "no more"),
    ],
)
async def test_the_error_of_a_spent_quota(tmp_path: Path, script: dict[str, Any], status: int, text: str):
    async with serving(tmp_path, {"quota": {"m": 0}, **script}, HI) as server:
        response = await ask(server)
        assert response.status_code == status
        assert text in response.text


async def test_stats_over_http_count_replies_and_errors_by_model(tmp_path: Path):
    async with serving(tmp_path, {"status": 500}, HI) as server, raw(server) as client:
        await ask(server, model="a")
        await ask(server, model="a")
        await ask(server, model="b", stream=True)
        got = (await client.get(server.url.removesuffix("/v1") + "/stats")).json()
    assert got == {"replies": {"a": 1, "b": 1}, "errors": {"a": 1}, "total_replies": 2, "total_errors": 1}


async def test_a_reply_counts_from_the_moment_it_is_accepted(tmp_path: Path):
    async with serving(tmp_path, {"content": "abcdef", "latency": 3600, "ttft": 0.01}) as server:
        sent = body(stream=True)
        async with raw(server) as client, client.stream("POST", "/chat/completions", json=sent) as response:
            await anext(response.aiter_bytes())
        assert server.stats.replies == {"m": 1}


# Shutting down


@pytest.mark.parametrize("ttft", [0.0, 3600.0])
async def test_leaving_cuts_streams_in_flight_and_idle_connections(tmp_path: Path, ttft: float):
    noise: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: noise.append(context))
    before = asyncio.all_tasks()
    async with contextlib.AsyncExitStack() as clients:
        slow = {"content": "abcdef", "latency": 3600, "ttft": ttft, "match": "slow"}
        async with serving(tmp_path, slow, HI) as server:
            idle = await clients.enter_async_context(raw(server))
            assert (await idle.get("/models")).status_code == 200
            busy = await clients.enter_async_context(raw(server))
            asked = [
                asyncio.create_task(busy.post("/chat/completions", json=body("slow", stream=True))) for _ in range(3)
            ]
            stats = server.url.removesuffix("/v1") + "/stats"
            while (await idle.get(stats)).json()["total_replies"] < 3:
                pass
        outcomes = await asyncio.gather(*asked, return_exceptions=True)
        assert [isinstance(outcome, httpx2.TransportError) for outcome in outcomes] == [True] * 3
        with pytest.raises(httpx2.ConnectError):
            await busy.get("/models")
    assert asyncio.all_tasks() == before
    assert noise == []


async def test_signal_handlers_are_left_alone(tmp_path: Path):
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    async with serving(tmp_path, HI) as server:
        assert await said(server) == "hi"
        assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


async def test_a_taken_port_is_named(tmp_path: Path):
    async with serving(tmp_path, HI) as server:
        port = int(server.url.split(":")[-1].split("/")[0])
        with pytest.raises(OSError, match=f"port {port} .*choose another"):
            async with serving(tmp_path, HI, port=port):
                pass


# The file


def test_blank_lines_are_skipped_and_null_is_absent(tmp_path: Path):
    nulls = {"content": "hi", "problem_id": None, "latency": None, "finish_reason": None, "headers": None}
    recording = load(written(tmp_path, "", nulls, "  ", '\ufeff{"content": "b"}\r', ""))
    assert [reply.content for reply in recording.replies] == ["hi", "b"]
    assert recording.replies[0].finish_reason == "stop"
    assert len(recording.digest) == 64


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([HI, "", '{"content": '], "line 3: no JSON"),
        ([HI, "[1]"], "line 2: no JSON object"),
        ([{**HI, "latencyy": 1}], "line 1: field 'latencyy' is unknown"),
        ([{"stage": "coding"}], "line 1: field 'content' is missing"),
        ([{**HI, "n": 0}], "field 'n' should be greater than or equal to 1"),
        ([{**HI, "n": "1"}], "field 'n' should be a valid integer"),
        ([{**HI, "n": True}], "field 'n' should be a valid integer"),
        ([{**HI, "problem_id": 7}], "field 'problem_id' should be a valid string"),
        ([{**HI, "latency": -1}], "field 'latency'"),
        ([{**HI, "latency": 1, "ttft": 2}], "field 'ttft' is above 'latency'"),
        ([{**HI, "status": 99}], "field 'status'"),
        ([{**HI, "match": "("}], "field 'match' should be a valid regular expression"),
        ([{**HI, "disconnect_after": -1}], "field 'disconnect_after'"),
        ([{**HI, "headers": {"a b": "c"}}], "field 'headers' has a header that HTTP cannot carry, 'a b'"),
        ([{**HI, "headers": {"a": "c\nd"}}], "field 'headers' has a header that HTTP cannot carry, 'a'"),
        ([{**HI, "headers": {"Content-Length": "3"}}], "field 'headers' may not set 'Content-Length'"),
        ([HI, {"quota": {"m": 1}}], "line 2: field 'quota' belongs in the file's first line"),
        ([{"quota": {"m": -1}}, HI], "line 1: field 'quota.m'"),
        ([{"quota": {"m": 1}, "provider": "acme"}, HI], "field 'provider' 'acme' is unknown; use dashscope"),
        ([{"quota": {"m": 1}, "reset": 1}, HI], "field 'reset' is unknown; remove it"),
        ([{"quota": {"m": 1}, "error": {"body": 1}}, HI], "field 'error.status'"),
        ([{"quota": {"m": 1}}], "holds no reply"),
        ([], "holds no reply"),
    ],
)
def test_a_broken_line_is_one_clear_line(tmp_path: Path, lines: list[object], expected: str):
    path = written(tmp_path, *lines)
    with pytest.raises(RecordedFileError) as caught:
        load(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert expected in message
    assert "\n" not in message


def test_a_file_that_is_not_there(tmp_path: Path):
    with pytest.raises(RecordedFileError, match=r"missing\.jsonl: cannot be read .*check the path"):
        load(tmp_path / "missing.jsonl")
    with pytest.raises(RecordedFileError, match="cannot be read"):
        load(tmp_path)


async def test_the_recorded_run_of_humaneval():
    folder = os.environ.get("CONSORT_DATA")
    if not folder:
        pytest.skip("CONSORT_DATA is not set")
    recording = load(Path(folder) / "recorded" / "humaneval_codesim_gpt-oss-120b.jsonl")
    assert (len(recording.replies), recording.models) == (542, ("gpt-oss-120b",))
    async with serve(recording) as server, raw(server) as client:
        for reply in recording.replies:
            assert reply.problem_id and reply.stage and reply.n
            headers = key_headers(reply.problem_id, reply.stage, reply.n)
            sent = body(model="gpt-oss-120b", stream=True)
            response = await client.post("/chat/completions", json=sent, headers=headers)
            texts = [chunk["choices"][0]["delta"].get("content", "") for chunk in chunks(response.text)]
            assert "".join(texts) == reply.content
        assert server.stats.replies == {"gpt-oss-120b": 542}


# The process


async def started(*arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tasks.models.recorded", *arguments),
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_the_process_serves_until_it_is_stopped(tmp_path: Path, number: signal.Signals):
    line = {"content": "hi", "model": "m", "latency": 3600}
    path = written(tmp_path, line, {"content": "cut", "model": "cut", "disconnect_after": 1})
    process = await started(str(path), "--port", "0", "--latency", "0.01", "--api-key", "k", "--pieces", "1")
    assert process.stdout is not None
    url = (await process.stdout.readline()).decode().split()[-1]
    headers = {"Authorization": "Bearer k"}
    async with httpx2.AsyncClient(base_url=url, trust_env=False, headers=headers) as client:
        response = await client.post("/chat/completions", json=body())
        assert response.json()["choices"][0]["message"]["content"] == "hi"
        with pytest.raises(httpx2.RemoteProtocolError):
            await client.post("/chat/completions", json=body(model="cut", stream=True))
        process.send_signal(number)
        out, err = await asyncio.wait_for(process.communicate(), 20)
    assert (process.returncode, out, err) == (0, b"", b"")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["{file}", "--port", "0"], "replies.jsonl, line 1: field 'contents' is unknown"),
        (["missing.jsonl"], "missing.jsonl: cannot be read"),
        (["{good}", "--port", "0", "--model", "z"], "holds no reply of model 'z'"),
        (["{good}", "--port", "0", "--pieces", "0"], "pieces"),
        (["{good}", "--port", "many"], "--port"),
        (["{good}", "--speed", "1"], "--speed"),
        ([], "FILE"),
    ],
)
async def test_the_process_refuses_in_one_line(tmp_path: Path, arguments: list[str], expected: str):
    good = tmp_path / "good.jsonl"
    good.write_text('{"content": "hi", "model": "m"}')
    bad = written(tmp_path, {"contents": "hi"})
    process = await started(*(part.format(file=bad, good=good) for part in arguments))
    out, err = await asyncio.wait_for(process.communicate(), 20)
    assert (process.returncode, out) == (2, b"")
    assert expected in err.decode()
    assert len(err.decode().splitlines()) == 1

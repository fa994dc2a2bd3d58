"""What every failure does to a pool: through real HTTP, with the endpoints that a user would have."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
from starlette.responses import Response, StreamingResponse

from blocks.errors import (
    AccessDenied,
    AuthFailed,
    BadRequest,
    CallError,
    ContentFiltered,
    ContextOverflow,
    PoolExhausted,
    QuotaExhausted,
    RateLimited,
    Throttled,
    Transient,
)
from blocks.records import Message, Reply, Request
from tasks.models import open_pool
from tasks.models.open_pool import OpenPool
from tasks.models.rotation import complete, goes_on
from tests.blocks.test_errors import CASES, Case, named
from tests.models.pools import REQUEST, Server, events, failing, once, pool_at, serving, soon, whole

AT_ONCE = {"Retry-After": "0"}
SPENT = failing(403, {"error": {"code": "AllocationQuota.FreeTierOnly", "message": "spent"}})
DASHSCOPE = {"provider": "dashscope"}
ACCOUNTS = {"a": "mine", "b": "mine", "c": "theirs"}


async def failure(pool: OpenPool, request: Request = REQUEST) -> CallError:
    with pytest.raises(CallError) as caught:
        await complete(pool, request)
    return caught.value


def states(pool: OpenPool) -> dict[str, str]:
    return {each.endpoint: each.state.split()[0] for each in pool.standing()}


# Every row of the table


@pytest.mark.parametrize("case", CASES, ids=named)
async def test_every_row_of_the_table_gives_its_action(case: Case):
    async with (
        serving() as server,
        pool_at(server.url, accounts=ACCOUNTS, endpoint={"provider": case.provider}) as pool,
    ):
        server.answers["a"] = once(failing(case.status, {"error": case.fields}, AT_ONCE))
        await ACTIONS[case.error](case, server, pool)


async def waits(case: Case, server: Server, pool: OpenPool) -> None:
    """The same endpoint is asked again, and nothing is marked."""
    assert (await complete(pool, REQUEST)).endpoint == "a"
    assert server.counts == {"a": 2}
    assert states(pool) == {"a": "fit", "b": "fit", "c": "fit"}


async def spends(case: Case, server: Server, pool: OpenPool) -> None:
    """The model, or every model of its account, is set aside; the next request goes on with what is left."""
    problem = await failure(pool)
    assert (type(problem), problem.elsewhere) == (QuotaExhausted, 1 if case.scope == "account" else 2)
    marked = ["a", "b"] if case.scope == "account" else ["a"]
    assert states(pool) == {name: "spent" if name in marked else "fit" for name in "abc"}
    assert events(pool) == [("exhausted", name) for name in marked]
    assert (await complete(pool, REQUEST)).endpoint == ("c" if case.scope == "account" else "b")
    assert server.counts["a"] == 1


async def denies(case: Case, server: Server, pool: OpenPool) -> None:
    """The model is set aside for this run, where the provider's own table says so; else it is looked at first."""
    unknown = case.status == 403 and (case.provider == "generic" or case.fields["code"] == "SomethingNew")
    problem = await failure(pool)
    assert server.looks == ({"a": 1} if unknown else {})
    assert (type(problem), problem.elsewhere) == (AccessDenied, 0 if unknown else 2)
    assert states(pool)["a"] == ("fit" if unknown else "denied")
    assert (await complete(pool, REQUEST)).endpoint == ("a" if unknown else "b")


async def refuses(case: Case, server: Server, pool: OpenPool) -> None:
    """The account's endpoints are not asked any more; another account's are."""
    problem = await failure(pool)
    assert (type(problem), problem.elsewhere) == (AuthFailed, 1)
    assert states(pool) == {"a": "denied", "b": "denied", "c": "fit"}
    assert (await complete(pool, REQUEST)).endpoint == "c"
    assert server.counts == {"a": 1, "c": 1}


async def fails(case: Case, server: Server, pool: OpenPool) -> None:
    """The request is at fault: it fails, and nothing rotates."""
    problem = await failure(pool)
    assert (type(problem), problem.elsewhere) == (case.error, 0)
    assert states(pool) == {"a": "fit", "b": "fit", "c": "fit"}
    assert server.counts == {"a": 1}
    assert events(pool) == []


ACTIONS = {
    RateLimited: waits,
    Transient: waits,
    QuotaExhausted: spends,
    AccessDenied: denies,
    AuthFailed: refuses,
    BadRequest: fails,
    ContextOverflow: fails,
    ContentFiltered: fails,
}


# Other ways to fail


@pytest.mark.parametrize(
    "trouble",
    [
        pytest.param(lambda _: Response("<html><title>502</title>", 502, AT_ONCE, "text/html"), id="HTML of a proxy"),
        pytest.param(lambda _: Response("<html>Please log in", 200, media_type="text/html"), id="a portal"),
        pytest.param(lambda _: Response(b""), id="an empty body"),
        pytest.param(lambda _: Response(b'data: {"choices"', media_type="text/event-stream"), id="a cut stream"),
    ],
)
async def test_no_answer_worth_the_name_is_asked_for_again(trouble: Any):
    async with serving() as server, pool_at(server.url) as pool:
        server.answers["a"] = once(trouble)
        assert (await complete(pool, REQUEST)).endpoint == "a"
        assert server.counts == {"a": 2}


async def test_a_reply_that_never_comes_to_its_end_is_given_up():
    """Bytes come all the time: it is the whole reply that takes too long."""
    limits = {"timeout": 30, "reply_timeout": 0.5, "tries": 1}
    async with serving() as server, pool_at(server.url, "a", endpoint=limits) as pool:

        async def on_and_on() -> AsyncIterator[bytes]:
            while True:
                yield b'data: {"choices": [{"index": 0, "delta": {"content": "again "}}]}\n\n'
                await asyncio.sleep(0.05)

        server.answers["a"] = lambda _: StreamingResponse(on_and_on(), media_type="text/event-stream")
        problem = await failure(pool)
        assert type(problem) is Transient
        assert "no whole reply in 0.5 s" in problem.message


async def test_a_server_that_hangs_gives_way_to_the_next():
    async with serving() as server, pool_at(server.url, endpoint={"timeout": 0.1, "tries": 2}) as pool:
        never = asyncio.Event()

        async def hang(body: dict[str, Any]) -> Response:
            await never.wait()
            return whole()

        server.answers["a"] = hang
        problem = await failure(pool)
        assert (type(problem), problem.elsewhere) == (Transient, 2)
        assert (await complete(pool, REQUEST)).endpoint == "b"
        never.set()


async def test_a_trouble_that_stays_gives_way_and_the_endpoint_comes_back():
    async with serving() as server, pool_at(server.url) as pool:
        server.answers["a"] = failing(500, "", AT_ONCE)
        problem = await failure(pool)
        assert (type(problem), problem.elsewhere, problem.endpoint) == (Transient, 2, "a")
        assert states(pool)["a"] == "down"
        assert (await complete(pool, REQUEST)).endpoint == "b"
        del server.answers["a"]
        await soon(lambda: states(pool)["a"] == "fit")
        assert (await complete(pool, REQUEST)).endpoint == "a"
        assert events(pool) == [("down", "a"), ("restored", "a")]


async def test_a_request_that_no_server_bears_ends():
    async with serving() as server, pool_at(server.url) as pool:
        for name in "abc":
            server.answers[name] = failing(500, "", AT_ONCE)
        runs, problem = 0, await failure(pool)
        while goes_on(problem, runs := runs + 1):
            problem = await failure(pool)
        assert isinstance(problem, Transient)
        assert runs <= 3


@pytest.mark.parametrize("headers", [{"Retry-After": "121"}, {"Retry-After": "1h"}, {"retry-after-ms": "9999999"}])
async def test_a_long_wait_is_a_spent_quota_until_then(headers: dict[str, str]):
    async with serving() as server, pool_at(server.url, reset="never") as pool:
        server.answers["a"] = failing(429, "", headers)
        assert isinstance(await failure(pool), QuotaExhausted)
        assert "until" in pool.standing()[0].state
        assert (await complete(pool, REQUEST)).endpoint == "b"


async def test_tokens_per_minute_that_come_back_rotate_nothing():
    """As DashScope throttles: in the words of a spent quota, for a moment."""
    body = {
        "error": {"code": "insufficient_quota", "message": "You exceeded your current quota, please check your plan."}
    }
    async with serving() as server, pool_at(server.url, endpoint=DASHSCOPE) as pool:
        server.answers["a"] = once(*[failing(429, body, AT_ONCE)] * 4)
        replies = await asyncio.gather(*(complete(pool, REQUEST) for _ in range(6)))
        assert {reply.endpoint for reply in replies} == {"a"}
        assert states(pool)["a"] == "fit"


async def test_rate_limiting_without_end_is_a_spent_quota_that_is_looked_at_later():
    async with serving() as server, pool_at(server.url) as pool:
        server.answers["a"] = failing(429, "", AT_ONCE)
        pool.endpoints[0].patience = 0.3
        problem = await failure(pool)
        assert (type(problem), problem.elsewhere) == (Throttled, 2)
        (member, *_) = pool.members
        assert member.mark is not None
        assert member.mark.probe
        assert member.mark.until is not None
        assert (member.mark.until - member.mark.at).total_seconds() == 3600
        # An hour later it is still throttled, and two hours later it is not.
        member.mark = member.mark.model_copy(update={"until": member.mark.at})
        assert (await complete(pool, REQUEST)).endpoint == "b"
        await soon(lambda: server.looks["a"] == 1)
        assert states(pool)["a"] == "spent"
        del server.answers["a"]
        member.mark = member.mark.model_copy(update={"until": member.mark.at})
        assert (await complete(pool, REQUEST)).endpoint == "b"
        await soon(lambda: states(pool)["a"] == "fit")
        assert (await complete(pool, REQUEST)).endpoint == "a"


async def test_an_unknown_403_is_looked_at_once_by_all_who_met_it():
    async with serving() as server, pool_at(server.url) as pool:
        gate = asyncio.Barrier(5)

        async def refuse(body: dict[str, Any]) -> Response:
            if body.get("max_tokens") != 1:
                await gate.wait()
            return Response("nobody knows why", 403)

        server.answers["a"] = refuse
        problems = await asyncio.gather(*(failure(pool) for _ in range(5)))
        assert {(type(problem), problem.elsewhere) for problem in problems} == {(AccessDenied, 2)}
        assert server.looks == {"a": 1}
        assert states(pool)["a"] == "denied"


async def test_a_denied_request_is_not_a_denied_model():
    """A firewall that dislikes one prompt: the model is asked for a token, and stays."""
    async with serving() as server, pool_at(server.url) as pool:
        server.answers["a"] = lambda body: whole("a") if body.get("max_tokens") == 1 else Response("no", 403)
        problem = await failure(pool)
        assert (type(problem), problem.elsewhere) == (AccessDenied, 0)
        assert states(pool)["a"] == "fit"


async def test_a_model_that_refuses_everything_is_set_aside_and_nothing_is_lost():
    async with serving() as server, pool_at(server.url) as pool:
        server.answers["a"] = failing(400, {"error": {"message": "only for translation"}})
        ended = await asyncio.gather(*(failure(pool) for _ in range(3)))
        assert [(type(each), each.elsewhere) for each in ended] == [(AccessDenied, 2)] * 3
        assert server.looks == {"a": 1}
        assert (await complete(pool, REQUEST)).endpoint == "b"
        assert events(pool) == [("denied", "a")]


async def test_a_model_that_answers_refuses_a_request_alone():
    async with serving() as server, pool_at(server.url) as pool:
        refused = failing(400, {"error": {"message": "too hot"}})
        server.answers["a"] = lambda body: whole("a") if body.get("max_tokens") == 1 else refused(body)
        for _ in range(3):
            assert type(await failure(pool)) is BadRequest
        assert (server.looks, states(pool)["a"]) == ({"a": 1}, "fit")


async def test_where_no_other_is_left_calls_wait_until_the_server_is_back(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(open_pool, "PROBE_SECONDS", 0.05)
    async with serving() as server:
        port = int(server.url.split(":")[2].partition("/")[0])
        opened = pool_at(server.url, "a", endpoint={"tries": 2})
        pool = await opened.__aenter__()
        assert (await complete(pool, REQUEST)).endpoint == "a"
    calls = [asyncio.ensure_future(complete(pool, REQUEST)) for _ in range(5)]
    await soon(lambda: pool.away)
    async with serving(port) as server:
        assert [reply.endpoint for reply in await asyncio.gather(*calls)] == ["a"] * 5
        assert server.counts == {"a": 5}
        await opened.__aexit__(None, None, None)


async def test_a_server_that_stays_away_ends_the_run(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(open_pool, "OUTAGE", 0.5)
    async with serving() as server:
        opened = pool_at(server.url, "a", endpoint={"tries": 1})
        pool = await opened.__aenter__()
    ended = await asyncio.gather(*(failure(pool) for _ in range(3)))
    assert [type(each) for each in ended] == [PoolExhausted] * 3
    assert isinstance(ended[0].__cause__, Transient)
    assert pool.exhausted
    await opened.__aexit__(None, None, None)


async def test_a_list_that_a_proxy_refused_once_is_believed_again():
    async with serving() as server, pool_at(server.url, "a") as pool:
        (endpoint,) = pool.endpoints
        server.listing = 502
        await endpoint.models()
        assert endpoint.listing == 502
        server.listing = 200
        await endpoint.models()
        assert endpoint.listing == 200


async def test_a_server_that_answers_others_is_not_away(monkeypatch: pytest.MonkeyPatch):
    """It refuses to list its models, and one request: that request fails, whoever else asks is served."""
    monkeypatch.setattr(open_pool, "PROBE_SECONDS", 0.05)
    async with serving() as server, pool_at(server.url, "a", endpoint={"tries": 1}) as pool:
        server.listing = 503
        broken = failing(500, "it does not work")
        server.answers["a"] = lambda body: broken(body) if body["messages"][0]["content"] == "poison" else whole("a")
        poison = REQUEST.model_copy(update={"messages": (Message(role="user", content="poison"),)})
        lost = asyncio.ensure_future(failure(pool, poison))
        while not lost.done():
            assert (await complete(pool, REQUEST)).endpoint == "a"
        assert type(await lost) is Transient
        assert not pool.exhausted


async def test_a_quota_that_is_back_ends_the_wait_for_another_server(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(open_pool, "PROBE_SECONDS", 0.05)
    async with serving() as server, serving() as dead:
        urls = [server.url, dead.url]
        opened = pool_at(urls, "a b", endpoint=DASHSCOPE | {"tries": 1}, reset="after 1h")
        pool = await opened.__aenter__()
        server.answers["a"] = once(SPENT)
        assert isinstance(await failure(pool), QuotaExhausted)
    async with serving(int(urls[0].split(":")[2].partition("/")[0])):
        waiting = asyncio.ensure_future(complete(pool, REQUEST))
        await soon(lambda: pool.away)
        member = pool.members[0]
        assert member.mark is not None
        member.mark = member.mark.model_copy(update={"until": member.mark.at})  # an hour later
        assert (await waiting).endpoint == "a"
        await opened.__aexit__(None, None, None)


async def test_words_in_a_request_or_a_reply_change_nothing():
    said = "Error 403: rate limit, quota exceeded, insufficient_quota, AllocationQuota.FreeTierOnly"
    request = REQUEST.model_copy(
        update={"problem_id": "403_quota.c", "messages": (Message(role="user", content=f"explain: {said}"),)}
    )
    async with serving() as server, pool_at(server.url, endpoint=DASHSCOPE) as pool:
        server.answers["a"] = lambda _: whole(said)
        assert (await complete(pool, request)).text == said
        assert states(pool) == {"a": "fit", "b": "fit", "c": "fit"}
        server.answers["a"] = failing(400, {"error": {"code": "InvalidParameter", "message": f"403_quota.c: {said}"}})
        assert isinstance(await failure(pool, request), BadRequest)
        assert states(pool) == {"a": "fit", "b": "fit", "c": "fit"}


# Failover


async def test_a_spent_model_is_asked_again_by_nobody_who_was_not_in_flight():
    async with serving() as server, pool_at(server.url, endpoint=DASHSCOPE | {"max_concurrency": 2}) as pool:
        server.answers["a"] = SPENT
        ended = await asyncio.gather(*(complete(pool, REQUEST) for _ in range(20)), return_exceptions=True)
        assert server.counts["a"] <= 2
        assert sum(isinstance(each, QuotaExhausted) for each in ended) == server.counts["a"]
        assert all(each.endpoint == "b" for each in ended if isinstance(each, Reply))
        assert events(pool) == [("exhausted", "a")]


async def test_the_order_begins_with_start_and_goes_down_the_list():
    async with serving() as server, pool_at(server.url, "a b c d", endpoint=DASHSCOPE, start="c") as pool:
        for name in "abcd":
            server.answers[name] = SPENT
        for left in (3, 2, 1):
            assert (await failure(pool)).elsewhere == left
        assert isinstance(await failure(pool), PoolExhausted)
        assert list(server.counts) == ["c", "a", "b", "d"]
        assert isinstance(await failure(pool), PoolExhausted)
        assert server.counts.total() == 4, "nobody is asked any more"
        assert events(pool) == [("exhausted", name) for name in "cabd"]


async def test_on_exhausted_stop_asks_no_other_model():
    async with serving() as server, pool_at(server.url, endpoint=DASHSCOPE, on_exhausted="stop") as pool:
        server.answers["a"] = SPENT
        assert isinstance(await failure(pool), PoolExhausted)
        assert isinstance(await failure(pool), PoolExhausted)
        assert server.counts == {"a": 1}


async def test_a_quota_that_is_back_is_used_again():
    async with serving() as server, pool_at(server.url, endpoint=DASHSCOPE, reset="after 1h") as pool:
        server.answers["a"] = once(SPENT)
        assert isinstance(await failure(pool), QuotaExhausted)
        (member, *_) = pool.members
        assert member.mark is not None
        assert member.mark.until is not None
        assert (await complete(pool, REQUEST)).endpoint == "b"
        member.mark = member.mark.model_copy(update={"until": member.mark.at})  # an hour later
        assert (await complete(pool, REQUEST)).endpoint == "a"
        assert events(pool) == [("exhausted", "a"), ("restored", "a")]


async def test_a_failover_pool_waits_for_a_rate_limit():
    async with serving() as server, pool_at(server.url) as pool:
        server.answers["a"] = once(failing(429, "", {"retry-after-ms": "300"}))
        assert (await complete(pool, REQUEST)).endpoint == "a"
        assert server.counts == {"a": 2}


async def test_what_is_down_is_asked_where_nothing_else_is_left():
    async with serving() as server, pool_at(server.url, "a b", endpoint=DASHSCOPE) as pool:
        server.answers["a"] = failing(500, "", AT_ONCE)
        assert isinstance(await failure(pool), Transient)
        server.answers["b"] = SPENT
        assert (await failure(pool)).elsewhere == 1
        server.answers["a"] = once(failing(500, "", AT_ONCE))
        assert (await complete(pool, REQUEST)).endpoint == "a"


# Balancing


@pytest.mark.parametrize("policy", ["round_robin", "least_busy"])
async def test_balanced_endpoints_share_the_work(policy: str):
    async with serving() as server, pool_at(server.url, policy=policy) as pool:
        together = asyncio.Barrier(9)

        async def meet(body: dict[str, Any]) -> Response:
            await together.wait()
            return whole(body["model"])

        server.answers = dict.fromkeys("abc", meet)
        await asyncio.gather(*(complete(pool, REQUEST) for _ in range(9)))
        assert server.counts == {"a": 3, "b": 3, "c": 3}


@pytest.mark.parametrize("policy", ["round_robin", "least_busy"])
@pytest.mark.parametrize("status", [429, 500])
async def test_balanced_calls_go_elsewhere_from_a_short_trouble(policy: str, status: int):
    async with serving() as server, pool_at(server.url, policy=policy) as pool:
        server.answers["a"] = failing(status, "", {"Retry-After": "60"})
        replies = await asyncio.gather(*(complete(pool, REQUEST) for _ in range(12)))
        assert {reply.endpoint for reply in replies} <= {"b", "c"}


async def test_a_server_that_dies_loses_no_call_and_is_used_again_when_it_is_back():
    async with serving() as one, serving() as two, contextlib.AsyncExitStack() as stack:
        three = await stack.enter_async_context(serving())
        port = int(three.url.removesuffix("/v1").rpartition(":")[2])
        async with pool_at([one.url, two.url, three.url], policy="least_busy") as pool:
            assert await served(pool, 30) == {"a": 10, "b": 10, "c": 10}
            in_flight = asyncio.Event()

            async def never(body: dict[str, Any]) -> Response:
                in_flight.set()
                await asyncio.Event().wait()
                return whole()

            three.answers["c"] = never
            calls = asyncio.gather(*(complete(pool, REQUEST) for _ in range(30)))
            await in_flight.wait()
            await stack.aclose()
            assert {reply.endpoint for reply in await calls} == {"a", "b"}
            assert (await served(pool, 30)).keys() <= {"a", "b"}
            async with serving(port):
                await soon(lambda: states(pool)["c"] == "fit")
                assert (await served(pool, 30)).keys() == {"a", "b", "c"}


async def served(pool: OpenPool, calls: int) -> Counter[str]:
    """Who replies to so many calls at once."""
    return Counter(reply.endpoint for reply in await asyncio.gather(*(complete(pool, REQUEST) for _ in range(calls))))


# One endpoint


async def test_a_single_endpoint_is_a_pool_of_one():
    async with serving() as server, pool_at(server.url, "a", endpoint=DASHSCOPE) as pool:
        assert (await complete(pool, REQUEST)).endpoint == "a"
        server.answers["a"] = failing(500, "", AT_ONCE)
        problem = await failure(pool)
        assert (type(problem), problem.elsewhere) == (Transient, 0)
        assert states(pool) == {"a": "fit"}
        server.answers["a"] = SPENT
        problem = await failure(pool)
        assert isinstance(problem, PoolExhausted)
        assert "AllocationQuota.FreeTierOnly" in problem.message


async def test_a_retry_that_starts_over_is_told():
    async with serving() as server, pool_at(server.url, policy="round_robin", names="a b") as pool:
        for name in "ab":
            server.answers[name] = once(lambda _: Response(b"", media_type="text/event-stream"))
        heard: list[str | None] = []
        reply = await complete(pool, REQUEST, heard.append)
        assert heard == [None, None, reply.text]

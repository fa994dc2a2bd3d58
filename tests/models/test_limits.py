"""How many calls a server bears, and how many a minute: against real servers, and between real processes."""

import asyncio
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.responses import Response

from tasks.models import limits
from tasks.models.limits import Adaptive, Rate
from tasks.models.rotation import complete
from tests.models.pools import REQUEST, Server, failing, once, pool_at, serving, whole
from tests.processes import CHECKOUT

# Concurrency


class Narrow:
    """A server that answers 429 above so many in flight, where a call is in flight until its reply has been read.

    A server that counted until it had answered would bear more of a client that is slow to read.
    """

    def __init__(self, server: Server, most: int, headers: dict[str, str] | None = None) -> None:
        self.most, self.headers = most, headers
        self.in_flight = self.refused = self.taken = 0
        server.answers["a"] = self.answer

    async def answer(self, body: dict[str, Any]) -> Response:
        if self.in_flight >= self.most:
            self.refused += 1
            return Response("", 429, self.headers)
        self.in_flight += 1
        self.taken += 1
        await asyncio.sleep(0.05)  # the work
        return whole()

    def read(self) -> None:
        """Note that a reply has been read."""
        self.in_flight -= 1


@pytest.mark.parametrize("headers", [None, {"Retry-After": "1"}])
async def test_many_workers_settle_at_what_a_server_bears(headers: dict[str, str] | None):
    async with serving() as server, pool_at(server.url, "a") as pool:
        narrow, calls, left = Narrow(server, 20, headers), 800, iter(range(800))
        limit = pool.endpoints[0].limit
        seen: list[int] = []

        async def work() -> None:
            for _ in left:
                await complete(pool, REQUEST)
                narrow.read()
                seen.append(int(limit.limit))

        await asyncio.gather(*(work() for _ in range(64)))
        assert narrow.taken == calls
        # What hangs on the clock of a busy machine is left to the benchmark: the share refused, each single limit.
        assert 0 < narrow.refused < 0.25 * calls
        assert 18 <= statistics.median(seen[100:]) <= 22, "all that the server bears is in use, and hardly more"


async def test_max_concurrency_is_where_it_begins_and_ends():
    limit = Adaptive(3)
    assert [limit.open for _ in range(3) if await limit.enter()] == [True, True, False]
    for _ in range(50):
        limit.let_in()
    assert limit.limit == 3


async def test_a_refusal_lowers_the_limit_to_what_is_in_flight_beside_it():
    limit = Adaptive()
    for _ in range(limits.FIRST):
        assert await limit.enter()
    for left in range(limits.FIRST - 1, limits.FIRST - 5, -1):  # four of them, sent together
        limit.refused(now() - 1, None)
        limit.leave()
        assert limit.limit <= left
    assert int(limit.limit) == limits.FIRST - 4
    assert not limit.paused


async def test_where_everything_is_refused_one_call_at_a_time_is_tried():
    limit = Adaptive()
    for wait in (None, 0.05):
        assert await limit.enter()
        limit.refused(now(), wait)
        limit.leave()
    assert (limit.limit, limit.paused) == (1.0, True)
    waiting = [asyncio.ensure_future(limit.enter()) for _ in range(5)]
    assert await asyncio.wait_for(waiting[0], 30)
    assert not limit.paused
    assert limit.load == 5, "one is in flight, the others wait for it"
    assert limit.starved() > 0
    limit.let_in()
    assert limit.starved() == 0
    limit.leave()
    assert await asyncio.wait_for(waiting[1], 30)
    limit.dismiss()
    assert await asyncio.gather(*waiting[2:]) == [False] * 3


async def test_one_who_stops_waiting_leaves_no_hole():
    limit = Adaptive(1)
    assert await limit.enter()
    first, second = (asyncio.ensure_future(limit.enter()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    limit.leave()
    assert await asyncio.wait_for(second, 30)
    third = asyncio.ensure_future(limit.enter())
    await asyncio.sleep(0)
    limit.leave()
    third.cancel()  # in the moment in which its turn comes
    with pytest.raises(asyncio.CancelledError):
        await third
    assert limit.open


@given(st.lists(st.sampled_from(["enter", "leave", "let in", "refused"]), max_size=60), st.integers(1, 40))
def test_whatever_happens_the_limit_is_kept(steps: list[str], most: int):
    async def check() -> None:
        limit = Adaptive(most)
        waiting: list[asyncio.Future[bool]] = []
        inside = 0
        for step in steps:
            if step == "enter":
                waiting.append(asyncio.ensure_future(limit.enter()))
            elif inside and step == "leave":
                limit.leave()
            elif inside and step == "let in":
                limit.let_in()
            elif inside:
                limit.refused(now(), 0.001)
            before, limit_before = inside, limit.limit
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            inside = limit.in_flight
            assert 1 <= limit.limit <= most
            assert inside <= max(before, int(limit_before))
        limit.dismiss()
        await asyncio.gather(*waiting)

    asyncio.run(check())


async def test_a_rate_limit_is_waited_for_by_all():
    """Five workers meet a server that says no to everybody for a while: it is not asked by all of them in turn."""
    async with serving() as server, pool_at(server.url, "a", endpoint={"max_concurrency": 5}) as pool:
        server.answers["a"] = once(*[failing(429, "", {"retry-after-ms": "300"})] * 7)
        await asyncio.gather(*(complete(pool, REQUEST) for _ in range(20)))
        assert server.counts == {"a": 27}
        assert pool.endpoints[0].limit.refusals == 7


# Requests and tokens per minute

TAKING = """
import asyncio, sys
from pathlib import Path
from tasks.models.limits import Rate

async def take():
    rate, taken = Rate(Path(sys.argv[1]), "requests", int(sys.argv[2]), int(sys.argv[3])), 0
    print("ready", flush=True)
    sys.stdin.readline()
    try:
        async with asyncio.timeout(float(sys.argv[4])):
            while True:
                await rate.take(lambda: float(sys.argv[5]))
                taken += 1
    except TimeoutError:
        print(taken)

asyncio.run(take())
"""


def taken_by_two(path: Path, limit: int, window_ms: int, seconds: float, amount: float = 1) -> int:
    """How many takings two processes get done together in so many seconds."""
    arguments = map(str, (path, limit, window_ms, seconds, amount))
    command = [sys.executable, "-c", TAKING, *arguments]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "cwd": CHECKOUT}
    both = [subprocess.Popen(command, **pipes) for _ in range(2)]  # type: ignore[call-overload]
    for process in both:
        assert process.stdout.readline() == "ready\n"
    for process in both:
        process.stdin.write("go\n")
        process.stdin.flush()
    return sum(int(process.communicate(timeout=60)[0]) for process in both)


def test_two_processes_share_the_requests_of_a_minute(tmp_path: Path):
    assert taken_by_two(tmp_path / "limits" / "a.sqlite", 60, limits.MINUTE_MS, 4) == 60


def test_a_window_that_moves_on_lets_more_through(tmp_path: Path):
    window, seconds = 1500, 8
    taken = taken_by_two(tmp_path / "a.sqlite", 40, window, seconds)
    assert 40 * 2 <= taken <= 40 * (seconds * 1000 // window + 1)


def test_tokens_are_counted_in_units(tmp_path: Path):
    taken = taken_by_two(tmp_path / "a.sqlite", 1_000_000, limits.MINUTE_MS, 4, amount=7_777.7)
    assert taken * 7_777.7 == pytest.approx(1_000_000, rel=0.02)


async def test_what_a_reply_took_in_truth_is_counted(tmp_path: Path):
    rate = Rate(tmp_path / "a.sqlite", "tokens", 1000)
    for _ in range(4):
        await rate.take(lambda: 200)
    rate.correct(-700)  # they took 100 together
    for _ in range(4):
        await asyncio.wait_for(rate.take(lambda: 200), 30)
    rate.correct(100)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(rate.take(lambda: 1), 0.2)
    rate.close()


async def test_more_than_a_minute_holds_is_taken_as_all_of_it(tmp_path: Path):
    rate = Rate(tmp_path / "a.sqlite", "tokens", 1000)
    await asyncio.wait_for(rate.take(lambda: 5000), 30)
    rate.close()


async def test_an_endpoint_keeps_its_rates(tmp_path: Path):
    """Two pools of one process stand for two processes: they know nothing of each other but the file."""
    from prefect.settings import PREFECT_HOME, temporary_settings

    usage = {"usage": {"prompt_tokens": 40, "completion_tokens": 60}}
    with temporary_settings({PREFECT_HOME: tmp_path}):
        async with (
            serving() as server,
            pool_at(server.url, "a", endpoint={"tpm": 5000}) as one,
            pool_at(server.url, "a", endpoint={"tpm": 5000}) as two,
        ):
            server.answers["a"] = lambda _: whole("a", **usage)
            calls = [asyncio.ensure_future(complete(pool, REQUEST)) for pool in (one, two) * 60]
            done, waiting = await asyncio.wait(calls, timeout=8)
            for call in waiting:
                call.cancel()
            await asyncio.wait(calls)
            assert 48 <= server.counts["a"] <= 51
            assert len(done) == server.counts["a"]


def now() -> float:
    return asyncio.get_running_loop().time()

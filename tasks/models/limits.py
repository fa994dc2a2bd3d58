"""How much may be asked of an endpoint at once, and in a minute.

`Adaptive` finds out how many calls in flight a server bears: additive increase, multiplicative decrease (Chiu and
Jain 1989), after a slow start, as TCP does. `Rate` keeps requests or tokens per minute, over all processes of a
machine that share its file: a sliding window of pyrate-limiter's, in SQLite under a file lock.
"""

import asyncio
import contextlib
import hashlib
import math
import random
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from pyrate_limiter import SQLiteBucket

    from blocks.endpoint import ModelEndpoint
    from blocks.records import Reply, Request

FIRST = 16  # calls in flight to begin with
EAGER = 0.5  # more calls in flight for each one that was let in, while nothing has been refused
STEADY, PATIENT = 0.02, 100  # and afterwards, that much more for each PATIENT in a row that were let in
DECREASE = 0.95
PAUSE, LONGEST_PAUSE = 0.5, 30.0  # seconds without calls where a server says no time
MOST_UNITS = 5000  # entries that a minute's window is kept as
LEAK_SECONDS = 10.0  # between two clearings of a window
MINUTE_MS = 60_000
TYPICAL_TOKENS, TOKENS_A_CHARACTER = 500.0, 0.25  # of a reply and in a prompt, until the server has told
LEARNING = 0.2  # the share of the latest reply in what is expected of the next, at least


class Adaptive:
    """The calls of one endpoint that may be in flight; `most` bounds them. Used from one event loop.

    A call enters, and leaves; in between it tells whether it was let in or refused. A refusal lowers the limit to
    what is in flight beside it. Where everything is refused, nothing is asked for a while, and then one call.
    """

    def __init__(self, most: int | None = None) -> None:
        self.most = most or math.inf
        self.limit: float = most or FIRST
        self.in_flight = 0
        self.refusals = 0
        self.starving_since: float | None = None  # at one call in flight, and none let in
        self._waiting: deque[asyncio.Future[bool]] = deque()
        self._threshold = math.inf  # below it the limit grows fast
        self._borne = 1.0  # the limit when a refusal came after calls that were let in
        self._lowered_at = -math.inf
        self._in_a_row = 1  # calls that were let in since the limit was lowered
        self._barren = 0  # times in a row that it was lowered without any
        self._paused_until = -math.inf

    @property
    def load(self) -> int:
        """Calls in flight, and waiting to be."""
        return self.in_flight + len(self._waiting)

    @property
    def paused(self) -> bool:
        """Whether the server has refused everything, and is asked nothing for a while."""
        return _now() < self._paused_until

    @property
    def open(self) -> bool:
        """Whether a call that came now would be let go at once."""
        return not self._waiting and self._may_go()

    async def enter(self) -> bool:
        """Wait for a call's turn, first come first served; False where `dismiss` sent it away."""
        if self.open:
            self.in_flight += 1
            return True
        turn: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.result():
                self.leave()
            raise

    def leave(self) -> None:
        """End a call's turn."""
        self.in_flight -= 1
        self._let_go()

    def let_in(self) -> None:
        """Note that the server took a call."""
        self._in_a_row, self._barren, self.starving_since = self._in_a_row + 1, 0, None
        if self.in_flight + 1 >= int(self.limit):  # a limit that nobody reaches says nothing
            more = EAGER if self.limit < self._threshold else STEADY * (1 + self._in_a_row / PATIENT)
            self.limit = min(self.most, self.limit + more)
            self._let_go()

    def refused(self, sent_at: float, wait: float | None) -> None:
        """Note that the server refused a call that was sent at a time of the loop's, and asked to wait seconds."""
        now = _now()
        self.refusals += 1
        if sent_at >= self._lowered_at:  # what was sent before may have been too much for the limit of then
            if self._in_a_row:
                self._borne, self.limit = self.limit, self.limit * DECREASE
            else:
                self._pause(now, wait)
            self._lowered_at, self._in_a_row = now, 0
        self.limit = max(1.0, min(self.limit, self.in_flight - 1))
        if not self.paused:
            self._threshold = min(self._threshold, self.limit)
        if self.limit == 1.0 and self.starving_since is None:
            self.starving_since = now

    def dismiss(self) -> None:
        """Send away whoever waits."""
        while self._waiting:
            _settle(self._waiting.popleft(), False)

    def starved(self) -> float:
        """The seconds for which there was one call in flight at most, and none was let in."""
        return 0.0 if self.starving_since is None else _now() - self.starving_since

    def _pause(self, now: float, wait: float | None) -> None:
        pause = wait or min(LONGEST_PAUSE, PAUSE * 2**self._barren) * random.uniform(0.75, 1.25)
        self.limit, self._barren = 1.0, self._barren + 1
        self._threshold = max(self._threshold, self._borne / 2)
        self._paused_until = max(self._paused_until, now + pause)
        asyncio.get_running_loop().call_at(self._paused_until, self._let_go)

    def _may_go(self) -> bool:
        return self.in_flight < int(self.limit) and not self.paused

    def _let_go(self) -> None:
        while self._waiting and self._may_go():
            if _settle(self._waiting.popleft(), True):
                self.in_flight += 1


class Rates:
    """The requests and tokens per minute of one endpoint, where it sets any; to be closed.

    Tokens are taken by an estimate before a call, which learns from replies, and set right by the reply's own count.
    """

    def __init__(self, endpoint: "ModelEndpoint") -> None:
        path = _window_file(endpoint) if endpoint.rpm or endpoint.tpm else None
        self.requests = Rate(path, "requests", endpoint.rpm) if path and endpoint.rpm else None
        self.tokens = Rate(path, "tokens", endpoint.tpm) if path and endpoint.tpm else None
        self._reply_tokens = TYPICAL_TOKENS
        self._share = TOKENS_A_CHARACTER
        self._heard = 0  # replies that told

    async def take(self, request: "Request") -> float:
        """Wait until a request may be sent; return the tokens that it was taken for."""
        expected = await self.tokens.take(partial(self._expected, request)) if self.tokens is not None else 0.0
        if self.requests is not None:
            await self.requests.take(partial(float, 1))
        return expected

    def settle(self, request: "Request", expected: float, reply: "Reply | None") -> None:
        """Count what a request took in truth: nothing where there is no reply."""
        if self.tokens is None:
            return
        if reply is None:
            self.tokens.correct(-expected)
        elif reply.prompt_tokens is not None and reply.completion_tokens is not None:
            self.tokens.correct(reply.prompt_tokens + reply.completion_tokens - expected)
            self._heard += 1
            weight = max(LEARNING, 1 / self._heard)
            self._share += weight * (reply.prompt_tokens / max(1, _characters(request)) - self._share)
            self._reply_tokens += weight * (reply.completion_tokens - self._reply_tokens)

    def close(self) -> None:
        for rate in (self.requests, self.tokens):
            if rate is not None:
                rate.close()

    def _expected(self, request: "Request") -> float:
        longest = math.inf if request.max_tokens is None else request.max_tokens
        return _characters(request) * self._share + min(longest, self._reply_tokens)


class Rate:
    """So many a minute of something, over all processes that name the same file and table; to be closed.

    What is taken is counted in units of a few, so that a window has no more than MOST_UNITS entries; what was taken
    in excess, or turned out to be less or more (`correct`), is carried into the next taking.
    """

    def __init__(self, path: Path, table: str, limit: int, window_ms: int = MINUTE_MS) -> None:
        self.window_ms = window_ms
        self.unit = math.ceil(limit / MOST_UNITS)
        self.limit = limit // self.unit
        self.path, self.table = path, table
        self._owed = 0.0
        self._turn = asyncio.Lock()  # first come first served
        self._corrected = asyncio.Event()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=table)  # a file lock may wait
        self._bucket: SQLiteBucket | None = None
        self._leaked_at = 0.0

    async def take(self, amount: Callable[[], float]) -> float:
        """Wait until so much may be had, by what is known when it is this one's turn; take it, and return it."""
        async with self._turn:
            taken = amount()
            self._owed += taken
            try:
                await self._until_had()
            except asyncio.CancelledError:
                self._owed -= taken
                raise
            return taken

    def correct(self, difference: float) -> None:
        """Count what a call took more (or less) than it was taken for; whoever waits may have to wait no longer."""
        self._owed += difference
        self._corrected.set()

    def close(self) -> None:
        """Close the window's file."""
        if self._bucket is not None:
            self._thread.submit(self._bucket.close)
        self._thread.shutdown()

    async def _until_had(self) -> None:
        loop = asyncio.get_running_loop()
        while (units := min(self.limit, math.ceil(self._owed / self.unit))) > 0:
            self._corrected.clear()
            wait = await loop.run_in_executor(self._thread, self._put, units)
            if not wait:
                self._owed = 0.0 if units == self.limit else self._owed - units * self.unit
                return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._corrected.wait(), wait)

    def _put(self, units: int) -> float:
        """Put units into the window; return 0, or the seconds until they may fit."""
        from pyrate_limiter import RateItem

        bucket = self._bucket = self._bucket or self._open()
        with bucket.lock:  # the time is taken when nobody else can put
            at = time.time_ns() // 1_000_000  # all processes have this clock
            if time.monotonic() - self._leaked_at > LEAK_SECONDS:
                self._leaked_at = time.monotonic()
                bucket.leak(at)
            item = RateItem("", at, weight=units)
            return 0.0 if bucket.put(item) else max(1, cast("int", bucket.waiting(item))) / 1000

    def _open(self) -> "SQLiteBucket":
        from pyrate_limiter import Rate as Window
        from pyrate_limiter import SQLiteBucket

        self.path.parent.mkdir(parents=True, exist_ok=True)
        return SQLiteBucket.init_from_file(
            [Window(self.limit, self.window_ms)], table=self.table, db_path=str(self.path), use_file_lock=True
        )


def _window_file(endpoint: "ModelEndpoint") -> Path:
    """The file of an endpoint's windows: one for all processes of a user whose calls count together."""
    from prefect.settings import get_current_settings

    who = f"{endpoint.base_url} {endpoint.model} {endpoint.quota_account}"
    return get_current_settings().home / "consort" / f"{hashlib.sha256(who.encode()).hexdigest()[:16]}.sqlite"


def _characters(request: "Request") -> int:
    return sum(len(message.content) for message in request.messages)


def _now() -> float:
    return asyncio.get_running_loop().time()


def _settle(turn: asyncio.Future[bool], go: bool) -> bool:
    """Answer one who waits; False where nobody waits any more."""
    if turn.done():
        return False
    turn.set_result(go)
    return go

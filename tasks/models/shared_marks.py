"""The marks of a pool, in step with the Prefect Variables that every process reads and writes.

A mark counts in this process at once; it is written in the background right away, and the others read it within a
second or two. A server that does not answer costs no call: what is to be written waits.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, NamedTuple

from blocks.marks import Mark, clear_mark, read_marks, write_mark
from tasks.background import beside

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient

REFRESH_SECONDS = 1.0
LAST_SECONDS = 5.0  # that the end of a run waits for what is still to be written
TELLING = 60.0  # seconds between two warnings

logger = logging.getLogger("consort")


class Read(NamedTuple):
    """What the Variables say: the marks by endpoint, and the endpoints whose mark somebody has cleared."""

    marks: dict[str, Mark]
    cleared: set[str]


Apply = Callable[[Read], None]


@asynccontextmanager
async def sharing(pool: str, apply: Apply) -> AsyncIterator["SharedMarks"]:
    """Keep a pool's marks in step; `apply` hears of every reading, the first before this yields."""
    from prefect import get_client

    async with get_client() as client:
        shared = SharedMarks(client, pool, apply)
        await shared.step()
        async with beside(shared.keep()):
            yield shared
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_SECONDS):
                await shared.flush()


class SharedMarks:
    """What is to be written of a pool's marks, and what was read last."""

    def __init__(self, client: "PrefectClient", pool: str, apply: Apply) -> None:
        self.client, self.pool, self.apply = client, pool, apply
        self._pending: dict[str, Mark | None] = {}
        self._known: set[str] = set()  # endpoints whose mark stands in a Variable
        self._news = asyncio.Event()
        self._told = -TELLING

    def put(self, endpoint: str, mark: Mark | None) -> None:
        """Have a mark written, or with None cleared."""
        self._pending[endpoint] = mark
        self._news.set()

    async def keep(self) -> None:
        """Write what is new at once, and read every second."""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), REFRESH_SECONDS)
            self._news.clear()
            await self.step()

    async def step(self) -> None:
        """Write what is pending, then read."""
        if not await self.flush():
            return
        try:
            marks = await read_marks(self.client, self.pool)
        except Exception as problem:  # noqa: BLE001 - a server that does not answer, in whatever way it does not
            self._tell(problem)
            return
        cleared = self._known - marks.keys() - self._pending.keys()
        self._known = set(marks)
        self.apply(Read({name: mark for name, mark in marks.items() if name not in self._pending}, cleared))

    async def flush(self) -> bool:
        """Write what is pending; False where it could not be."""
        for endpoint, mark in list(self._pending.items()):
            try:
                if mark is None:
                    await clear_mark(self.client, self.pool, endpoint)
                else:
                    await write_mark(self.client, self.pool, endpoint, mark)
            except Exception as problem:  # noqa: BLE001 - as above
                self._tell(problem)
                return False
            if self._pending.get(endpoint) is mark:
                del self._pending[endpoint]
            if mark is None:
                self._known.discard(endpoint)
            else:
                self._known.add(endpoint)
        return True

    def _tell(self, problem: Exception) -> None:
        if time.monotonic() - self._told > TELLING:
            self._told = time.monotonic()
            logger.warning("the marks of pool %s cannot be shared now (%s)", self.pool, problem)

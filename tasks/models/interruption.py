"""Ctrl-C: calls that are being paid for come to their end first, and a second Ctrl-C gives them up."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

LAST_SECONDS = 60.0  # that calls in flight have

logger = logging.getLogger("consort")


class Interruption:
    """Whether somebody has interrupted this process."""

    def __init__(self) -> None:
        self.wanted = False
        self._told = False

    def begin(self, work: asyncio.Task[Any]) -> None:
        """Cancel the work; at the second time, end at once. To be called from the event loop."""
        if self.wanted:
            raise KeyboardInterrupt
        self.wanted = True
        work.cancel()

    def tell(self) -> None:
        """Say once why the process goes on for a while."""
        if not self._told:
            self._told = True
            logger.warning("calls in flight come to their end, so that none is paid for again; Ctrl-C gives them up")


INTERRUPTION = Interruption()


async def to_its_end(call: Coroutine[Any, Any, T]) -> T:
    """Await what is being paid for; where the process is interrupted meanwhile, return it nevertheless.

    Whoever awaits this is cancelled at its next await then, by when it has to have kept what it got. Any other
    cancellation ends the call.
    """
    sent = asyncio.ensure_future(call)
    try:
        return await asyncio.shield(sent)
    except asyncio.CancelledError:
        if INTERRUPTION.wanted and not sent.done():
            INTERRUPTION.tell()
            await asyncio.wait([sent], timeout=LAST_SECONDS)
        if not sent.done() or sent.cancelled():
            raise
        task = asyncio.current_task()
        assert task is not None
        task.uncancel()  # as often as it was
        task.cancel()
        return sent.result()
    finally:
        sent.cancel()

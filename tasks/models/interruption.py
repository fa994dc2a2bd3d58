"""Ctrl-C: calls that are being paid for come to their end first, no other begins; a second Ctrl-C gives them up."""

import asyncio
import logging
import signal
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, TypeVar

T = TypeVar("T")

logger = logging.getLogger("consort")


class Interruption:
    """Whether somebody has interrupted this process."""

    def __init__(self) -> None:
        self.wanted = False
        self._told = False

    @contextmanager
    def heeded(self, work: asyncio.Task[Any]) -> Iterator[None]:
        """Have Ctrl-C cancel the work, and the second one end it at once, as asyncio's own handler does.

        Where a shell has it ignored, as for what runs in its background, it stays ignored.
        """
        before = signal.getsignal(signal.SIGINT)
        loop = asyncio.get_running_loop()

        def interrupt(number: int, frame: FrameType | None) -> None:
            if self.wanted:
                raise KeyboardInterrupt
            self.wanted = True
            loop.call_soon_threadsafe(work.cancel)

        if before is not signal.SIG_IGN:
            signal.signal(signal.SIGINT, interrupt)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

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
        if not INTERRUPTION.wanted:
            raise
        INTERRUPTION.tell()
        await asyncio.wait([sent])
        if sent.cancelled():
            raise
        task = asyncio.current_task()
        assert task is not None
        task.uncancel()  # as often as it was
        task.cancel()
        return sent.result()
    finally:
        sent.cancel()

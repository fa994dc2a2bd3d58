"""An event loop whose clock jumps to the next timer whenever nothing else is left to do: hours pass in no time."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class JumpingLoop(asyncio.SelectorEventLoop):
    """A loop that never waits. A wait that no timer would end is an error, where a real loop would hang."""

    def __init__(self) -> None:
        self.now = 0.0
        super().__init__(_Jumping(self))

    def time(self) -> float:
        return self.now


class _Jumping(selectors.DefaultSelector):
    def __init__(self, loop: JumpingLoop) -> None:
        super().__init__()
        self.loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        events: list[tuple[selectors.SelectorKey, int]] = super().select(0)
        if not events:
            if timeout is None:
                raise RuntimeError("nothing will ever happen: no timer is set and nothing is ready")
            self.loop.now += max(0.0, timeout)
        return events


def virtual(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on a loop whose clock jumps, from time 0 on; no task may outlive it."""

    async def alone() -> T:
        try:
            return await work
        finally:
            left = asyncio.all_tasks() - {asyncio.current_task()}
            assert not left, f"left behind: {left}"

    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        return runner.run(alone())

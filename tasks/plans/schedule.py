"""Runs the steps of a plan, each one as soon as it can, while the planner is still writing the rest.

There are no levels and no barriers: a step starts in the moment in which its own dependencies are done and a worker
is free. Where more steps are ready than workers are free it is list scheduling (Graham 1969): the step with the
longest remaining path first (Hu 1961), over what is known of the plan by then.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Iterator, Mapping
from typing import Generic, TypeVar

from tasks.plans.graph import remaining
from tasks.plans.records import Step

Result = TypeVar("Result")
Perform = Callable[[Step, Mapping[int, Result]], Awaitable[Result]]
Weight = Callable[[Step], float]


def by_budget(step: Step) -> float:
    """Weigh a step by the tokens that it may take, as its time depends on them."""
    return step.token_budget


class Schedule(Generic[Result]):
    """The steps of one plan as they run. What it holds outlives what `run` raises.

    `perform(step, results)` does a step, given the results of its dependencies by their ids. That a step failed is
    a result too, and its dependants go on; an exception says that no more can be done, and no step starts any more.

    - `done`: the results by step id, in the order in which they came.
    - `in_flight`: the steps that are running; after the end, those that were cut off.
    - `waiting`: the steps that arrived and have not started; after the end, those that never did.
    - `plan_ended`: the plan came to its end, so all its steps are known.
    - `timed_out`: the deadline came first.
    """

    def __init__(
        self, perform: Perform[Result], *, workers: int, weight: Weight = by_budget, deadline: float | None = None
    ) -> None:
        if workers < 1:
            raise ValueError(f"workers is {workers}: at least one is needed")
        self.done: dict[int, Result] = {}
        self.in_flight: dict[int, Step] = {}
        self.waiting: dict[int, Step] = {}
        self.plan_ended = False
        self.timed_out = False
        self._perform, self._workers, self._weight, self._deadline = perform, workers, weight, deadline
        self._seen: set[int] = set()
        self._reading = True
        self._failure: Exception | None = None
        self._changed = asyncio.Event()

    async def run(self, plan: AsyncIterable[Step]) -> None:
        """Run the steps that `plan` yields, in whatever order they come. To be run once.

        Returns when the plan has ended and all that could start is done, or when the deadline (in seconds of the
        loop's clock from now) has passed; then the reading of the plan and the steps in flight have been cancelled
        and awaited, and `timed_out` is set.

        The first exception of `perform` or of `plan` is raised as it is. Before that the steps in flight and the
        planner come to their own end, within the deadline, since they are being paid for. A cancellation from outside
        cancels all of them. Whatever the end, no task is left behind.

        Whether the plan is sound is for `plan` to tell by raising: a step whose dependencies never come, or never
        can, stays in `waiting`, and a second step of an id is passed over.
        """
        try:
            async with asyncio.timeout(self._deadline), asyncio.TaskGroup() as group:
                group.create_task(self._read(plan))
                while self._reading or self.in_flight:
                    await self._changed.wait()
                    self._changed.clear()
                    for step in self._next():
                        self.in_flight[step.id] = self.waiting.pop(step.id)
                        group.create_task(self._do(step))
        except TimeoutError:  # of the clock alone: what the steps and the plan raise is kept
            self.timed_out = True
        if self._failure is not None:
            raise self._failure

    async def _read(self, plan: AsyncIterable[Step]) -> None:
        with self._keeping_failure():
            async for step in plan:
                if step.id not in self._seen:
                    self._seen.add(step.id)
                    self.waiting[step.id] = step
                    self._changed.set()
            self.plan_ended = True
        self._reading = False
        self._changed.set()

    def _next(self) -> list[Step]:
        """Return the steps that start now."""
        if self._failure is not None:
            return []
        waiting = self.waiting.values()
        ready = [step for step in waiting if self.done.keys() >= set(step.depends_on)]
        return in_order(ready, waiting, self._weight)[: self._workers - len(self.in_flight)]

    async def _do(self, step: Step) -> None:
        with self._keeping_failure():
            self.done[step.id] = await self._perform(step, {id: self.done[id] for id in step.depends_on})
        del self.in_flight[step.id]  # one that is cut off does not come here
        self._changed.set()

    @contextlib.contextmanager
    def _keeping_failure(self) -> Iterator[None]:
        """Keep what is raised inside until the others have ended; only a cancellation of this task passes."""
        try:
            yield
        except Exception as failure:  # noqa: BLE001 - raised by `run`
            self._failure = self._failure or failure
        except asyncio.CancelledError as cancelled:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            if self._failure is None:  # or the end would look like that of a plan that is done
                self._failure = RuntimeError("what a step or the plan waited for has been cancelled")
                self._failure.__cause__ = cancelled


def in_order(ready: Iterable[Step], waiting: Iterable[Step], weight: Weight) -> list[Step]:
    """Return the steps that are ready in the order in which they should start, of all that are known to be `waiting`.

    The one with the longest remaining path comes first, of equal ones the first in `ready`.
    """
    left = remaining(waiting, weight)
    return sorted(ready, key=lambda step: -left[step.id])

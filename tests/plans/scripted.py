"""Plans whose steps take seconds that are written down, run by the real schedule on a clock that jumps.

Beside it what the times are to be compared with, computed in other ways than the schedule does.
"""

import asyncio
import heapq
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from functools import cache
from typing import NamedTuple

from tasks.plans.records import Step
from tasks.plans.schedule import Schedule, Weight
from tests.plans.clock import virtual


class Script(NamedTuple):
    """The steps of a plan, in the order of their arrival, and the seconds that each takes."""

    steps: tuple[Step, ...]
    seconds: Mapping[int, float]

    def weight(self, step: Step) -> float:
        return self.seconds[step.id]


class Played(NamedTuple):
    """When each step arrived, started and ended, and when all was over."""

    arrived: dict[int, float]
    started: dict[int, float]
    ended: dict[int, float]
    total: float


def script(**steps: tuple[float, str]) -> Script:
    """Return a script of steps by name (s1, s2, …): the seconds and the ids of the dependencies."""
    made = [step(int(name[1:]), *map(int, needs.split())) for name, (_, needs) in steps.items()]
    return Script(tuple(made), {int(name[1:]): seconds for name, (seconds, _) in steps.items()})


def step(id: int, *depends_on: int, budget: int = 100) -> Step:
    return Step(id=id, task=f"task {id}", difficulty=1 + id % 9, token_budget=budget, depends_on=depends_on)


SHAPES: dict[str, Script] = {
    "chain": script(s1=(3, ""), s2=(1, "1"), s3=(4, "2"), s4=(1, "3"), s5=(5, "4")),
    "fan-out": script(s1=(2, ""), s2=(7, "1"), s3=(1, "1"), s4=(8, "1"), s5=(2, "1"), s6=(3, "2 3 4 5")),
    "diamond": script(s1=(1, ""), s2=(2, "1"), s3=(9, "1"), s4=(1, "2 3")),
    "two chains": script(s1=(5, ""), s2=(20, ""), s3=(5, "1")),
}


def random_script(dice: random.Random, most: int = 32) -> Script:
    """Return a plan of 2 to `most` steps, of any density, with latencies from 0.1 to 30 seconds."""
    size, density = dice.randint(2, most), dice.choice([0.05, 0.1, 0.2, 0.4, 0.8])
    steps = tuple(step(id, *(n for n in range(1, id) if dice.random() < density)) for id in range(1, size + 1))
    return Script(steps, {step.id: dice.uniform(0.1, 30) ** dice.choice([0.5, 1]) for step in steps})


async def arriving(script: Script, gaps: Sequence[float] = ()) -> AsyncIterator[Step]:
    """The steps of a script, each after its gap; all at once without gaps."""
    for number, each in enumerate(script.steps):
        if gaps:
            await asyncio.sleep(gaps[number])
        yield each


def play(
    script: Script, *, workers: int = 32, gaps: Sequence[float] = (), weight: Weight | None = None, **more: float
) -> Played:
    """Run the schedule over a script on the jumping clock."""
    arrived: dict[int, float] = {}
    started: dict[int, float] = {}
    ended: dict[int, float] = {}

    async def noted() -> AsyncIterator[Step]:
        async for each in arriving(script, gaps):
            arrived[each.id] = now()
            yield each

    async def perform(step: Step, given: Mapping[int, int]) -> int:
        assert step.id not in started
        assert list(given.items()) == [(id, id) for id in step.depends_on]
        started[step.id] = now()
        await asyncio.sleep(script.seconds[step.id])
        ended[step.id] = now()
        return step.id

    async def run() -> float:
        schedule = Schedule(perform, workers=workers, weight=weight or script.weight, **more)
        await schedule.run(noted())
        assert schedule.plan_ended
        assert (schedule.timed_out, schedule.in_flight, schedule.waiting) == (False, {}, {})
        assert schedule.done == {step.id: step.id for step in script.steps}
        return now()

    total = virtual(run())
    return Played(arrived, started, ended, total)


def now() -> float:
    return asyncio.get_running_loop().time()


def critical_path(script: Script) -> float:
    """The seconds of the longest path: no schedule is faster, with whatever workers."""
    return max(_path_to(script).values())


def lower_bound(script: Script, workers: int) -> float:
    """The longer of the critical path and of the work shared out evenly: not always to be reached."""
    return max(critical_path(script), sum(script.seconds.values()) / workers)


def graham_bound(script: Script, workers: int) -> float:
    """What list scheduling never passes, whatever its priorities (Graham 1969)."""
    return sum(script.seconds.values()) / workers + (1 - 1 / workers) * critical_path(script)


def listed(script: Script, workers: int) -> float:
    """What list scheduling takes that starts the step with the longest remaining path first."""
    needs = {step.id: set(step.depends_on) for step in script.steps}
    then: dict[int, list[int]] = {id: [n for n in needs if id in needs[n]] for id in needs}

    @cache
    def left(id: int) -> float:
        return script.seconds[id] + max(map(left, then[id]), default=0.0)

    ready, running, clock = [(-left(id), id) for id in needs if not needs[id]], list[tuple[float, int]](), 0.0
    heapq.heapify(ready)
    while ready or running:
        while ready and len(running) < workers:
            _, id = heapq.heappop(ready)
            heapq.heappush(running, (clock + script.seconds[id], id))
        clock, over = heapq.heappop(running)
        for id in then[over]:
            needs[id].discard(over)
            if not needs[id]:
                heapq.heappush(ready, (-left(id), id))
    return clock


def level_by_level(script: Script) -> float:
    """What an engine takes that starts a level when the one before it has ended."""
    level: dict[int, int] = {}
    for each in script.steps:
        level[each.id] = 1 + max((level[id] for id in each.depends_on), default=0)
    return sum(max(script.seconds[id] for id in level if level[id] == n) for n in set(level.values()))


def _path_to(script: Script) -> dict[int, float]:
    ends: dict[int, float] = {}
    for each in script.steps:
        ends[each.id] = script.seconds[each.id] + max((ends[id] for id in each.depends_on), default=0.0)
    return ends

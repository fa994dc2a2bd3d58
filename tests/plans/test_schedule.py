"""The schedule on a clock that jumps: its seconds are exact, and hours take no time."""

import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.plans.graph import remaining
from tasks.plans.records import Step
from tasks.plans.schedule import Schedule, by_budget, in_order
from tests.plans.clock import virtual
from tests.plans.scripted import (
    SHAPES,
    Script,
    arriving,
    critical_path,
    graham_bound,
    level_by_level,
    listed,
    lower_bound,
    now,
    play,
    random_script,
    script,
    step,
)

BARELY = 1e-6  # seconds that rounding may take
SCRIPTS = [random_script(random.Random(seed)) for seed in range(200)]


class Spent(Exception):
    """A model that is spent."""


# How long it takes


@pytest.mark.parametrize("name", SHAPES)
def test_a_plan_takes_its_critical_path(name: str):
    assert play(SHAPES[name]).total == pytest.approx(critical_path(SHAPES[name]), abs=BARELY)


def test_no_step_waits_for_a_level():
    two_chains = SHAPES["two chains"]
    assert play(two_chains).total == pytest.approx(20)
    assert level_by_level(two_chains) == 25


def test_200_random_plans_take_their_critical_paths():
    for each in SCRIPTS:
        assert play(each).total <= 1.05 * critical_path(each)


@pytest.mark.parametrize("workers", [1, 2, 3, 4, 8])
def test_few_workers_take_what_list_scheduling_takes(workers: int):
    for each in SCRIPTS:
        total = play(each, workers=workers).total
        assert total <= 1.1 * listed(each, workers)
        assert lower_bound(each, workers) - BARELY <= total <= graham_bound(each, workers) + BARELY


@pytest.mark.parametrize("workers", [2, 3, 4])
def test_times_that_nobody_knew_beforehand_keep_to_grahams_bound(workers: int):
    for each in SCRIPTS:
        assert play(each, workers=workers, weight=by_budget).total <= graham_bound(each, workers) + BARELY


def test_the_longest_remaining_path_goes_first():
    plan = script(s1=(1, ""), s2=(1, ""), s3=(1, ""), s4=(5, "3"), s5=(2, "2"))
    assert list(play(plan, workers=1).started) == [3, 4, 2, 5, 1]


def test_equal_paths_go_in_the_order_of_the_plan():
    plan = script(s3=(1, ""), s1=(1, ""), s2=(1, ""))
    assert list(play(plan, workers=1).started) == [3, 1, 2]


# While the planner writes


def test_the_first_step_starts_before_the_second_is_written():
    """A planner that takes 6 seconds to write 6 steps."""
    played = play(SHAPES["fan-out"], gaps=[1] * 6)
    assert played.started[1] == played.arrived[1] == pytest.approx(1)
    assert played.started[1] < played.arrived[2] == pytest.approx(2)
    assert played.total < 6 + critical_path(SHAPES["fan-out"])
    assert played.total == pytest.approx(max(1 + 2, 2, 4) + 8 + 3)


def test_a_dependency_may_arrive_after_its_dependant():
    played = play(script(s2=(1, "1"), s1=(1, "")), gaps=[0, 10])
    assert played.started == {1: pytest.approx(10), 2: pytest.approx(11)}


def test_steps_that_arrive_together_are_weighed_together():
    """All that one piece of a reply brings is known before the first of it starts."""
    plan = script(s1=(1, ""), s2=(9, ""))
    assert list(play(plan, workers=1).started) == [2, 1]
    assert list(play(plan, workers=1, gaps=[0, 0.5]).started) == [1, 2]


def test_an_empty_plan_is_done_at_once():
    assert play(Script((), {})).total == 0


# What may go wrong


async def failing_with(failed: int, step: Step, given: Mapping[int, str | None]) -> str | None:
    """Do a step in as many seconds as its id says; the result of one of them is a failure."""
    await asyncio.sleep(step.id)
    without = [id for id, result in given.items() if result is None]
    return None if step.id == failed else f"{step.id} without {without}" if without else str(step.id)


def test_a_failed_step_costs_its_dependants_only():
    plan = script(s1=(0, ""), s2=(0, ""), s3=(0, "1"), s4=(0, "2"), s5=(0, "3 4"))

    async def run() -> dict[int, str | None]:
        schedule = Schedule[str | None](lambda step, given: failing_with(1, step, given), workers=8)
        await schedule.run(arriving(plan))
        assert now() == pytest.approx(2 + 4 + 5)
        return schedule.done

    assert virtual(run()) == {1: None, 2: "2", 3: "3 without [1]", 4: "4", 5: "5"}


def test_a_step_that_never_answers_ends_at_its_own_deadline():
    async def perform(step: Step, given: Mapping[int, str | None]) -> str | None:
        try:
            async with asyncio.timeout(30):
                await (asyncio.Event().wait() if step.id == 1 else asyncio.sleep(1))
        except TimeoutError:
            return None
        return "done"

    async def run() -> None:
        schedule = Schedule(perform, workers=8, deadline=600)
        await schedule.run(arriving(script(s1=(0, ""), s2=(0, ""), s3=(0, "1"), s4=(0, "2"))))
        assert schedule.done == {2: "done", 4: "done", 1: None, 3: "done"}
        assert now() == pytest.approx(31)
        assert not schedule.timed_out

    virtual(run())


def test_at_the_deadline_what_is_in_flight_is_cut_off():
    async def run() -> None:
        schedule = Schedule(sleeping, workers=2, deadline=25)
        await schedule.run(arriving(script(s10=(0, ""), s20=(0, ""), s30=(0, "10"), s40=(0, "20"), s50=(0, "40"))))
        assert now() == pytest.approx(25)
        assert schedule.done == {10: 10, 20: 20}
        assert (list(schedule.in_flight), list(schedule.waiting)) == ([30, 40], [50])
        assert schedule.timed_out
        assert schedule.plan_ended

    virtual(run())


def test_the_deadline_ends_a_planner_that_never_does():
    closed: list[float] = []

    async def plan() -> AsyncIterator[Step]:
        try:
            yield step(1)
            await asyncio.Event().wait()
        finally:
            closed.append(now())

    async def run() -> None:
        schedule = Schedule(sleeping, workers=2, deadline=25)
        await schedule.run(plan())
        assert (schedule.done, schedule.timed_out, schedule.plan_ended) == ({1: 1}, True, False)
        assert closed == [pytest.approx(25)]

    virtual(run())


def test_a_deadline_that_has_passed_starts_nothing():
    async def run() -> None:
        schedule = Schedule(sleeping, workers=2, deadline=0)
        await schedule.run(arriving(SHAPES["chain"]))
        assert (schedule.done, schedule.timed_out) == ({}, True)

    virtual(run())


def test_what_is_saved_at_the_deadline_is_kept():
    async def perform(step: Step, given: Mapping[int, str]) -> str:
        try:
            await asyncio.sleep(100)
        except asyncio.CancelledError:
            return "half of it"
        return "all of it"

    async def run() -> None:
        schedule = Schedule(perform, workers=1, deadline=25)
        await schedule.run(arriving(script(s1=(0, ""), s2=(0, "1"))))
        assert schedule.done == {1: "half of it"}
        assert (list(schedule.in_flight), list(schedule.waiting), schedule.timed_out) == ([], [2], True)

    virtual(run())


async def sleeping(step: Step, given: Mapping[int, int]) -> int:
    await asyncio.sleep(step.id)
    return step.id


async def spent_at_2(step: Step, given: Mapping[int, int]) -> int:
    await asyncio.sleep(step.id)
    if step.id in (2, 3):
        raise Spent(str(step.id))
    return step.id


def test_when_a_model_is_spent_what_is_in_flight_is_kept():
    """No step starts any more, the planner writes on, the first exception is raised as it is."""
    written: list[int] = []

    async def plan() -> AsyncIterator[Step]:
        async for each in arriving(script(s1=(0, ""), s2=(0, ""), s3=(0, ""), s9=(0, "1"), s4=(0, "1 2"))):
            yield each
        await asyncio.sleep(15)
        yield step(5)
        written.append(5)

    async def run() -> None:
        schedule = Schedule(spent_at_2, workers=8)
        with pytest.raises(Spent, match="2"):
            await schedule.run(plan())
        assert now() == pytest.approx(15)
        assert schedule.done == {1: 1, 9: 9}
        assert (list(schedule.in_flight), list(schedule.waiting)) == ([], [4, 5])
        assert (written, schedule.plan_ended) == ([5], True)

    virtual(run())


@pytest.mark.parametrize("error", [ValueError("a cycle"), Spent("planner"), TimeoutError("of its own")])
def test_when_the_plan_is_rejected_what_is_in_flight_is_kept(error: Exception):
    async def plan() -> AsyncIterator[Step]:
        for each in (step(7), step(2), step(3, 2), step(4, 5)):
            yield each
        await asyncio.sleep(3)
        raise error

    async def run() -> None:
        schedule = Schedule(sleeping, workers=8)
        with pytest.raises(type(error)) as raised:
            await schedule.run(plan())
        assert raised.value is error
        assert now() == pytest.approx(7)
        assert schedule.done == {2: 2, 3: 3, 7: 7}
        assert (list(schedule.waiting), schedule.plan_ended, schedule.timed_out) == ([4], False, False)

    virtual(run())


def test_after_a_failure_the_deadline_holds_still():
    async def run() -> None:
        schedule = Schedule(spent_at_2, workers=8, deadline=10)
        with pytest.raises(Spent, match="2"):
            await schedule.run(arriving(script(s2=(0, ""), s60=(0, ""))))
        assert now() == pytest.approx(10)
        assert (schedule.timed_out, list(schedule.in_flight)) == (True, [60])

    virtual(run())


def test_a_cancellation_from_outside_cancels_everything():
    ends: list[str] = []

    async def perform(step: Step, given: Mapping[int, int]) -> int:
        try:
            return await sleeping(step, given)
        finally:
            ends.append(f"step {step.id}")

    async def plan() -> AsyncIterator[Step]:
        try:
            async for each in arriving(script(s1=(0, ""), s50=(0, ""), s60=(0, ""), s2=(0, "60"))):
                yield each
            await asyncio.sleep(100)
        finally:
            ends.append("plan")

    async def run() -> None:
        schedule = Schedule(perform, workers=8, deadline=1000)
        running = asyncio.create_task(schedule.run(plan()))
        await asyncio.sleep(10)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert sorted(ends) == ["plan", "step 1", "step 50", "step 60"]
        assert (schedule.done, list(schedule.in_flight), list(schedule.waiting)) == ({1: 1}, [60, 50], [2])
        assert now() == pytest.approx(10)
        assert not schedule.timed_out

    virtual(run())


@pytest.mark.parametrize("where", ["step", "plan"])
def test_a_cancellation_from_within_does_not_pass_for_an_end(where: str):
    async def cancelled(at: str) -> None:
        if at == where:
            future = asyncio.get_running_loop().create_future()
            future.cancel()
            await future

    async def perform(step: Step, given: Mapping[int, int]) -> int:
        await cancelled("step")
        return await sleeping(step, given)

    async def plan() -> AsyncIterator[Step]:
        yield step(1)
        await cancelled("plan")

    async def run() -> None:
        with pytest.raises(RuntimeError, match="has been cancelled"):
            await Schedule(perform, workers=8).run(plan())

    virtual(run())


def test_steps_that_can_never_start_are_left_waiting():
    """A step that depends on itself, two on each other, one on nobody; and a second step of an id."""

    async def run() -> None:
        schedule = Schedule(sleeping, workers=1)
        await schedule.run(
            arriving(Script((step(1), step(2, 2), step(3, 4), step(4, 3), step(5, 99), step(1, 9)), {}))
        )
        assert (schedule.done, list(schedule.waiting)) == ({1: 1}, [2, 3, 4, 5])

    virtual(run())


@pytest.mark.parametrize("workers", [0, -1])
def test_somebody_has_to_work(workers: int):
    with pytest.raises(ValueError, match="workers"):
        Schedule(sleeping, workers=workers)


# Whatever the plan


@st.composite
def plans(draw: st.DrawFn) -> tuple[Script, list[float]]:
    """A random plan in a random order of arrival, with the gaps between arrivals; times often tie, or are zero."""
    size = draw(st.integers(1, 12))
    needs = {id: draw(st.sets(st.integers(1, id - 1))) if id > 1 else set() for id in range(1, size + 1)}
    order = draw(st.permutations(sorted(needs)))
    times = st.lists(st.integers(0, 5) | st.floats(0, 5), min_size=size, max_size=size)
    steps = tuple(step(id, *sorted(needs[id])) for id in order)
    return Script(steps, dict(zip(order, draw(times), strict=True))), draw(times)


@settings(deadline=None, max_examples=300)
@given(plans(), st.integers(1, 5), st.booleans())
def test_whatever_the_plan_its_rules_are_kept(plan: tuple[Script, list[float]], workers: int, known: bool):
    script, gaps = plan
    played = play(script, workers=workers, gaps=gaps, weight=None if known else by_budget)
    assert sorted(played.started) == sorted(played.ended) == sorted(script.seconds), "every step once"
    spans = {id: (played.started[id], played.ended[id]) for id in played.started}
    ready = {
        each.id: max([played.arrived[each.id], *(played.ended[id] for id in each.depends_on)])
        for each in script.steps
    }
    assert all(spans[id][0] >= ready[id] for id in spans), "never before what it depends on"
    for moment, after in itertools.pairwise(
        sorted({0.0, *played.arrived.values(), *itertools.chain(*spans.values())})
    ):
        if after - moment > BARELY:
            between = (moment + after) / 2
            busy = sum(start < between < end for start, end in spans.values())
            waiting = [id for id in spans if ready[id] < between < spans[id][0]]
            assert busy <= workers
            assert busy == workers or not waiting, "nobody is idle while a step is ready"


@settings(deadline=None)
@given(plans())
def test_the_remaining_path_of_a_part_of_a_plan(plan: tuple[Script, list[float]]):
    steps = plan[0].steps[: 1 + len(plan[0].steps) // 2]

    def longest(each: Step) -> float:
        return plan[0].weight(each) + max(
            (longest(other) for other in steps if each.id in other.depends_on), default=0.0
        )

    assert remaining(steps, plan[0].weight) == pytest.approx({each.id: longest(each) for each in steps})


def test_steps_on_a_cycle_have_an_order_too():
    steps = [step(1, budget=5), step(2, 1, 3, budget=7), step(3, 2, budget=9)]
    assert in_order(steps, steps, by_budget) == steps[::-1]

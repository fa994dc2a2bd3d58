"""What the schedule of a plan's steps makes of scripted latencies, and what it costs itself.

The seconds are virtual: the shipped schedule runs on an event loop whose clock jumps. Wall time is set against the
critical path; with W workers against list scheduling by the longest remaining path, against what no schedule can
beat (the longer of critical path and work / W), and against what list scheduling never passes (Graham's bound).

    python -m tests.benchmarks.planning
"""

import random
import statistics
import time
from collections.abc import Callable, Iterable

from tasks.plans.records import Plan
from tasks.plans.schedule import Weight, by_budget
from tasks.plans.theory import Pace, timeline
from tests.plans.scripted import (
    SHAPES,
    Script,
    critical_path,
    graham_bound,
    level_by_level,
    listed,
    lower_bound,
    play,
    random_script,
)

PLANS = 200


def main() -> None:
    """Print the ratios, the gain of streaming, and the schedule's own seconds."""
    scripts = [random_script(random.Random(seed)) for seed in range(PLANS)]
    _critical_paths(scripts)
    _workers(scripts)
    _streaming()
    _theory(scripts)
    _own_time(scripts)


def _critical_paths(scripts: list[Script]) -> None:
    print("wall time / critical path (aim: at most 1.05)")
    for name, shape in SHAPES.items():
        wall, path = play(shape).total, critical_path(shape)
        print(f"  {name:<10} {wall / path:.4f}   {wall:.1f} s, level by level {level_by_level(shape):.1f} s")
    print(f"  {PLANS} random   {_said(play(each).total / critical_path(each) for each in scripts)}")
    print(f"  level by level {_said(level_by_level(each) / critical_path(each) for each in scripts)}")


def _workers(scripts: list[Script]) -> None:
    print(
        f"W workers, {PLANS} random plans: wall time / list scheduling (aim: at most 1.1), / lower bound, / Graham's"
    )
    bounds: tuple[Callable[[Script, int], float], ...] = (listed, lower_bound, graham_bound)
    for known, weight in (("latencies known", None), ("latencies unknown", by_budget)):
        for workers in (1, 2, 3, 4, 8):
            totals = [_total(each, workers, weight) for each in scripts]
            ratios = (
                _said(total / bound(each, workers) for total, each in zip(totals, scripts, strict=True))
                for bound in bounds
            )
            print(f"  {known}, W = {workers}: {' | '.join(ratios)}")


def _total(script: Script, workers: int, weight: Weight | None) -> float:
    return play(script, workers=workers, weight=weight).total


def _streaming() -> None:
    print("a planner that writes a step a second")
    for name, shape in SHAPES.items():
        played, planning = play(shape, gaps=[1.0] * len(shape.steps)), float(len(shape.steps))
        after = planning + critical_path(shape)
        print(f"  {name:<10} {played.total:.1f} s, {after:.1f} s where steps wait for the whole plan")


def _theory(scripts: list[Script]) -> None:
    """How far the theory is from what the schedule does, given the true latencies."""
    off = []
    for each in scripts:
        models = {id: str(id) for id in each.seconds}
        paces = {str(id): Pace(latency=seconds, throughput=float("inf")) for id, seconds in each.seconds.items()}
        planner, plan = Pace(latency=0, throughput=1), Plan(steps=each.steps)
        expected = timeline(plan, models, paces, planner, workers=3, weight=each.weight, written=lambda _: 1)
        off.append(abs(expected.total - play(each, workers=3, gaps=[1.0] * len(each.steps)).total))
    print(f"theory and schedule, 3 workers: at most {max(off):.2e} s apart")


def _own_time(scripts: list[Script]) -> None:
    began = time.process_time()
    for each in scripts:
        play(each, workers=3)
    spent, steps = time.process_time() - began, sum(len(each.steps) for each in scripts)
    print(
        f"CPU of a plan, its event loop included: {1000 * spent / PLANS:.2f} ms, {1e6 * spent / steps:.0f} µs a step"
    )


def _said(ratios: Iterable[float]) -> str:
    values = list(ratios)
    return f"mean {statistics.fmean(values):.3f} max {max(values):.3f}"


if __name__ == "__main__":
    main()

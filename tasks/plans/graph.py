"""The graph that the steps of a plan make: whether it is sound, its longest path, its edges, its picture.

An edge leads from a step to one that needs its result. Everything below `check` is for the steps of a sound plan;
ties go to what comes first in the plan, so that equal plans give equal answers.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from typing import NamedTuple

from tasks.parsing import BadReply
from tasks.plans.records import Plan, Step

MOST_STEPS = 32

# What may mean something to Mermaid, Markdown or HTML in a quoted label: punctuation, and what begins a list. The
# colon is among it as Mermaid cuts what looks like `style …:…#…;`.
SPECIAL = re.compile(r'["#$%&*:;<>@[\]\\^_`{|}~]|^(?:[-+]|\d+[.)])')


class PlanError(BadReply):
    """Steps that make no plan, or a reply that holds none. Its text is one sentence that tells the planner why."""


class Edge(NamedTuple):
    """`after` needs the result of `before`."""

    before: int
    after: int


def check(steps: Sequence[Step]) -> None:
    """Raise PlanError where steps make no plan: none, too many, an id twice, unknown dependencies, a circle."""
    if not steps:
        raise PlanError("the plan has no step")
    for place, step in enumerate(steps):
        check_next(steps[:place], step)
    ids = {step.id for step in steps}
    for step in steps:
        for other in step.depends_on:
            if other not in ids:
                raise PlanError(f"step {step.id} relies on step {other}, which is not in the plan")
    try:
        TopologicalSorter(_dependencies(steps)).prepare()
    except CycleError as cycle:
        raise PlanError(f"the plan has a circle: {_circle(cycle.args[1])}") from None


def check_next(earlier: Collection[Step], step: Step) -> None:
    """Raise PlanError where a step can be seen to be wrong when only the ones before it are known."""
    if len(earlier) == MOST_STEPS:
        raise PlanError(f"the plan has more than {MOST_STEPS} steps")
    if any(step.id == other.id for other in earlier):
        raise PlanError(f"the plan has two steps with the ID {step.id}")
    if step.id in step.depends_on:
        raise PlanError(f"step {step.id} relies on itself")


def _circle(ids: Sequence[int]) -> str:
    """Return a circle in words, from its smallest id on. In `ids` each relies on the one before; the ends are one."""
    backwards = list(reversed(ids[1:]))
    start = backwards.index(min(backwards))
    circle = [*backwards[start:], *backwards[:start], backwards[start]]
    return ", ".join(f"step {step} relies on step {other}" for step, other in pairwise(circle))


def dependants(plan: Plan) -> dict[int, tuple[int, ...]]:
    """Return for each step, by id, the steps that need its result."""
    return {step.id: tuple(other.id for other in plan.steps if step.id in other.depends_on) for step in plan.steps}


def levels(plan: Plan) -> tuple[tuple[int, ...], ...]:
    """Return the ids by level: a step is one below the deepest of its dependencies."""
    level: dict[int, int] = {}
    dependencies = _dependencies(plan.steps)
    for id in TopologicalSorter(dependencies).static_order():
        level[id] = max((level[other] + 1 for other in dependencies[id]), default=0)
    ids = [step.id for step in plan.steps]
    return tuple(tuple(id for id in ids if level[id] == row) for row in range(max(level.values(), default=-1) + 1))


def depth(plan: Plan) -> int:
    """Return the number of steps on the longest path."""
    return len(levels(plan))


def critical_path(plan: Plan) -> tuple[int, ...]:
    """Return the ids on the longest path, counted in steps; of several the one whose steps come first in the plan."""
    left = remaining(plan.steps, lambda step: 1)
    starts = [step.id for step in plan.steps if not step.depends_on]
    after = dependants(plan)
    path: list[int] = []
    while starts:
        path.append(max(starts, key=left.__getitem__))  # the first of equals
        starts = list(after[path[-1]])
    return tuple(path)


def compression_ratio(plan: Plan) -> float:
    """Return the steps on the longest path / all steps: 1 for a chain, the lower the more can run side by side.

    Transitive edges make no path longer, so it is that of the reduced graph. 0 for a plan without steps.
    """
    return depth(plan) / len(plan.steps) if plan.steps else 0.0


def reduction(plan: Plan) -> tuple[Edge, ...]:
    """Return the edges without those that a longer way implies: the transitive reduction."""
    dependencies = _dependencies(plan.steps)
    above: dict[int, set[int]] = {}
    for id in TopologicalSorter(dependencies).static_order():
        above[id] = {far for near in dependencies[id] for far in (near, *above[near])}
    return tuple(
        Edge(near, step.id)
        for step in plan.steps
        for near in step.depends_on
        if not any(near in above[other] for other in step.depends_on)
    )


def remaining(steps: Iterable[Step], weight: Callable[[Step], float]) -> dict[int, float]:
    """Return for each step, by id, the weight of the heaviest path from it to an end, itself included.

    The steps need not be a whole plan, as while it is still being written: dependencies on steps that are not there
    are left out, and a step that a circle keeps from having such a path counts for itself.
    """
    known = {step.id: step for step in steps}
    after: dict[int, list[int]] = {id: [] for id in known}
    for step in known.values():
        for other in step.depends_on:
            if other in known:
                after[other].append(step.id)
    left = {id: weight(step) for id, step in known.items()}
    for id in _reachable_order(after):
        left[id] += max((left[other] for other in after[id]), default=0.0)
    return left


def _reachable_order(graph: Mapping[int, Collection[int]]) -> Iterable[int]:
    """Yield the nodes of a graph behind those that they point to, as far as no circle stops it."""
    sorter = TopologicalSorter(graph)
    with suppress(CycleError):  # those outside of the circle are to be had all the same
        sorter.prepare()
    while ready := sorter.get_ready():
        yield from ready
        sorter.done(*ready)


def _dependencies(steps: Iterable[Step]) -> dict[int, tuple[int, ...]]:
    return {step.id: step.depends_on for step in steps}


def mermaid(plan: Plan, label: Callable[[Step], str]) -> str:
    """Return the graph as a Mermaid flowchart, its nodes labelled by `label`, whatever characters that gives."""
    nodes = [f'  s{step.id}["{_escaped(label(step)) or step.id}"]' for step in plan.steps]
    edges = [f"  s{other} --> s{step.id}" for step in plan.steps for other in step.depends_on]
    return "\n".join(["flowchart TD", *nodes, *edges]) + "\n"


def _escaped(label: str) -> str:
    """Return a label on one line with what Mermaid might take for markup as character codes (`#34;`)."""
    line = " ".join("".join(char if char.isprintable() else " " for char in label).split())
    return SPECIAL.sub(lambda found: "".join(f"#{ord(char)};" for char in found[0]), line)

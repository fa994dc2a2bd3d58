"""Where the steps of a plan go in a drawing: in rows by level, edges downwards, few crossings, edges past the boxes.

It is Sugiyama's way (Sugiyama, Tagawa, Toda 1981): an edge over several levels gets a bend in each level between, the
rows are put in order by the mean of their neighbours, and then moved to where edges are as upright as can be.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate, combinations, pairwise
from typing import NamedTuple

from tasks.plans.graph import Edge, levels, reduction
from tasks.plans.records import Plan

SWEEPS = 8
ROOM_OF_A_BEND = 0.3  # of a box's


class Place(NamedTuple):
    """The middle of a step or a bend: `x` in widths of a box, from the left end of all; `row` from 0 on."""

    x: float
    row: int


class Layout(NamedTuple):
    """Steps by id, and for each edge all places that it leads through, from step to step. `width` in boxes."""

    steps: Mapping[int, Place]
    edges: Mapping[Edge, tuple[Place, ...]]
    width: float
    rows: int


class _Node(NamedTuple):
    """A step, or the bend of an edge in a row (`after` is 0 for a step itself)."""

    before: int
    after: int
    row: int


Row = list[_Node]
Links = Mapping[_Node, Sequence[_Node]]


def layout(plan: Plan) -> Layout:
    """Lay out the plan's edges without those that a longer way implies."""
    found = levels(plan)
    row_of = {id: number for number, row in enumerate(found) for id in row}
    rows: list[Row] = [[_Node(id, 0, number) for id in row] for number, row in enumerate(found)]
    chains: dict[Edge, Row] = {}
    for edge in reduction(plan):
        first, last = row_of[edge.before], row_of[edge.after]
        bends = [_Node(edge.before, edge.after, row) for row in range(first + 1, last)]
        for bend in bends:
            rows[bend.row].append(bend)
        chains[edge] = [_Node(edge.before, 0, first), *bends, _Node(edge.after, 0, last)]
    links = [link for chain in chains.values() for link in pairwise(chain)]
    above, below = _linked((lower, upper) for upper, lower in links), _linked(links)
    x = _moved(_in_order(rows, above, below), above, below)
    left = min((each - _room(node) / 2 for node, each in x.items()), default=0.0)
    places = {node: Place(each - left, node.row) for node, each in x.items()}
    return Layout(
        steps={node.before: place for node, place in places.items() if not node.after},
        edges={edge: tuple(places[node] for node in chain) for edge, chain in chains.items()},
        width=max((place.x + _room(node) / 2 for node, place in places.items()), default=0.0),
        rows=len(rows),
    )


def _linked(links: Iterable[tuple[_Node, _Node]]) -> Links:
    linked: dict[_Node, Row] = defaultdict(list)
    for one, other in links:
        linked[one].append(other)
    return linked


def _in_order(rows: list[Row], above: Links, below: Links) -> list[Row]:
    """The rows with the fewest crossings that sweeps down and up come to."""
    best, fewest = rows, _crossings(rows, below)
    for sweep in range(SWEEPS):
        if not fewest:
            break
        down = sweep % 2 == 0
        rows = _swept(rows, above if down else below, down)
        crossings = _crossings(rows, below)
        if crossings < fewest:
            best, fewest = rows, crossings
    return best


def _swept(rows: list[Row], linked: Links, down: bool) -> list[Row]:
    order = {node: place / len(row) for row in rows for place, node in enumerate(row)}
    swept = []
    for row in rows if down else reversed(rows):
        middle = {node: _mean([order[other] for other in linked.get(node, ())], order[node]) for node in row}
        swept.append(sorted(row, key=middle.__getitem__))
        order |= {node: place / len(row) for place, node in enumerate(swept[-1])}
    return swept if down else swept[::-1]


def _crossings(rows: list[Row], below: Links) -> int:
    place = {node: number for row in rows for number, node in enumerate(row)}
    return sum(
        (place[a] - place[b]) * (place[c] - place[d]) < 0
        for row in rows
        for (a, c), (b, d) in combinations([(node, other) for node in row for other in below.get(node, ())], 2)
    )


def _moved(rows: list[Row], above: Links, below: Links) -> dict[_Node, float]:
    """Move each row, in its order, to where its nodes are closest to the middle of their neighbours."""
    x: dict[_Node, float] = {}
    for row in rows:
        offsets = _offsets(row)
        x |= {node: each - offsets[-1] / 2 for node, each in zip(row, offsets, strict=True)}
    for sweep in range(SWEEPS):
        linked = above if sweep % 2 == 0 else below
        for row in rows if sweep % 2 == 0 else reversed(rows):
            wanted = [_mean([x[other] for other in linked.get(node, ())], x[node]) for node in row]
            offsets = _offsets(row)
            free = _rising([each - offset for each, offset in zip(wanted, offsets, strict=True)])
            x |= {node: each + offset for node, each, offset in zip(row, free, offsets, strict=True)}
    return x


def _offsets(row: Row) -> list[float]:
    """Where the middles of a row's nodes are when they stand side by side, the first at 0."""
    return [0.0, *accumulate((_room(one) + _room(other)) / 2 for one, other in pairwise(row))]


def _room(node: _Node) -> float:
    return ROOM_OF_A_BEND if node.after else 1.0


def _rising(wanted: Sequence[float]) -> list[float]:
    """The numbers closest to those wanted, by least squares, of which none is below the one before it."""
    blocks: list[tuple[float, int]] = []
    for each in wanted:
        blocks.append((each, 1))
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            (one, ones), (other, others) = blocks[-2:]
            blocks[-2:] = [((one * ones + other * others) / (ones + others), ones + others)]
    return [each for each, count in blocks for _ in range(count)]


def _mean(numbers: Sequence[float], otherwise: float) -> float:
    return sum(numbers) / len(numbers) if numbers else otherwise

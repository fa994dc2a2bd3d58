"""The graph of a plan, against examples that were worked out by hand, and against plain search in random ones."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.plans.graph import (
    PlanError,
    check,
    check_next,
    compression_ratio,
    critical_path,
    dependants,
    depth,
    levels,
    mermaid,
    reduction,
    remaining,
)
from tasks.plans.records import Plan, Step


def a_step(id: int, *depends_on: int, tokens: int = 1, task: str = "Do it") -> Step:
    return Step(id=id, task=task, difficulty=3, token_budget=tokens, depends_on=depends_on)


def a_plan(**rely: str) -> Plan:
    """A plan out of `s1="", s2="1"`: each step with the ids that it relies on."""
    return Plan(steps=tuple(a_step(int(name[1:]), *map(int, ids.split())) for name, ids in rely.items()))


CHAIN = a_plan(s1="", s2="1", s3="2")
FAN_OUT = a_plan(s1="", s2="1", s3="1", s4="1", s5="2 3 4")
DIAMOND = a_plan(s1="", s2="1", s3="1", s4="2 3")
TWO_CHAINS = a_plan(s1="", s2="", s3="1", s4="3", s5="2 4")
SHORTCUTS = a_plan(s1="", s2="1", s3="1 2", s4="3 1 2")
APART = a_plan(s1="", s2="", s3="")
BACKWARDS = a_plan(s1="", s9="4 3", s4="3", s3="1")
EMPTY = Plan(steps=())


@pytest.mark.parametrize(
    "plan, rows, path, ratio",
    [
        (CHAIN, ((1,), (2,), (3,)), (1, 2, 3), 1),
        (FAN_OUT, ((1,), (2, 3, 4), (5,)), (1, 2, 5), 3 / 5),
        (DIAMOND, ((1,), (2, 3), (4,)), (1, 2, 4), 3 / 4),
        (TWO_CHAINS, ((1, 2), (3,), (4,), (5,)), (1, 3, 4, 5), 4 / 5),
        (SHORTCUTS, ((1,), (2,), (3,), (4,)), (1, 2, 3, 4), 1),
        (APART, ((1, 2, 3),), (1,), 1 / 3),
        (BACKWARDS, ((1,), (3,), (4,), (9,)), (1, 3, 4, 9), 1),
        (EMPTY, (), (), 0),
    ],
)
def test_levels_and_longest_path(plan: Plan, rows, path, ratio):
    assert (levels(plan), critical_path(plan), depth(plan)) == (rows, path, len(rows))
    assert compression_ratio(plan) == pytest.approx(ratio)


@pytest.mark.parametrize(
    "plan, edges",
    [
        (CHAIN, [(1, 2), (2, 3)]),
        (DIAMOND, [(1, 2), (1, 3), (2, 4), (3, 4)]),
        (SHORTCUTS, [(1, 2), (2, 3), (3, 4)]),
        (BACKWARDS, [(4, 9), (3, 4), (1, 3)]),
        (APART, []),
    ],
)
def test_edges_without_those_that_a_longer_way_implies(plan: Plan, edges):
    assert list(reduction(plan)) == edges


def test_dependants():
    assert dependants(DIAMOND) == {1: (2, 3), 2: (4,), 3: (4,), 4: ()}


def test_remaining_paths_by_weight():
    # 1 (5) -> 2 (5) -> 4 (1), 1 -> 3 (20) -> 4
    steps = [a_step(1, tokens=5), a_step(2, 1, tokens=5), a_step(3, 1, tokens=20), a_step(4, 2, 3, tokens=1)]
    assert remaining(steps, lambda step: step.token_budget) == {1: 26, 2: 6, 3: 21, 4: 1}


def test_remaining_paths_while_the_plan_is_being_written():
    assert remaining([a_step(1), a_step(3, 1, 2)], lambda step: 1) == {1: 2, 3: 1}
    assert remaining([], lambda step: 1) == {}


def test_remaining_paths_beside_a_circle():
    steps = [a_step(1), a_step(2, 1, 3), a_step(3, 2), a_step(4, 1), a_step(5), a_step(6, 5), a_step(7, 6)]
    assert remaining(steps, lambda step: 1) == {1: 1, 2: 1, 3: 1, 4: 1, 5: 3, 6: 2, 7: 1}


@pytest.mark.parametrize(
    "steps, fault",
    [
        ([], "the plan has no step"),
        ([a_step(n) for n in range(33)], "the plan has more than 32 steps"),
        ([a_step(1), a_step(1)], "the plan has two steps with the ID 1"),
        ([a_step(1), a_step(2, 3)], "step 2 relies on step 3, which is not in the plan"),
        ([a_step(1, 1)], "step 1 relies on itself"),
        (
            [a_step(5, 7), a_step(6, 5), a_step(7, 6), a_step(1)],
            "the plan has a circle: step 5 relies on step 7, step 7 relies on step 6, step 6 relies on step 5",
        ),
    ],
)
def test_steps_that_make_no_plan(steps: list[Step], fault: str):
    with pytest.raises(PlanError) as refusal:
        check(steps)
    assert str(refusal.value) == fault


def test_steps_that_make_a_plan():
    for plan in (CHAIN, FAN_OUT, DIAMOND, TWO_CHAINS, SHORTCUTS, APART, BACKWARDS):
        check(plan.steps)


def test_a_step_may_rely_on_what_is_still_to_come():
    check_next([a_step(1)], a_step(2, 9))


# Properties


@st.composite
def any_steps(draw) -> list[Step]:
    """Some steps, most of them in no circle."""
    count = draw(st.integers(1, 7))
    chance = draw(st.randoms(use_true_random=False))
    order = chance.sample(range(count), count)
    share = chance.choice([0.1, 0.4, 0.8])
    edges = {(before, after) for before, after in itertools.combinations(order, 2) if chance.random() < share}
    if chance.random() < 0.3:
        edges.add((chance.randrange(count), chance.randrange(count)))
    return [a_step(n, *(before for before in range(count) if (before, n) in edges)) for n in range(count)]


def paths_from(steps: list[Step], path: tuple[int, ...]):
    yield path
    for step in steps:
        if path[-1] in step.depends_on:
            yield from paths_from(steps, (*path, step.id))


def can_be_ordered(steps: list[Step]) -> bool:
    done: set[int] = set()
    while ready := [step.id for step in steps if step.id not in done and done.issuperset(step.depends_on)]:
        done.update(ready)
    return len(done) == len(steps)


@given(any_steps())
def test_a_circle_is_found_where_there_is_one(steps: list[Step]):
    if can_be_ordered(steps):
        check(steps)
    else:
        with pytest.raises(PlanError, match=r"circle|itself"):
            check(steps)


@given(any_steps())
def test_random_graphs_against_all_their_paths(steps: list[Step]):
    if not can_be_ordered(steps):
        return
    plan = Plan(steps=tuple(steps))
    paths = [path for step in steps for path in paths_from(steps, (step.id,))]
    assert depth(plan) == max(map(len, paths)) == len(critical_path(plan))
    assert critical_path(plan) in paths
    assert remaining(steps, lambda step: step.id + 1) == {
        step.id: max(sum(id + 1 for id in path) for path in paths if path[0] == step.id) for step in steps
    }
    assert {*reduction(plan)} == {path for path in paths if len(path) == 2 and not longer_way(paths, path)}
    for row, ids in enumerate(levels(plan)):
        assert all(max(len(path) for path in paths if path[-1] == id) == row + 1 for id in ids)


def longer_way(paths: list[tuple[int, ...]], edge: tuple[int, ...]) -> bool:
    return any(len(path) > 2 and (path[0], path[-1]) == edge for path in paths)


# Mermaid


def test_a_flowchart():
    assert mermaid(DIAMOND, lambda step: f"{step.id} small") == (
        "flowchart TD\n"
        '  s1["1 small"]\n  s2["2 small"]\n  s3["3 small"]\n  s4["4 small"]\n'
        "  s1 --> s2\n  s1 --> s3\n  s2 --> s4\n  s3 --> s4\n"
    )


@pytest.mark.parametrize(
    "label, written",
    [
        ('Say "so"', "Say #34;so#34;"),
        ('"]; s1 --> s9["', "#34;#93;#59; s1 --#62; s9#91;#34;"),
        ("<b>a</b> &amp; b", "#60;b#62;a#60;/b#62; #38;amp#59; b"),
        ("a\nb\r\n\tc\u2028d", "a b c d"),
        ("求面积，然后（求和）", "求面积，然后（求和）"),
        ("1. Read", "#49;#46; Read"),
        ("- Read - it", "#45; Read - it"),
        (
            "`code` *b* _i_ #1 {x} a|b $y$ \\n",
            "#96;code#96; #42;b#42; #95;i#95; #35;1 #123;x#125; a#124;b #36;y#36; #92;n",
        ),
        ("style a:b#35;", "style a#58;b#35;35#59;"),
        ("%% note", "#37;#37; note"),
        ("f(x) = x/2 + 1, isn't it?", "f(x) = x/2 + 1, isn't it?"),
        ("end", "end"),
        (" \n ", "1"),
        ("\x00\x1b", "1"),
    ],
)
def test_labels_are_text_to_mermaid(label: str, written: str):
    assert f's1["{written}"]' in mermaid(a_plan(s1=""), lambda step: label)


@given(st.text())
def test_a_label_ends_where_it_should(label: str):
    lines = mermaid(a_plan(s1="", s2="1"), lambda step: label).splitlines()
    assert len(lines) == 4 and lines[3] == "  s1 --> s2"
    assert lines[1].startswith('  s1["') and lines[1].endswith('"]') and lines[1].count('"') == 2
    assert not set("[]{}<>`\\|$&:*_%^~@") & set(lines[1][6:-2])

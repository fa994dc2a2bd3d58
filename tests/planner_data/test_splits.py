"""No question in two splits, no family parted, the parts as they were asked for."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as some

from tasks.planner_data.recipe import Fractions
from tasks.planner_data.splits import split

IDS = some.sets(some.text(min_size=1, max_size=6), min_size=1, max_size=60)
PARTS = some.tuples(some.integers(1, 9), some.integers(0, 9), some.integers(0, 9))


@given(IDS, PARTS, some.integers(0, 5), some.randoms(use_true_random=False))
def test_every_question_is_in_one_split_with_its_family(ids, parts, seed, dice) -> None:
    fractions = Fractions(*(part / sum(parts) for part in parts))
    families = {id: dice.choice(sorted(ids)) for id in sorted(ids) if dice.random() < 0.3}
    found = split(ids, families, fractions, seed)
    assert found.keys() == ids
    shuffled = sorted(ids, key=lambda _: dice.random())
    assert split(shuffled, families, fractions, seed) == found
    of_family: dict[str, set[str]] = {}
    for id in ids:
        of_family.setdefault(families.get(id, id), set()).add(found[id])
    assert all(len(splits) == 1 for splits in of_family.values())


@given(IDS, PARTS, some.integers(0, 5))
def test_the_parts_are_exact_but_for_a_question(ids, parts, seed) -> None:
    fractions = Fractions(*(part / sum(parts) for part in parts))
    counts: Counter[str] = Counter(split(ids, {}, fractions, seed).values())
    for name, part in fractions._asdict().items():
        assert abs(counts[name] - part * len(ids)) < 1
        assert part or not counts[name]


def test_the_seed_decides() -> None:
    ids = [str(number) for number in range(100)]
    first, second = (split(ids, {}, Fractions(), seed) for seed in (1, 2))
    assert Counter(first.values()) == Counter(second.values()) == {"train": 80, "validation": 10, "test": 10}
    assert first != second

"""Shares questions out to train, validation and test, so that what is nearly alike stays together."""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Literal, get_args

from tasks.planner_data.recipe import Fractions

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)


def split(ids: Iterable[str], families: Mapping[str, str], fractions: Fractions, seed: int) -> dict[str, Split]:
    """Return the split of each question by id: the parts that are asked for, as nearly as families allow.

    Which question goes where depends on the seed and the questions alone, not on their order.
    """
    members: dict[str, list[str]] = {}
    for id in sorted(ids):
        members.setdefault(families.get(id, id), []).append(id)
    left = dict(zip(SPLITS, _shares(sum(map(len, members.values())), fractions), strict=True))
    found: dict[str, Split] = {}
    for those in sorted(members.values(), key=lambda those: (-len(those), _chance(those[0], seed))):
        fullest = max(SPLITS, key=lambda each: (left[each], -SPLITS.index(each)))
        left[fullest] -= len(those)
        found.update(dict.fromkeys(those, fullest))
    return found


def _shares(count: int, fractions: Fractions) -> list[int]:
    """Whole numbers of that sum in those parts, by largest remainder."""
    exact = [count * part for part in fractions]
    shares = [int(each + 1e-9) for each in exact]
    order = sorted(range(len(exact)), key=lambda at: (shares[at] - exact[at], at))
    for at in order[: count - sum(shares)]:
        shares[at] += 1
    return shares


def _chance(id: str, seed: int) -> bytes:
    return hashlib.sha256(f"{seed}\n{id}".encode()).digest()

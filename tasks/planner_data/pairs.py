"""Pairs of a right plan and a wrong one of the same question."""

from collections.abc import Iterable

from tasks.planner_data.candidates import Candidate, best
from tasks.planner_data.formats import Pair


def pairs(right: Iterable[Candidate], wrong: Iterable[Candidate]) -> tuple[Pair, ...]:
    """Return for each question its best right plan against every different wrong one."""
    rights, wrongs = by_question(right), by_question(wrong)
    found = []
    for id, those in rights.items():
        chosen = best(those)
        others: dict[str, Candidate] = {}
        for each in sorted(wrongs.get(id, []), key=lambda each: (each.sample, each.text)):
            if each.text != chosen.text:
                others.setdefault(each.text, each)
        found += [Pair(chosen, each) for each in others.values()]
    return tuple(found)


def by_question(those: Iterable[Candidate]) -> dict[str, list[Candidate]]:
    """Return candidates by their question's id, in their order."""
    found: dict[str, list[Candidate]] = {}
    for each in those:
        found.setdefault(each.question.id, []).append(each)
    return found

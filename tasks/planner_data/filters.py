"""Which plans become training data, which do not, and why: each is counted by the first filter that removes it."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

from blocks.records import Record
from tasks.planner_data.candidates import Candidate, Candidates
from tasks.planner_data.leaks import leaks
from tasks.planner_data.recipe import Recipe

FILTERS = {
    "exact duplicate": "the same question as an earlier one",
    "near duplicate": "nearly the same text as an earlier question, with the same numbers and formulas",
    "not done": "an error, or no model was left; the same command tries again",
    "invalid": "no valid plan, even when asked again with the error",
    "leaked": "the right answer, which the planner was shown, is in the plan",
    "repaired": "the plan had to be repaired to be read",
    "wrong": "carried out, the plan led to a wrong answer",
    "undecided": "nothing could tell whether the plan's answer is right",
    "too long": "system, question and plan are longer than allowed",
    "no thinking": "the reply has no thinking",
    "leaked in thinking": "the right answer, which the planner was shown, is in the thinking",
    "too long with thinking": "system, question, thinking and plan are longer than allowed",
    "not the best": "another plan of the question is cheaper or faster",
}


class Removed(Record):
    """What one filter removed, and what was left behind it; `unit` is what is counted."""

    filter: str
    removed: int
    left: int
    unit: str
    why: str


class Sieve(NamedTuple):
    """What the filters go by: whether plans were carried out, whether the answer was shown, and the system's text."""

    recipe: Recipe
    executed: bool
    guided: bool
    system: str

    def too_long(self, each: Candidate, output: str) -> bool:
        return len(self.system) + len(each.question.text) + len(output) > self.recipe.longest

    def leaked(self, each: Candidate, text: str) -> bool:
        return self.guided and leaks(each.question, text)

    def plan_fault(self, each: Candidate) -> str | None:
        """Return the filter that removes a plan; None where it stays."""
        if each.plan is None:
            return "invalid"
        if self.leaked(each, _said(each)):
            return "leaked"
        if each.repaired and not self.recipe.keep_repaired:
            return "repaired"
        if self.executed and each.correct is not True:
            return "wrong" if each.correct is False else "undecided"
        return "too long" if self.too_long(each, each.text) else None

    def thinking_fault(self, each: Candidate) -> str | None:
        """Return the filter that keeps a plan that stays out of the files with thinking."""
        if not each.thinking:
            return "no thinking"
        if self.leaked(each, each.thinking):
            return "leaked in thinking"
        return "too long with thinking" if self.too_long(each, each.output) else None

    def rejects(self, found: Candidates, thinking: bool) -> list[Candidate]:
        """Return what may be the wrong plan of a pair: plans to a wrong answer, and replies that are no plan."""
        wrong = [each for each in found.ended if each.plan is not None and self.executed and each.correct is False]
        return [each for each in (*wrong, *found.refused) if self._shown(each, thinking)]

    def _shown(self, each: Candidate, thinking: bool) -> bool:
        if not each.text or self.leaked(each, each.text if each.plan is None else _said(each)):
            return False
        if thinking:
            return self.thinking_fault(each) is None
        return not self.too_long(each, each.text)


class Kept(NamedTuple):
    """The plans that stay, in order, and what each filter removed."""

    plans: tuple[Candidate, ...]
    table: tuple[Removed, ...]


def sift(
    ended: Sequence[Candidate], fault: Callable[[Candidate], str | None], names: Sequence[str], unit: str
) -> Kept:
    """Return what no filter removes; `names` are those that `fault` may give, in its order."""
    counts: Counter[str] = Counter()
    kept = []
    for each in ended:
        reason = fault(each)
        if reason is None:
            kept.append(each)
        else:
            counts[reason] += 1
    left, table = len(ended), []
    for name in names:
        left -= counts[name]
        table.append(removed(name, counts[name], left, unit))
    return Kept(tuple(kept), tuple(table))


def removed(name: str, count: int, left: int, unit: str) -> Removed:
    return Removed(filter=name, removed=count, left=left, unit=unit, why=FILTERS[name])


def _said(each: Candidate) -> str:
    """What a plan says in words; its numbers of steps and tokens say nothing."""
    return "\n".join(step.task for step in each.plan.steps) if each.plan else each.text

"""From a run's spool to rows: filtered, one a question or a pair, in splits."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tasks import prompts
from tasks.planner_data.candidates import Candidate, Candidates, best, candidates
from tasks.planner_data.filters import Removed, Sieve, removed, sift
from tasks.planner_data.formats import Row, preferred, supervised
from tasks.planner_data.jobs import FLOW, Building
from tasks.planner_data.pairs import by_question, pairs
from tasks.planner_data.recipe import Format
from tasks.planner_data.splits import SPLITS, Split, split

PLANS, THOUGHT = "plans", "plans, in the files with thinking"


class File(NamedTuple):
    """The rows of one format, with thinking or without, that are in one split."""

    format: Format
    thinking: bool
    split: Split
    rows: tuple[Row, ...]


class Made(NamedTuple):
    """Everything that is written: files, what was removed, and what it was made of."""

    files: tuple[File, ...]
    removed: tuple[Removed, ...]
    found: Candidates
    system: str


def make(building: Building, spool_folder: Path, formats: Sequence[Format], thinking: bool) -> Made:
    """Make the rows of these formats of all that a run has brought."""
    configuration = building.asking.job.configuration
    found = candidates(spool_folder, building.asking.questions, configuration.samples)
    system = prompts.render(FLOW, "system", error="").strip()
    executed, guided = (bool(configuration.parameters[name]) for name in ("execute", "guided"))
    sieve = Sieve(building.recipe, executed, guided, system)
    names = ("invalid", *(["leaked"] if guided else []), "repaired", *(["wrong", "undecided"] if executed else []))
    kept = sift(found.ended, sieve.plan_fault, (*names, "too long"), PLANS)
    rows = len(by_question(kept.plans))
    table = [*_questions(building, len(found.ended)), *kept.table, _best(len(kept.plans), rows, PLANS)]
    splits = split(
        by_question(kept.plans), building.duplicates.families, building.recipe.fractions, sieve.recipe.seed
    )
    variants = {False: kept.plans}
    if thinking:
        thought = sift(
            kept.plans,
            sieve.thinking_fault,
            ("no thinking", *(["leaked in thinking"] if guided else []), "too long with thinking"),
            THOUGHT,
        )
        variants[True] = thought.plans
        table += [*thought.table, _best(len(thought.plans), len(by_question(thought.plans)), THOUGHT)]
    files = [
        file
        for format in formats
        for with_thinking, plans in variants.items()
        for file in _files(format, with_thinking, plans, sieve, found, splits)
    ]
    return Made(tuple(files), tuple(table), found, system)


def _files(
    format: Format, thinking: bool, plans: Sequence[Candidate], sieve: Sieve, found: Candidates,
    splits: Mapping[str, Split],
) -> list[File]:  # fmt: skip
    if format == "preference":
        both = pairs(plans, sieve.rejects(found, thinking))
        rows = [(pair.chosen.question.id, preferred(pair, sieve.system, thinking)) for pair in both]
    else:
        rows = [
            (id, supervised(format, best(those), sieve.system, thinking)) for id, those in by_question(plans).items()
        ]
    return [File(format, thinking, each, tuple(row for id, row in rows if splits[id] == each)) for each in SPLITS]


def _questions(building: Building, ended: int) -> list[Removed]:
    """What was out before any plan was filtered: duplicates, and what has come to no end yet."""
    chosen, duplicates = len(building.chosen), building.duplicates
    unique = chosen - len(duplicates.exact)
    asked = len(building.asking.questions) * building.asking.job.configuration.samples
    return [
        removed("exact duplicate", len(duplicates.exact), unique, "questions"),
        removed("near duplicate", len(duplicates.near), unique - len(duplicates.near), "questions"),
        removed("not done", asked - ended, ended, PLANS),
    ]


def _best(plans: int, rows: int, unit: str) -> Removed:
    return removed("not the best", plans - rows, rows, unit)

"""Finds questions that say the same, and those that are nearly alike, by RapidFuzz's similarity of texts.

A question is a *duplicate* of an earlier one where both have the same words, or are nearly the same text and have the
same numbers, formulas and negations and, but for slips of the pen, nearly the same words. Where those differ it is
another question of the same *family*: both stay, and go into the same split. Not found: the same question in other
words, or in another language. Not told apart: long questions that differ in a word, such as increase and decrease.
"""

import functools
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy
from rapidfuzz import fuzz, process

from tasks.plans.records import Question

ALIKE = 90.0  # of 100, letter by letter
REORDERED = 97.0  # of 100, whatever the order of the words
AT_ONCE = 500  # questions that are compared with all others in one go
FEWEST, SHARED = 10, 0.2  # a line that so great a part of so many questions has is none of theirs

SLIP = 80.0  # of 100, for two words of which one may be the other, mistyped
OTHERS = 0.1  # of the words may be others

DECISIVE = re.compile(r"[\d+*/^=<>≤≥√∫∑%-]|^[^\Wai]$|^(?:not|no|except|least|most|false|incorrect|without|never)$")


class Duplicates(NamedTuple):
    """By id: `exact` and `near` map a question that is left out to the one that stays, `families` to its family."""

    exact: Mapping[str, str]
    near: Mapping[str, str]
    families: Mapping[str, str]

    @property
    def removed(self) -> frozenset[str]:
        return frozenset(self.exact) | frozenset(self.near)


@functools.lru_cache(maxsize=4)
def duplicates_of(questions: tuple[Question, ...]) -> Duplicates:
    """Return the duplicates among questions; of each the first one stays."""
    shared = _shared_lines(questions)
    texts = [_words(_own_lines(question.text, shared)) for question in questions]
    first: dict[str, str] = {}
    exact: dict[str, str] = {}
    for question, text in zip(questions, texts, strict=True):
        kept = first.setdefault(text, question.id)
        if kept != question.id:
            exact[question.id] = kept
    left = [(question.id, text) for question, text in zip(questions, texts, strict=True) if question.id not in exact]
    near: dict[str, str] = {}
    parent: dict[str, str] = {}
    for one, other in _alike([text for _, text in left]):
        (earlier, text), (later, its) = left[one], left[other]
        if (ours := _root(parent, earlier)) != (theirs := _root(parent, later)):
            parent[theirs] = ours
        if earlier not in near and later not in near and _same(text, its):
            near[later] = earlier
    return Duplicates(exact, near, {id: _root(parent, id) for id, _ in left})


def _alike(texts: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Yield the pairs of positions whose texts are nearly alike, the earlier one first, in order."""
    in_order = [" ".join(sorted(text.split())) for text in texts]
    for start in range(0, len(texts), AT_ONCE):
        end = min(start + AT_ONCE, len(texts))
        alike = numpy.zeros((end - start, len(texts) - start), dtype=bool)
        for compared, least in ((texts, ALIKE), (in_order, REORDERED)):
            scores = process.cdist(
                compared[start:end],
                compared[start:],
                scorer=fuzz.ratio,
                score_cutoff=least,
                dtype=numpy.float32,
                workers=-1,
            )
            alike |= scores > 0
        for row, column in zip(*numpy.nonzero(alike), strict=True):
            if row < column:
                yield int(start + row), int(start + column)


def _root(parent: dict[str, str], id: str) -> str:
    """The name of a question's family."""
    root = id
    while root in parent:
        root = parent[root]
    while id != root:
        parent[id], id = root, parent[id]
    return root


def _shared_lines(questions: Sequence[Question]) -> frozenset[str]:
    """The lines that many questions share, such as how to answer."""
    if len(questions) < FEWEST:
        return frozenset()
    counts = Counter(line for question in questions for line in {*question.text.splitlines()} if line.strip())
    return frozenset(line for line, count in counts.items() if count > SHARED * len(questions))


def _own_lines(text: str, shared: frozenset[str]) -> str:
    own = "\n".join(line for line in text.splitlines() if line not in shared)
    return own if own.strip() else text


def _words(text: str) -> str:
    """A text as it is compared: whatever its case, its blanks and its closing marks."""
    text = unicodedata.normalize("NFKC", text).casefold()
    words = (word.strip(".,;:!?\"'()[]{}`*_") for word in text.split())
    return " ".join(word for word in words if word) or text


def _same(one: str, other: str) -> bool:
    """Whether two texts that are alike say the same, as far as their words tell."""
    words, others = Counter(one.split()), Counter(other.split())
    gone, come = list((words - others).elements()), list((others - words).elements())
    if any(DECISIVE.search(word) for word in (*gone, *come)):
        return False
    new = 0
    for word in come:
        like = process.extractOne(word, gone, scorer=fuzz.ratio, score_cutoff=SLIP)
        new += like is None
        if like is not None:
            gone.remove(like[0])
    return max(new, len(gone)) <= OTHERS * max(len(one.split()), len(other.split()))

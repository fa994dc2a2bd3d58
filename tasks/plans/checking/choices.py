"""Which option of a multiple-choice question a text chooses: by letter, by content, or both.

A text chooses an option only where all that it states agrees. A letter with the content of another option, several
letters ("B and C"), two statements that differ: then it is not told which, and a judge may.
"""

import re
from difflib import SequenceMatcher
from typing import Literal, NamedTuple

from tasks.plans.checking.notation import key, plain
from tasks.plans.checking.numbers import Value, value_of
from tasks.plans.checking.options import Option, matching
from tasks.plans.checking.statements import (
    DENIED,
    Statement,
    endings,
    lines,
    segments,
    sentences,
    statements,
    subjects,
)

ROOM = 100  # characters that a text which is nothing but an option may have besides the option, written twice
MOST_LEADS = 10  # words and marks before it
ALIKE = 0.85  # of a content that is written a little differently behind its letter

LEAD = re.compile(
    r"\s+|[\"'\[:>=]+|-(?=\s+\(?[A-Za-z])|[(](?![A-Za-z]\))"
    r"|(?:indeed|therefore|thus|hence|so|clearly|definitely|probably|most likely|likely|simply|actually|certainly"
    r"|surely|still|just|then|in fact|only|it is|it's|is|that|given by|obviously|correctly|(?:us )?with"
    r"|(?:the )?(?:correct |right )?(?:option|choice|letter|answer)|i (?:think|believe|choose|pick)|选项)"
    r"(?![a-z])[,:]?",
    re.IGNORECASE,
)
LETTER = re.compile(
    r"\((?P<round>[A-Za-z])\)|\[(?P<square>[A-Z])\]|(?P<bare>[A-Z])(?![A-Za-z0-9^_]|'[A-Za-z])|(?P<lower>[a-z])(?=[.)]?\s*$)"
)
SEVERAL = re.compile(
    r"[.)]?\s*(?:,|/|&|\+|\bor\b|\band\b|和|或|与|及)\s*(?:maybe|perhaps|also|possibly|option|choice|\s)*"
    r"\(?(?P<other>[A-Z])\)?(?![A-Za-z0-9'])(?!\s+(?!(?:are|is|both|only|or|and|because|since|as)\b)[a-z])"
)
DOUBT = re.compile(
    r"[\s)\]\"']*,?\s*(?:\?|(?:if|unless|or|would|cannot|can't|could|might|may|isn't|wasn't|(?:is|was) (?:not|wrong"
    r"|incorrect|false|tempting|only))\b|不|错)",
    re.IGNORECASE,
)
BEFORE_CONTENT = re.compile(
    r"\s*[.)]?\s*(?:[:;,=]|-(?=\s))?\s*(?:which is|i\.e\.,?|that is,?|namely)?\s*", re.IGNORECASE
)
ON_ITS_OWN = re.compile(
    r"$|[.):;,=\"'\]-]|\s+[(=-]|\s+(?:because|since|as|is|due|given|for|which|here|based|according|by|from|i\.e"
    r"|that is|and not|not|rather)\b|\s+(?:correct|right)[.!]?\s*$|[^\x00-\x7f]"
)
REASON = re.compile(r"(?:because|since|as|due to)\b", re.IGNORECASE)
NO_CONTENT = re.compile(
    r"(?:because|since|as|due to|given|for|reason|explanation|this|it|so|not|rather)\b"
    r"|(?:option\s+|choice\s+)?\(?[A-Z]\)?(?:,|\s+(?:is|are|was|has|does|would|cannot|fails|gives|ignores)\b)",
    re.IGNORECASE,
)
LETTER_BEHIND = re.compile(
    r"[\s,;:(\[.-]*(?:which is|that is|i\.?e\.?|corresponding to|so|thus|therefore)?[\s,]*"
    r"(?:[(\[](?P<round>[A-Z])[)\]]|(?:option|choice|answer)\s+\(?(?P<named>[A-Z])\b)",
    re.IGNORECASE,
)
NOTHING_MORE = re.compile(
    r"[\s.,;:!)\]\"'✓✔✅]*(?:(?:is )?(?:correct|right|the (?:correct |right )?(?:answer|option|choice))[\s.!)]*)?$",
    re.IGNORECASE,
)


class Choice(NamedTuple):
    """The letter that a text chooses, None where it names several or contradicts itself; what it chose it by."""

    letter: str | None
    by: Literal["letter", "choice"] = "letter"


def chosen(options: tuple[Option, ...], text: str) -> Choice | None:
    """Return what a plain text chooses; None where it states nothing that names an option.

    Statements that are said to be final, or boxed, overrule those before them.
    """
    stated = [(each, _named(options, each.text)) for each in statements(text)]
    finals = [_Said(each.at, named.choice) for each, named in stated if named and each.final]
    said = [_Said(each.at, named.choice) for each, named in stated if named and not each.final]
    said += [each for found in subjects(text) if (each := _subject(options, found))]
    said += _alone(options, text)
    said += [_Said(each.at, choice) for each in endings(text) if (choice := _pure(options, each.text))]
    last = max((each.at for each in finals), default=-1)
    counted = [each.choice for each in [*finals, *(each for each in said if each.at > last)]]
    if not counted:
        return None
    stray = [value_of(each.text) for each, named in stated if each.final and not named]
    agreed = len({choice.letter for choice in counted}) == 1 and not _contradicted(options, counted[0], stray)
    return counted[0] if agreed else Choice(None)


def right_letter(options: tuple[Option, ...], answer: str) -> str | None:
    """Return the letter of the option that a question's right answer names; None where it names none.

    The content comes first: the answer `B` is the option that says just that, where there is one.
    """
    text = plain(answer)
    found = matching(options, text)
    choice = None if found else _pure(options, text)
    return found.letter if found else choice.letter if choice else None


class _Said(NamedTuple):
    at: int
    choice: Choice


class _Named(NamedTuple):
    """What a statement names, and what follows in it."""

    choice: Choice
    rest: str


class _Letter(NamedTuple):
    """The letter that a statement begins with; `marked`: in brackets; `content`: what may be its option's content."""

    option: Option
    marked: bool
    rest: str
    content: str


def _contradicted(options: tuple[Option, ...], choice: Choice, stray: list[Value | None]) -> bool:
    """Whether a number was boxed that is not what the chosen option says."""
    own = next((each.value for each in options if each.letter == choice.letter), None)
    return own is not None and any(value is not None and value.amount != own.amount for value in stray)


def _subject(options: tuple[Option, ...], found: list[Statement]) -> _Said | None:
    """Return what "… is correct" says it of: the longest subject that is an option."""
    pure = (_Said(each.at, choice) for each in found if (choice := _pure(options, each.text)) and choice.letter)
    return next(pure, None)


def _alone(options: tuple[Option, ...], text: str) -> list[_Said]:
    """Return what the first or last line, or the last sentence, names that is nothing but an option.

    Where other lines or sentences are nothing but other options, the text repeats the question.
    """
    every, last = lines(text), sentences(text)
    named = [(each, choice) for each in dict.fromkeys([*every, *last]) if (choice := _pure(options, each.text))]
    if len({choice.letter for _, choice in named}) != 1:
        return []
    ends = {every[0], every[-1], last[-1]}
    return [_Said(each.at, choice) for each, choice in named if each in ends]


def _pure(options: tuple[Option, ...], text: str) -> Choice | None:
    """Return what a text names that says nothing else."""
    if len(text) > ROOM + 2 * max((len(each.key) for each in options), default=0):
        return None
    named = _named(options, text)
    return named.choice if named and NOTHING_MORE.match(named.rest) else None


def _named(options: tuple[Option, ...], text: str) -> _Named | None:
    """Return the option that a statement begins with, behind words such as "option"."""
    for _ in range(MOST_LEADS):
        named = _by_both(options, text) or _by_content(options, text) or _by_letter(options, text)
        lead = LEAD.match(text)
        if named or not lead:
            return named
        text = text[lead.end() :]
    return None


def _by_both(options: tuple[Option, ...], text: str) -> _Named | None:
    """A letter with the content of its option."""
    found = _letter(options, text)
    if found is None:
        return None
    for segment in segments(found.content):
        if matching(options, segment.text) is found.option:
            return None if DOUBT.match(segment.rest) else _Named(Choice(found.option.letter), segment.rest)
    return None


def _by_content(options: tuple[Option, ...], text: str) -> _Named | None:
    for segment in segments(text):
        found = matching(options, segment.text)
        if not found:
            continue
        bare = segment.text.strip(" .").upper()
        if DOUBT.match(segment.rest) or (bare[:1] in "([" and any(bare[1:-1] == each.letter for each in options)):
            return None  # (B) is a letter, whatever the options say
        behind = LETTER_BEHIND.match(segment.rest)
        other = (behind["round"] or behind["named"]).upper() if behind else found.letter
        rest = segment.rest[behind.end() :] if behind else segment.rest
        if other != found.letter or (bare != found.letter and any(bare == each.letter for each in options)):
            return _Named(Choice(None), rest)
        return _Named(Choice(found.letter, "choice"), rest)
    return None


def _by_letter(options: tuple[Option, ...], text: str) -> _Named | None:
    """A letter without the content of its option: alone, with a reason, or with something else."""
    found = _letter(options, text)
    if found is None:
        return None
    several = SEVERAL.match(found.rest)
    if several and any(several["other"] == each.letter != found.option.letter for each in options):
        return _Named(Choice(None), found.rest[several.end() :])
    if DOUBT.match(found.rest) or not (found.marked or ON_ITS_OWN.match(found.rest)):
        return None
    another = next((each for each in segments(found.content) if matching(options, each.text)), None)
    if another:
        return _Named(Choice(None), another.rest)
    choice = Choice(found.option.letter)
    if NO_CONTENT.match(found.content):
        plainly = REASON.match(found.content) and not DENIED.search(found.content)
        return _Named(choice, "" if plainly else found.content)
    if _another_number(found.option, found.content):
        return _Named(Choice(None), "")
    if _speaks_of_another(options, found.option, found.content):
        return _Named(Choice(None), found.content)
    alike = SequenceMatcher(None, found.option.folded, key(found.content).casefold()).ratio() >= ALIKE
    return _Named(choice, "" if alike and found.option.folded else found.content)


def _letter(options: tuple[Option, ...], text: str) -> _Letter | None:
    found = LETTER.match(text)
    letter = (found["round"] or found["square"] or found["bare"] or found["lower"]).upper() if found else ""
    own = next((each for each in options if each.letter == letter), None)
    if found is None or own is None:
        return None
    rest = text[found.end() :]
    before = BEFORE_CONTENT.match(rest)
    return _Letter(own, bool(found["round"] or found["square"]), rest, rest[before.end() if before else 0 :])


def _another_number(own: Option, content: str) -> bool:
    given = next((value for each in segments(content) if (value := value_of(each.text))), None)
    return own.value is not None and given is not None and given.amount != own.value.amount


def _speaks_of_another(options: tuple[Option, ...], own: Option, content: str) -> bool:
    """Whether the sentence behind a letter holds the content of another option, and not its own."""
    sentence = key(re.split(r"(?<=\w)[.;!](?:\s|$)", content)[0]).casefold()
    spoken = [
        each for each in options if each.folded and re.search(rf"(?<!\w){re.escape(each.folded)}(?!\w)", sentence)
    ]
    return bool(spoken) and own not in spoken

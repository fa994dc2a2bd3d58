"""Finds where a text states its answer: what is boxed, what follows "the answer is", how it begins and ends.

Works on plain texts (notation.py). What is found is only ever what somebody *states*: an answer that is denied,
doubted or asked about ("the answer is not B", "if the answer is B", "is it B?") is left out.
"""

import re
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from tasks.plans.checking.notation import BOX, BOX_END

LONGEST = 1_000  # characters of one statement that are looked at
MOST = 50  # statements, lines and sentences that are looked at, the last ones; ends that one may have, the first ones

# A comma parts what is said from what is denied ("It is not A, the answer is B"), and so do these words.
CLAUSE = re.compile(
    r"[.,;:!?\n]|\b(?:but|so|therefore|thus|hence|however|leaving|leaves|instead|because|since)\b", re.I
)
DENIED = re.compile(
    r"\b(?:not|never|no|nor|neither|without|cannot|if|unless|whether|suppose|assuming|doubt|might|may|could"
    r"|(?<!\bI )(?<!\bwe )would|wrong\w*|incorrect\w*|false\w*|mistake\w*|mistaken\w*|trap|distractor|tempt\w+|seems?"
    r"|appears?|looks?|rul\w+ out|eliminat\w+|exclud\w+|discard\w*|reject\w*|except|avoid\w*|contradict\w*|unlike"
    r"|than|rather|hardly|fail\w*|either|why"
    r"|(?:people|students?|some|many|one|you|they|who) (?:\w+ )?(?:think|say|guess|pick|choose|answer)s?)\b"
    r"|n't\b|不|没|非|错",
    re.IGNORECASE,
)
ANSWER = re.compile(
    r"(?P<own>(?:\b(?:the|my|our|your|this|its|final|correct|right|best|only|most|appropriate|accurate|suitable"
    r"|likely|overall|true|chosen|selected|short|expected)\s+){0,6})"
    r"\b(?P<noun>answer(?:\s+(?:choice|option|key|letter))?|ans|choice|option|one|conclusion"
    r"|solution(?=\s+(?:is|must|should)))\b"
    r"(?:\s+(?:to|for|of|in)\s+(?:the|this|that|your|our|my|these|question|problem|part)\b[^.:;,\n]{0,60}?)?"
    r"(?:\s+(?:here|then|therefore|thus|so))?[\"']?"
    r"(?:\s+(?:is|are|was|(?:must|should|will|has\s+to|would|can\s+only|turns\s+out\s+to|to)\s+(?:\w+\s+)?be)\b"
    r"|\s*(?:[:=→⇒]|->|=>)|\s+-\s|\s*\n|(?=\s*[(]?[A-Z][).]?\s*$))",
    re.IGNORECASE | re.MULTILINE,
)
CHINESE = re.compile(
    r"(?P<own>正确|最终|最后)?的?(?:答案|(?<=正确)选项|(?<=正确的)选项|(?<=最终)选项)"
    r"(?:应该|应当|应|就)?(?:是|为|选)?\s*:?\s*"
    r"|(?:^|[^一-鿿]|故|应|所以|因此|应该|我|本题)选(?:择)?\s*:?\s*",
    re.MULTILINE,
)
SENTENCE = re.compile(r"[.;!?\n]")  # what an answer that *would* be right depends on stands in its sentence
RIGHT = re.compile(r"\b(?:correct|right|best)\b", re.IGNORECASE)
OF_ITS_OWN = re.compile(r"\b(?:final|correct|right|best|my|only|chosen|selected|true)\b", re.IGNORECASE)
BEFORE_A_NOUN = re.compile(r"([A-Za-z'-]+)\s*$")
MAY_STAND_BEFORE = re.compile(r"(?:and|so|that|is|the|an?|short|in|choice|a)$", re.IGNORECASE)

# What follows is an answer where it is all that follows, to the end of the text.
LAST_WORDS = re.compile(
    r"\b(?:therefore|thus|hence|so|consequently|(?:must|should|has to) be|leaving|leaves|left with|gives|giving"
    r"|yields|(?<!because )(?<!since )(?<!as )(?:it|that|this|which|here)(?: i|')s|choose|select|pick|selecting"
    r"|choosing|go(?:ing)? with|opt for|corresponds to|match(?:es)?|points to|makes|making|conclude|option)\b[\s,:]*"
    r"|(?:,|\bnot\s[^.,;\n]{1,200})\s+but\s+",
    re.IGNORECASE,
)
IS_RIGHT = re.compile(
    r"\s(?:is|must be)\s+(?:thus |therefore |clearly |indeed |hence |then )?"
    r"(?:(?:correct|right)|(?:the|our|my)\s+(?:(?:only|most|correct|right|best|final|accurate|appropriate)\s+)*"
    r"(?:answer|option|choice|one|statement))\b(?=\s*(?:$|[.,;:!)\n]|(?:because|since|as|for|here|and not)\b))",
    re.IGNORECASE,
)
SUBJECT_START = re.compile(r"[.,;:!?\n]\s+|\n|\b(?:so|therefore|thus|hence|but|that|and so)\s+", re.IGNORECASE)
SENTENCE_END = re.compile(r"(?<=[a-z0-9)\]\"'%°][.!])\s+")
CUT = re.compile(
    r"[.;!](?=\s|$)|,\s*(?=(?:option|choice|i\.e)\b)|\s*[(\[]|\s*\)|\s+-\s+|:(?=\s)|\s*[\"✓✔✅]|\s*(?:≈|=|⇒)"
    r"|,?\s+(?:and\s+(?=not))?(?:because|since|as(?!\s+well)|which|so|due to|given|where|not|rather than"
    r"|instead of)\b"
)
GOES_ON = re.compile(r"[\s,;(\[.:-]*(?:and(?!\s+not)|or|plus|also|as well|along with|both|&|/)\b", re.IGNORECASE)


class Statement(NamedTuple):
    """What was stated as the answer, up to the end of its line, and where; `final`: boxed, or said to be final."""

    at: int
    text: str
    final: bool


class Segment(NamedTuple):
    """The beginning of a stated answer, up to where it may end, and what follows."""

    text: str
    rest: str


def statements(text: str) -> list[Statement]:
    """Return what a plain text states as its answer, in order."""
    boxed = [
        Statement(box.start(), box[1].strip(), True)
        for box in re.finditer(f"{BOX}([^{BOX}{BOX_END}]*){BOX_END}", text)
    ]
    text = unboxed(text)
    said = []
    for found in [*ANSWER.finditer(text), *CHINESE.finditer(text)]:
        chinese, boundary = found.re is CHINESE, SENTENCE if " would" in found[0] else CLAUSE
        if (chinese or _is_its_answer(text, found)) and not _denied(text[: found.start()], boundary):
            final = "final" in (found["own"] or "").lower() or (found["own"] or "") in ("最终", "最后")
            said.append(Statement(found.end(), _to_line_end(text[found.end() :]), final))
    return sorted([*boxed, *said])[-MOST:]


def unboxed(text: str) -> str:
    """Return a plain text without the marks of boxes, of the same length."""
    return text.replace(BOX, " ").replace(BOX_END, " ")


def lines(text: str) -> list[Statement]:
    """Return the first line of a plain text and its last ones, each as what it would be if it were the answer."""
    found = list(re.finditer(r"[^\n]+", unboxed(text)))
    return [Statement(line.start(), line[0].strip(), False) for line in [*found[:1], *found[1:][-MOST:]]]


def subjects(text: str) -> Iterator[list[Statement]]:
    """Yield, for each "… is correct", what may be its subject, the longest first."""
    text = unboxed(text)
    for found in list(IS_RIGHT.finditer(text))[-MOST:]:
        begin = max(0, text.rfind("\n", 0, found.start()), found.start() - LONGEST)
        before = text[begin : found.start()]
        starts = [0, *(start.end() for start in SUBJECT_START.finditer(before))]
        yield [
            Statement(begin + start, before[start:].strip(), False)
            for start in starts
            if not _denied(text[: begin + start])
        ]


def endings(text: str) -> list[Statement]:
    """Return what follows words that lead to an answer, each up to the end of the text."""
    text = unboxed(text)
    begin = max(0, len(text) - LONGEST)
    return [
        Statement(found.end(), text[found.end() :].strip(), False)
        for found in LAST_WORDS.finditer(text, begin)
        if not _denied(text[: found.end()])
    ]


def sentences(text: str) -> list[Statement]:
    """Return the sentences of the last line."""
    text = unboxed(text)
    begin = text.rfind("\n") + 1
    starts = [begin, *(end.end() for end in SENTENCE_END.finditer(text, begin))]
    return [
        Statement(start, text[start:end].strip(), False)
        for start, end in zip(starts, [*starts[1:], len(text)], strict=True)
    ][-MOST:]


def segments(text: str) -> Iterator[Segment]:
    """Yield the beginnings of a stated answer that may be the whole of it, the longest first."""
    text = text[:LONGEST]
    yield Segment(text, "")
    for cut in reversed(list(islice(CUT.finditer(text), MOST))):
        if not GOES_ON.match(text[cut.start() :]):
            yield Segment(text[: cut.start()], text[cut.start() :])


def _is_its_answer(text: str, found: re.Match[str]) -> bool:
    """Whether it is this text's answer: not a wrong one, an obvious one, or one of several options."""
    noun, own = found["noun"].lower(), found["own"]
    if not noun.startswith(("ans", "conclusion", "solution")) and not (RIGHT if noun == "one" else OF_ITS_OWN).search(
        own
    ):
        return False
    word = BEFORE_A_NOUN.search(text[max(0, found.start() - 40) : found.start()])
    return bool(own) or word is None or MAY_STAND_BEFORE.match(word[1]) is not None


def _denied(before: str, boundary: re.Pattern[str] = CLAUSE) -> bool:
    """Tell whether what follows is denied or doubted by the clause that it ends."""
    before = before[-300:]
    starts = [each.end() for each in boundary.finditer(before)]
    return DENIED.search(before[starts[-1] if starts else 0 :]) is not None


def _to_line_end(text: str) -> str:
    return text[: LONGEST * 2].lstrip().partition("\n")[0].strip()

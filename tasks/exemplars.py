"""What MapCoder's replies hold: exemplars and an algorithm in XML, as models write it, and a confidence.

Such XML is seldom well-formed: programs stand in it with their own `<` and `&`, tags are missing, doubled or in
capitals, fences and prose are around it. So only the format's own tags are looked for and all else is text. Nothing
is declared or included, and of entities a single character each is read, once.
"""

import html
import re
from collections.abc import Iterator
from typing import NamedTuple

from tasks.parsing import BadReply, fenced_blocks, whole_answer_of

# A tag of the format. What only looks like one, in a CDATA section or an #include, is taken first and has no name;
# behind a word it is a type of a program, as in List<Problem>.
TAG = re.compile(
    r"<!\[CDATA\[(?:(?!<!\[CDATA\[).)*?\]\]>(?=\s*</)"
    r"|\#[ \t]*+include[ \t]*+<[^<>\n]*+>"
    r"|(?:<\s*+(?P<closes>/)\s*+|(?<!\w)<\s*+)"
    r"(?P<name>root|problem|description|code|plan(?:ning)?|algorithm)[_-]?\d*(?:\s[^<>]*+)?/?>",
    re.IGNORECASE | re.DOTALL,
)
CDATA = re.compile(r"<!\[CDATA\[")
NO_ENTITY = re.compile(r"<|&(?!(?:lt|gt|amp|quot|apos|#\d{1,7}|#x[0-9a-f]{1,6});)", re.IGNORECASE)

CONFIDENCE_TAG = re.compile(r"<\s*+confidence(?:[ _-]?(?:score|level))?(?:\s[^<>]*+)?>", re.IGNORECASE)
CONFIDENCE_LABEL = re.compile(
    r"\bconfidence(?:[ \t]+(?:score|level))?(?:[ \t]*\([^()\n]{0,60}\))?[\"'*_`]*[ \t]*(?:[:=]|is\b|\n)",
    re.IGNORECASE,
)
PERCENTAGE = re.compile(r"(?<![\w.,-])(?:100|\d{1,2})(?:\.\d+)?[ \t]*%")
NUMBER = re.compile(
    r"(?<![\w.,-])(?P<value>\d{1,9}(?P<decimals>[.,]\d+)?)\s*(?:(?P<percent>%)|(?:/|out of)\s*(?P<whole>\d{1,9}))?"
)


class Exemplar(NamedTuple):
    """A problem that a model recalls, with a program and a plan for it; one of the two may be missing."""

    description: str
    code: str
    planning: str


class Recalled(NamedTuple):
    """Exemplars, and what is said of the algorithm that fits the problem (empty: nothing)."""

    exemplars: tuple[Exemplar, ...]
    algorithm: str


def recalled_of(text: str, most: int) -> Recalled:
    """Return the first `most` exemplars of a reply, and its last algorithm; raises BadReply without any exemplar."""
    problems: list[dict[str, str]] = [{}]
    algorithm = ""
    for name, said in _fields(whole_answer_of(text)):
        if name == "algorithm":
            algorithm = said
            continue
        if name == "problem" or (name == "description" and name in problems[-1]):
            problems.append({})
        problems[-1].setdefault(name, said)
    read = (
        Exemplar(each.get("description") or each.get("problem", ""), each.get("code", ""), each.get("planning", ""))
        for each in problems
    )
    exemplars = tuple(each for each in read if each.description and (each.planning or each.code))
    if not exemplars:
        raise BadReply("the reply holds no <problem> with a <description> and a <planning>")
    return Recalled(exemplars[:most], algorithm)


def confidence_of(text: str) -> float:
    """Return the confidence in a reply, 0 to 100; raises BadReply where none is given, or one outside of that.

    The text of the last `<confidence>` counts, else what follows the last `confidence:`, else the only percentage,
    else a reply that is nothing but a number. One with decimals, up to 1.0, is a share of 1: 0.95 is 95, as are `95%`
    and `19 out of 20`.
    """
    answer = CDATA.sub("", whole_answer_of(text))
    said = answer
    if tags := list(CONFIDENCE_TAG.finditer(answer)):
        said = answer[tags[-1].end() :].partition("<")[0]
    elif labels := list(CONFIDENCE_LABEL.finditer(answer)):
        said = answer[labels[-1].end() :].lstrip().partition("\n")[0]
    elif len(shares := PERCENTAGE.findall(answer)) == 1:
        said = shares[0]
    number = NUMBER.search(said) if said is not answer else NUMBER.fullmatch(said.strip("*_`. \n"))
    if number is None:
        raise BadReply("the reply holds no <confidence> that is a number")
    confidence = float(number["value"].replace(",", "."))
    if number["whole"]:
        confidence *= 100 / max(float(number["whole"]), 1)
    elif number["decimals"] and confidence <= 1 and not number["percent"]:
        confidence *= 100
    if confidence > 100:
        raise BadReply(f"the confidence {number[0].strip()[:20]} is above 100")
    return confidence


class _Field(NamedTuple):
    name: str
    text: str


def _fields(answer: str) -> Iterator[_Field]:
    """Yield the fields of an answer in order, without the blank ones; of a problem, the text before its fields."""
    tags = [tag for tag in TAG.finditer(answer) if tag["name"]]
    names = ["planning" if (name := tag["name"].lower()) == "plan" else name for tag in tags]
    at = 0
    while at < len(tags):
        name, opening, end = names[at], tags[at], at + 1
        if not opening["closes"] and name != "root" and not opening[0].endswith("/>"):
            end = _end(tags, names, at)
            said = _plain(answer[opening.end() : tags[end].start() if end < len(tags) else len(answer)], name)
            if said or name == "problem":
                yield _Field(name, said)
        at = end


def _end(tags: list[re.Match[str]], names: list[str], opening: int) -> int:
    """Return the tag at which a field ends: its closing tag, else the next one of any name.

    `<code>` may be a word in the text of another field; every other tag on the way shows that the closing one is
    missing.
    """
    for at in range(opening + 1, len(tags)):
        if names[at] == names[opening] and tags[at]["closes"]:
            return at
        if names[at] != "code" or names[opening] in ("code", "problem"):
            break
    return opening + 1


def _plain(text: str, name: str) -> str:
    """Return what a field says, without what is only there to put it into XML or Markdown."""
    said = text.strip().removesuffix("]]>")
    if CDATA.search(said):
        said = CDATA.sub("", said.replace("]]><![CDATA[", ""))
    elif not NO_ENTITY.search(said):
        said = html.unescape(said)
    blocks = fenced_blocks(said) if name == "code" else []
    return blocks[-1].text.strip() if blocks else said.strip()

"""Where a `<Step …>` in a planner's reply ends, well-formed or not, told while the reply is still being written.

An element whose attributes can be told apart (`name="value"`, the next one behind white space) ends where XML says,
and is complete in the moment in which that is there. One that loses its way, mostly by a quote inside of a task, ends
at the first `/>` with a tag, a fence or the end behind it, or where the next tag of a plan begins; it is complete
when that can be seen. A step that is never closed ends where the next tag of a plan begins too.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

OPENING = "<Step"
LONGEST_MARK = 12  # characters by which every tag that matters can be told, the one behind it included

# The parts of a step, and how they are named.
SPELLINGS = {
    "ID": r"(?:step[_-]?)?id",
    "Task": r"task|description",
    "Difficulty": r"diff(?:iculty)?(?:[_-]?level)?",
    "Token": r"(?:max[_-]?)?tokens?(?:[_-]?(?:budget|limit))?",
    "Rely": r"rel(?:y|ies)(?:[_-]?on)?|depend(?:s|ency|encies)?(?:[_-]?on)?",
}
KNOWN = "|".join(SPELLINGS.values())

# Between values; bounded, as they are read again with each piece until they are whole. UNDECIDED may still be one.
SPACE = r"\s{0,99}"
NAME = r"[^\W\d][\w.:-]{0,99}"
BARE = r"[^\s\"'<>=`/\\]{1,99}"
EQUALS = rf"\s{SPACE}({NAME}){SPACE}={SPACE}"
TAG_END = re.compile(rf"{SPACE}(/?)>")
QUOTED = re.compile(rf"{EQUALS}([\"'])")
UNQUOTED = re.compile(rf"{EQUALS}({BARE})(?=[\s>]|/>)")
UNDECIDED = re.compile(rf"{SPACE}/?|\s{SPACE}{NAME}{SPACE}(?:={SPACE}(?:{BARE}/?)?)?")
BOUNDARY = r"</?(?:step|plan)(?=[\s/>])|</?think(?:ing)?>"
CONTENT_MARK = re.compile(rf"{BOUNDARY}|<!--|<!\[CDATA\[", re.IGNORECASE)
BROKEN_MARK = re.compile(rf"{BOUNDARY}|/>", re.IGNORECASE)
BEHIND = re.compile(r"</?(?:step|plan|think)|<!--|```|\]\]>", re.IGNORECASE)
GAP = 99  # white space behind a `/>` that says as much as a tag
CLOSERS = {"<!--": "-->", "<![cdata[": "]]>"}


class Attribute(NamedTuple):
    name: str
    value: str


class Element(NamedTuple):
    """A step as it stands in the reply: its tag and its content are the first `size` characters, `length` is all.

    - `attributes`: as they are written; None where they cannot be told apart.
    - `content`: where its content begins, as far as that can be told.
    - `closed`: whether `/>` or an end tag closes it.
    """

    size: int
    length: int
    attributes: tuple[Attribute, ...] | None
    content: int
    closed: bool


def part_of(name: str) -> str | None:
    """Return the part of a step that an attribute or a child of this name is; None where it is none."""
    return next((part for part, names in SPELLINGS.items() if re.fullmatch(names, name, re.IGNORECASE)), None)


class ElementScan:
    """Looks for the end of the element with which a growing text begins; what was read is not read again."""

    def __init__(self) -> None:
        self._at = len(OPENING)
        self._attributes: list[Attribute] = []
        self._name = self._quote = ""  # the attribute whose value is being read
        self._content = 0
        self._within = ""  # what ends the comment or CDATA section that is being read
        self._read: Callable[[str, bool], Element | None] = self._tag

    def end(self, text: str, final: bool) -> Element | None:
        """Return the element; None where it is not complete, or if the text is `final`, never will be.

        Each call's text is that of the call before and more. The answer does not depend on the pieces it came in.
        """
        return self._read(text, final)

    def _tag(self, text: str, final: bool) -> Element | None:
        """Read on to the end of the tag, as long as its attributes can be told apart."""
        while True:
            if self._quote:
                end = text.find(self._quote, self._at)
                if end < 0:
                    self._at = len(text)
                    break
                self._attributes.append(Attribute(self._name, text[self._content : end]))
                self._at, self._quote = end + 1, ""
            elif tag_end := TAG_END.match(text, self._at):
                self._at = self._content = tag_end.end()
                if tag_end[1]:
                    return self._element(self._at, self._at, closed=True)
                return self._turn_to(self._inside, text, final)
            elif quoted := QUOTED.match(text, self._at):
                self._name, self._quote = quoted[1], quoted[2]
                self._at = self._content = quoted.end()
            elif bare := UNQUOTED.match(text, self._at):
                self._attributes.append(Attribute(bare[1], bare[2]))
                self._at = bare.end()
            elif UNDECIDED.fullmatch(text, self._at):
                break
            else:
                return self._turn_to(self._broken, text, final)
        return self._turn_to(self._broken, text, final) if final else None

    def _turn_to(self, read: Callable[[str, bool], Element | None], text: str, final: bool) -> Element | None:
        self._read = read
        if read == self._broken:
            self._at = len(OPENING)
        return read(text, final)

    def _inside(self, text: str, final: bool) -> Element | None:
        """Read on to the end tag, past comments and CDATA sections."""
        while True:
            if self._within:
                end = text.find(self._within, self._at)
                if end < 0:
                    self._at = max(self._at, len(text) - len(self._within))
                    break
                self._at, self._within = end + len(self._within), ""
            mark = CONTENT_MARK.search(text, self._at)
            if mark is None:
                self._at = max(self._at, len(text) - LONGEST_MARK)
                break
            self._within = CLOSERS.get(mark[0].lower(), "")
            self._at = mark.end()
            if not self._within:
                return self._at_boundary(mark)
        task = any(part_of(name) == "Task" and value.strip() for name, value in self._attributes)
        return self._element(self._content, len(text), closed=False) if final and task else None

    def _broken(self, text: str, final: bool) -> Element | None:
        """Read on to where an element seems to end whose attributes cannot be told apart."""
        while mark := BROKEN_MARK.search(text, self._at):
            if mark[0] != "/>":
                return self._at_boundary(mark)
            after = text[mark.end() : mark.end() + GAP + LONGEST_MARK]
            rest = after.lstrip()
            if len(after) - len(rest) >= GAP or BEHIND.match(rest) or (final and not rest):
                return self._element(mark.end(), mark.end(), closed=True)
            if not final and (not rest or (rest[0] in "<`]" and len(rest) < LONGEST_MARK)):
                self._at = mark.start()
                return None
            self._at = mark.end()
        self._at = max(self._at, len(text) - LONGEST_MARK)
        return None

    def _at_boundary(self, mark: re.Match[str]) -> Element:
        closed = mark[0].lower() == "</step"
        return self._element(mark.start(), mark.end() if closed else mark.start(), closed)

    def _element(self, size: int, length: int, closed: bool) -> Element:
        attributes = None if self._read == self._broken else tuple(self._attributes)
        return Element(size, length, attributes, self._content, closed)

"""What stands in one `<Step …>` element: by defusedxml where it is XML, by a tolerant reader where it is not."""

import re
from html.entities import html5
from typing import NamedTuple
from xml.etree.ElementTree import ParseError

import defusedxml.ElementTree

from tasks.plans.reading.elements import KNOWN, OPENING, SPELLINGS, TAG_END, Attribute, Element, part_of

ILLEGAL = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # what XML may not hold, and \r
REFERENCE = r"&(?P<name>#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z]\w{1,31});"
REFERENCES = re.compile(REFERENCE)
MARKUP = re.compile(rf"<!--.*?-->|<!\[CDATA\[(?P<literal>.*?)\]\]>|{REFERENCE}", re.DOTALL)
CHILD_TAG = re.compile(rf"<(?P<end>/?)(?P<name>{KNOWN})(?:\s[^<>]*?)?(?P<empty>/?)>", re.IGNORECASE)

# In a broken tag: how a value begins, and how the next one does where no quote closes the one before.
BEGINNING = re.compile(rf"(?<!\w)({KNOWN})\s*=(?:\s*([\"'“”]))?", re.IGNORECASE)
NEXT_OR_END = rf"(?<!\s)\s+(?:{KNOWN})\s*=|/?>"


class Fields(NamedTuple):
    """The parts of a step as text, by their names in SPELLINGS, and its text content.

    `twice` names the parts that are given again, differently; the first counts.
    """

    parts: dict[str, str]
    text: str
    twice: tuple[str, ...]


class Content(NamedTuple):
    attributes: tuple[Attribute, ...]
    text: str


def fields_of(element: Element, text: str) -> Fields:
    """Return what stands in an element, with which `text` begins."""
    text = text[: element.size]
    if element.attributes is None:
        content = _broken(text.replace('\\"', '"') if '=\\"' in text else text)
    else:
        content = _well_formed(text, element) or _regular(element.attributes, text[element.content :])
    parts: dict[str, str] = {}
    twice: list[str] = []
    for name, value in content.attributes:
        part = part_of(name)
        if part is not None and parts.setdefault(part, value).strip() != value.strip():
            twice.append(part)
    return Fields(parts, content.text, tuple(dict.fromkeys(twice)))


def _well_formed(text: str, element: Element) -> Content | None:
    """Read an element as XML; None where it is none, or where its text holds elements that are no parts of a step."""
    if element.content < element.size or not text.endswith("/>"):
        text += f"</{text[1 : len(OPENING)]}>"
    try:
        root = defusedxml.ElementTree.fromstring(text, forbid_dtd=True)
    except (ParseError, ValueError):  # ValueError: what defusedxml refuses
        return None
    if any(part_of(child.tag) is None or len(child) for child in root):
        return None
    children = tuple(Attribute(child.tag, child.text or "") for child in root)
    between = "".join([root.text or "", *(child.tail or "" for child in root)])
    return Content((*(Attribute(*pair) for pair in root.attrib.items()), *children), between)


def _regular(attributes: tuple[Attribute, ...], content: str) -> Content:
    """Read attributes that can be told apart, and a content, where they are no XML."""
    values = tuple(Attribute(name, _value(value)) for name, value in attributes)
    children, text = _content(content)
    return Content((*values, *children), text)


def _value(written: str) -> str:
    """Return the value of an attribute as XML has it: on one line, its references resolved where they are known."""
    return REFERENCES.sub(_character, re.sub(r"[\t\n]", " ", written))


def _content(written: str) -> Content:
    """Read a content: the children that are parts of a step, and the text around them, other markup and all."""
    children: list[Attribute] = []
    around: list[str] = []
    at = 0
    opening: re.Match[str] | None = None
    for tag in CHILD_TAG.finditer(written):
        if opening is None and not tag["end"]:
            opening = tag
        if opening is not None and (tag["empty"] if tag is opening else _closes(tag, opening)):
            if not tag["empty"]:
                children.append(Attribute(tag["name"], MARKUP.sub(_character, written[opening.end() : tag.start()])))
            around.append(written[at : opening.start()])
            at, opening = tag.end(), None
    around.append(written[at:])
    return Content(tuple(children), MARKUP.sub(_character, "".join(around)))


def _closes(tag: re.Match[str], opening: re.Match[str]) -> bool:
    return tag["end"] != "" and tag["name"].lower() == opening["name"].lower()


def _character(found: re.Match[str]) -> str:
    """Return what a reference, a comment or a CDATA section stands for; an unknown reference stands for itself."""
    groups = found.groupdict()
    if groups["name"] is None:
        return groups["literal"] or ""
    if not groups["name"].startswith("#"):
        return html5.get(f"{groups['name']};", found[0])
    digits = groups["name"][1:]
    code = int(digits[1:], 16) if digits[0] in "xX" else int(digits)
    return chr(code) if code <= 0x10FFFF else found[0]


def _broken(text: str) -> Content:
    """Read a tag whose attributes cannot be told apart, by the names that the parts of a step have.

    A value goes on to the quote behind which the next attribute or the end follows; other quotes are its own.
    """
    attributes: list[Attribute] = []
    at = len(OPENING)
    while beginning := BEGINNING.search(text, at):
        part = part_of(beginning[1]) or ""
        missing = [
            other for other in SPELLINGS if other != part and all(other != part_of(a.name) for a in attributes)
        ]
        closing = "”“" if beginning[2] in ("“", "”") else beginning[2] or ""
        end = _end_of_value(text, beginning.end(), closing, part, missing)
        value = text[beginning.end() : end].replace('\\"', '"').replace("\\'", "'")
        attributes.append(Attribute(part, _value(value)))
        at = end + (closing != "" and text[end : end + 1] in tuple(closing))
        if tag_end := TAG_END.match(text, at):
            children, between = _content(text[tag_end.end() :]) if not tag_end[1] else Content((), "")
            return Content((*attributes, *children), between)
    return Content(tuple(attributes), "")


def _end_of_value(text: str, start: int, closing: str, part: str, missing: list[str]) -> int:
    """Return where a value ends: at a quote that may close it and looks as if it did, else where the next begins."""
    if not closing:
        ways = [NEXT_OR_END]
    elif part != "Task":  # no quotes within
        ways = [rf"[{closing}]|{NEXT_OR_END}"]
    else:
        unclosed = "|".join(SPELLINGS[other] for other in missing) or r"\b\B"
        ways = [
            rf"[{closing}]\s*(?:,\s*)?(?:{KNOWN})\s*=|(?<!\s)\s+(?:{unclosed})\s*=\s*[\"'“]",
            rf"[{closing}]\s*/?>\s*\Z",
            rf"[{closing}]\s*/?>",
            r"/?>\s*\Z",
        ]
    ends = (re.compile(way, re.IGNORECASE).search(text, start) for way in ways)
    return next((end.start() for end in ends if end), len(text))

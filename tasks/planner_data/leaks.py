"""Tells whether a text gives away a question's right answer, to keep it out of plans that were made with its help.

It is on the safe side: what may be the answer counts as it. Covered: numbers however they are written (`840`,
`8.4 × 10^2`, `three quarters`, `75 %`), rounded ones too, whatever their unit; texts with a slip of the pen or two;
options by letter or content, where the right one is named more often than another, or is said to be right. Not
covered: paraphrases, formulas that come to the answer, numbers above twelve in words.
"""

import re
from collections.abc import Iterator, Sequence
from fractions import Fraction

from rapidfuzz import fuzz

from tasks.plans.checking.choices import right_letter
from tasks.plans.checking.notation import key, plain
from tasks.plans.checking.numbers import MULTIPLES, WORDS, Value, same_amount, value_of
from tasks.plans.checking.options import IN_LINES, IN_ONE_LINE, Option, letters_alone, options_of
from tasks.plans.records import Question

ALMOST = 88.0  # of 100, for a text in a longer one
LONG_ENOUGH = 8  # characters of a text that is looked for with slips of the pen

LETTER_ALONE = re.compile(r"\(?([A-J])[).]?")
DIGITS = r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|\.\d+"
NUMBER = re.compile(
    rf"""(?<![\w.])[-+]?(?:\d+\s+\d+/\d+|10\s*\^\s*\(?[-+]?\d+\)?
    |(?:{DIGITS})(?:\s*/\s*(?:{DIGITS})|\s*[×x*·]\s*10\s*\^\s*\(?[-+]?\d+\)?|[eE][-+]?\d+)?)
    (?:\s*(?:{"|".join(MULTIPLES)})\b)?(?:\s*%|\s*per\s?cent\b)?|\b(?:{"|".join(WORDS)})\b""",
    re.VERBOSE | re.IGNORECASE,
)
PARTS = {"half": 2, "halves": 2, "third": 3, "quarter": 4, "fourth": 4, "fifth": 5, "sixth": 6, "eighth": 8}
PART = re.compile(rf"\b(?:(?P<of>a|{'|'.join(WORDS)})[\s-]+)?(?P<part>{'|'.join(PARTS)})s?\b", re.IGNORECASE)
SAID = (
    r"\b(?:answer|result|solution|option|choice|conclusion)\b[^.;\n]{0,40}?(?:\bis\b|\bbe\b|\bas\b|\bof\b|[:=]|→)\s*"
)
NAMED = r"(?i:\b(?:option|choice|answer|alternative|statement|letter)s?\s*|[(\[])"
FROM_TO = re.compile(r"\(?\b[A-J]\)?\s*(?:-|to|through)\s*\(?[A-J]\b\)?")


def leaks(question: Question, text: str) -> bool:
    """Tell whether a text names the right answer of its question; one without an answer has nothing to give away."""
    answer = (question.answer or "").strip()
    if not answer:
        return False
    text = plain(text)
    options = options_of(question.text)
    right = right_letter(options, answer)
    alone = LETTER_ALONE.fullmatch(answer)
    if right is None and alone and not options:
        options, right = letters_alone(10), alone[1]
    if right is not None:
        return _names_option(question, options, right, text)
    return _names(plain(answer), text)


def _names_option(question: Question, options: Sequence[Option], right: str, text: str) -> bool:
    """Whether the right option is said to be right, or is named more often than another."""
    if _said(re.escape(right), text):
        return True
    contents, text = _contents(question.text), FROM_TO.sub("", text)
    named = {option.letter: _mentions(option.letter, contents.get(option.letter, ""), text) for option in options}
    others = [count for letter, count in named.items() if letter != right]
    return named[right] > min(others, default=0)


def _contents(question: str) -> dict[str, str]:
    """The options' contents as they are written, by letter."""
    for label in (IN_LINES, IN_ONE_LINE):
        found = list(label.finditer(question))
        if len(found) > 1:
            ends = [*(each.start() for each in found[1:]), len(question)]
            return {
                each[1]: plain(re.split(r"\n\s*\n", question[each.end() : end])[0])
                for each, end in zip(found, ends, strict=True)
            }
    return {}


def _mentions(letter: str, content: str, text: str) -> int:
    """How often a text names an option; a content that is there counts once."""
    letters = re.findall(rf"{NAMED}(?:[A-J]\b\W{{1,5}}(?:(?:and|or)\W{{1,3}})?)*{letter}(?![\w'])", text)
    return len(letters) + bool(content and _names(content, text))


def _names(answer: str, text: str) -> bool:
    """Whether a text holds an answer: as a number, as the text that it is, or nearly that."""
    value = value_of(answer)
    if value is not None:
        return any(_same(value, each) for each in _numbers(text))
    wanted, given = " ".join(answer.casefold().split()), " ".join(text.casefold().split())
    if len(wanted) < 2 or wanted in ("yes", "no", "true", "false", "correct", "incorrect"):
        return _said(re.escape(answer), text)
    if re.search(rf"(?<!\w){re.escape(wanted)}(?!\w)", given):
        return True
    bare = key(answer).casefold()
    if len(bare) > 1 and re.search(rf"(?<!\w){re.escape(bare)}(?!\w)", key(text).casefold()):
        return True
    return len(wanted) >= LONG_ENOUGH and len(given) >= len(wanted) and fuzz.partial_ratio(wanted, given) >= ALMOST


def _said(what: str, text: str) -> bool:
    return re.search(rf"{SAID}[(\['\"]*(?i:{what})(?!\w)", text, re.IGNORECASE) is not None


def _numbers(text: str) -> Iterator[Value]:
    for found in NUMBER.finditer(text):
        value = value_of(re.sub(r"(?i)per\s?cent", "%", found[0]))
        if value is not None:
            yield value
    for found in PART.finditer(text):
        above = WORDS.index(found["of"].lower()) if (found["of"] or "a").lower() != "a" else 1
        yield Value(Fraction(above, PARTS[found["part"].lower()]))


def _same(right: Value, given: Value) -> bool:
    """Whether two numbers may be the same, in percent or not, whatever their unit and sign."""
    amounts = [right._replace(amount=abs(right.amount))]
    if "%" in (right.unit, given.unit) and right.unit != given.unit:
        shift = Fraction(1, 100) if right.unit == "%" else Fraction(100)
        places = None if right.places is None else right.places + (2 if right.unit == "%" else -2)
        amounts.append(Value(abs(right.amount) * shift, "", places))
    other = given._replace(amount=abs(given.amount))
    return any(same_amount(each, other) is not False for each in amounts)

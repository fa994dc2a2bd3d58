"""The options of a multiple-choice question, and which of them a text is the content of."""

import re
from typing import NamedTuple

from tasks.plans.checking.notation import key, plain
from tasks.plans.checking.numbers import Value, same_amount, value_of

LABELS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

IN_LINES = re.compile(r"^[ \t]*(?:[-*][ \t]+)?(?:\*\*)?\(?([A-Z])[.):．、:：](?:\*\*)?[ \t]*(?=\S)", re.MULTILINE)
IN_ONE_LINE = re.compile(r"(?<!\S)\(([A-Z])\)\s+(?=\S)")


class Option(NamedTuple):
    """One option; `key`, `folded` and `value` are its content as it is compared, empty where it is not known."""

    letter: str
    key: str
    folded: str
    value: Value | None


def options_of(question: str) -> tuple[Option, ...]:
    """Return the options that a question lists, its last list of them; () where it lists none.

    Lines `A. …`, `A) …`, `(A) …`, `A: …`; or `(A) … (B) …` in one line. Each ends where a paragraph does.
    """
    for label in (IN_LINES, IN_ONE_LINE):
        found = list(label.finditer(question))
        for start in reversed([at for at, each in enumerate(found) if each[1] == "A"]):
            run = [each for each, letter in zip(found[start:], LABELS, strict=False) if each[1] == letter]
            if len(run) > 1 and run == found[start : start + len(run)]:
                ends = [*(each.start() for each in run[1:]), len(question)]
                return tuple(
                    _option(each[1], question[each.end() : end]) for each, end in zip(run, ends, strict=True)
                )
    return ()


def letters_alone(count: int) -> tuple[Option, ...]:
    """Return options of which nothing is known but their letters."""
    return tuple(Option(letter, "", "", None) for letter in LABELS[:count])


def matching(options: tuple[Option, ...], text: str) -> Option | None:
    """Return the one option whose content a plain text is, None where none or several are.

    As it stands, else whatever the case, else as the same number: with its unit, or without one.
    """
    compared = key(text)
    if not compared:
        return None
    folded = compared.casefold()
    same = [each for each in options if each.key == compared] or [each for each in options if each.folded == folded]
    given = None if same else value_of(text)
    if given is not None:
        numbers = [(each, each.value) for each in options if each.value and given.unit in ("", each.value.unit)]
        same = [each for each, value in numbers if value == given._replace(places=value.places)]
        same = same or [each for each, value in numbers if value.amount == given.amount]
        same = same or [each for each, value in numbers if same_amount(value, given)]
    return same[0] if len(same) == 1 else None


def _option(letter: str, text: str) -> Option:
    content = plain(re.split(r"\n\s*\n", text)[0])
    compared = key(content.replace("\n", " "))
    return Option(letter, compared, compared.casefold(), value_of(content))

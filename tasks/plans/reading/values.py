"""From the fields of one step, as a planner wrote them, to the Step, with a sentence for each thing put right.

What is sure is read without a word: full-width digits, `Step 3`, `100 tokens`, `none`. What is missing or absurd is
put right, by the step alone and what came before it, so that a step can be run before the next one is written.
"""

import re
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

from tasks.plans.graph import MOST_STEPS, PlanError
from tasks.plans.reading.fields import ILLEGAL, Fields
from tasks.plans.records import HARDEST, Step

DEFAULT_DIFFICULTY = 5
DEFAULT_TOKENS = 500
MOST_TOKENS = 32_768
LONGEST_VALUE = 1000  # characters of an attribute other than the task that are looked at

IN_WORDS = {
    **dict.fromkeys(["trivial", "very easy", "very low", "very simple"], 1),
    **dict.fromkeys(["easy", "low", "simple", "简单", "低"], 2),
    **dict.fromkeys(["medium", "moderate", "intermediate", "normal", "average", "中等", "中"], 5),
    **dict.fromkeys(["hard", "high", "difficult", "complex", "challenging", "困难", "难", "高"], 7),
    **dict.fromkeys(["very hard", "very high", "very difficult", "very complex", "extreme", "expert"], 9),
}
COMMA_OF_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
NUMBER = re.compile(r"((?:(?<![\w.])-)?(?<![A-Za-z\d.])\d+(?:\.\d+)?)(?!\d|e\d)(\s?k\b)?", re.IGNORECASE)
ASIDE = re.compile(r"\(.*?\)")
OUT_OF = re.compile(r"(?<!\d)(\d{1,6}(?:\.\d{1,6})?)\s*(?:/|out of|of)\s*(\d{1,6})", re.IGNORECASE)
ID = re.compile(r"(?!-)[^\W\d_]*[\s_.:#(\[-]*(\d{1,9})(?:\.0*)?[\s).\]:号步]*")
NO_STEP = re.compile(
    r"(?:(?:none|null|nil|nan|n\W?a|not?|nothing|undefined|empty|false)\b|无|没有|空)\D*", re.IGNORECASE
)
ALL_STEPS = re.compile(r"\D*(?:\b(?:all|every)\b|所有|全部)\D*", re.IGNORECASE)
RANGE = re.compile(r"(\d{1,9})\s*(?:[-–—~]|\.{2,3}|to|through|至|到)\s*(?:steps?\s*)?(\d{1,9})(?!\d)", re.IGNORECASE)
STEP_NUMBER = re.compile(
    r"(?<![A-Za-z\d.])(?:(?:steps?|tasks?|nodes?|ids?|[stq])[\s_#.:-]*)?(\d{1,9})(?:\.0+)?(?![A-Za-z\d]|\.\d)",
    re.IGNORECASE,
)


class Reading(NamedTuple):
    """A step, and what had to be put right in it."""

    step: Step
    repairs: tuple[str, ...]


class Value(NamedTuple):
    value: int
    repair: str = ""


def step_of(fields: Fields, earlier: Sequence[Step]) -> Reading:
    """Return the step that fields give, behind the earlier ones of its plan; raises PlanError if they give none."""
    id = _id(fields.parts.get("ID"), place=len(earlier) + 1)
    name = f"step {id.value}"
    task, left_aside = _task(fields)
    if not task:
        raise PlanError(f"{name} has no Task")
    difficulty = _difficulty(fields.parts.get("Difficulty"))
    tokens = _tokens(fields.parts.get("Token"))
    depends_on, rely_repair = _depends_on(fields.parts.get("Rely"), name, [step.id for step in earlier])
    repairs = [id.repair, difficulty.repair, tokens.repair, rely_repair, left_aside]
    repairs += [f"{part} is given twice, the first counts" for part in fields.twice]
    step = Step(id=id.value, task=task, difficulty=difficulty.value, token_budget=tokens.value, depends_on=depends_on)
    return Reading(step, tuple(f"{name}: {repair}" for repair in repairs if repair))


def _id(written: str | None, place: int) -> Value:
    text = _plain(written)
    if not text:
        return Value(place, "no ID, its place in the plan taken")
    number = ID.fullmatch(text)
    if number is None:
        raise PlanError(f"the ID of step number {place} is {shortened(text)}, which is not a number")
    return Value(int(number[1]))


def _task(fields: Fields) -> tuple[str, str]:
    """Return the task, the text of the element where no attribute holds one, and what is said of a text beside it."""
    task, text = (ILLEGAL.sub("", words).strip() for words in (fields.parts.get("Task", ""), fields.text))
    if not re.search(r"\w", task):
        task, text = text, ""
    return (task if re.search(r"\w", task) else ""), ("the text beside its Task is left out" if text else "")


def _difficulty(written: str | None) -> Value:
    text = _plain(written)
    if not text:
        return Value(DEFAULT_DIFFICULTY, f"no Difficulty, {DEFAULT_DIFFICULTY} taken")
    numbers = _numbers(ASIDE.sub("", text)) or _numbers(text)
    in_words = IN_WORDS.get(re.sub(r"[\W_]+", " ", text).strip().casefold())
    if share := OUT_OF.search(text):
        of = float(share[2])
        number = float(share[1]) if of in (HARDEST, 10) or of == 0 else float(share[1]) / of * HARDEST
    elif numbers:
        number = max(numbers)
    else:
        number = in_words or DEFAULT_DIFFICULTY
    difficulty = int(min(max(number + 0.5, 1), HARDEST))
    return Value(difficulty, "" if numbers == [difficulty] else f"Difficulty {shortened(text)} taken as {difficulty}")


def _tokens(written: str | None) -> Value:
    text = _plain(written)
    if not text:
        return Value(DEFAULT_TOKENS, f"no Token, {DEFAULT_TOKENS} taken")
    numbers = _numbers(text)
    most = max(numbers, default=0)
    tokens = int(most) if min(numbers, default=0) >= 1 and most <= MOST_TOKENS else DEFAULT_TOKENS
    return Value(tokens, "" if numbers == [tokens] else f"Token {shortened(text)} taken as {tokens}")


def _numbers(text: str) -> list[float]:
    """Return the numbers in a text; `1,000` is one, as `1k` is."""
    found = NUMBER.findall(COMMA_OF_THOUSANDS.sub("", text))
    return [float(digits) * (1000 if thousands else 1) for digits, thousands in found]


def _depends_on(written: str | None, name: str, earlier: Sequence[int]) -> tuple[tuple[int, ...], str]:
    """Return the ids that a Rely names, each once, and what had to be put right."""
    text = _plain(written)
    words = re.sub(r"^[\W_]+|[\W_]+$", "", text)
    if not words or text == "-1" or NO_STEP.fullmatch(words):
        return (), ""
    if not earlier:
        return (), f"Rely {shortened(text)} is left out, as it is the first"
    if ALL_STEPS.fullmatch(words):
        return tuple(earlier), f"Rely {shortened(text)} taken as all steps before it"
    listed = RANGE.sub(_listed, words) if len(written or "") <= LONGEST_VALUE else ""
    ids = tuple(dict.fromkeys(int(number) for number in STEP_NUMBER.findall(listed)))
    if not ids or len(re.findall(r"\d+(?:\.0+)?", listed)) != len(STEP_NUMBER.findall(listed)):
        raise PlanError(f"{name} has the Rely {shortened(text)}, which is no list of step IDs")
    if 0 in ids and 0 not in earlier:
        return tuple(id for id in ids if id), "Rely 0 taken as none"
    return ids, ""


def _listed(found: re.Match[str]) -> str:
    """Return the numbers from one to another; the two alone where there would be too many, or none."""
    first, last = int(found[1]), int(found[2])
    return ", ".join(map(str, range(first, last + 1))) if first < last <= first + MOST_STEPS else f"{first}, {last}"


def _plain(written: str | None) -> str:
    """Return the beginning of a value with its digits, commas and letters as in ASCII where they have such a form."""
    return unicodedata.normalize("NFKC", (written or "")[:LONGEST_VALUE]).strip()


def shortened(text: str) -> str:
    """Return the beginning of a text in quotes, on one line, to be quoted in a sentence."""
    line = " ".join(text.split())
    return f'"{line[:40]}…"' if len(line) > 40 else f'"{line}"'

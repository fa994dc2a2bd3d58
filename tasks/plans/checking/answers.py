"""Tells whether an answer is right without asking a model: by letters, contents of options, numbers and plain texts.

Where that cannot be told for sure it says so, and a judge may decide. Covered: bold, boxed, LaTeX, `</think>`,
numbers however they are written (numbers.py), letters and contents of the question's own options (choices.py), yes
and no. Not covered: answers that need algebra (`x(x+1)` is not found equal to `x²+x`), other units of the same
quantity, paraphrases, languages other than English and Chinese.
"""

import re
from typing import Literal, NamedTuple

from tasks.parsing import BadReply, answer_of
from tasks.plans.checking.choices import chosen, right_letter
from tasks.plans.checking.notation import key, plain
from tasks.plans.checking.numbers import Value, names_unit, same_amount, value_of
from tasks.plans.checking.options import letters_alone, options_of
from tasks.plans.checking.statements import lines, segments, statements, unboxed
from tasks.plans.records import Question

DecidedBy = Literal["exact", "letter", "choice", "number", "text"]

LONGEST = 20_000  # characters of an answer that are looked at, the last ones

LETTER_ALONE = re.compile(r"\(?([A-J])[).]?")
TRUTHS = {"yes": True, "true": True, "correct": True, "no": False, "false": False, "incorrect": False}
EQUALS = re.compile(r"\s*(?:=|≈|⇒)\s*")
CURRENCIES = ("$", "€", "£", "¥")
VARIABLE = re.compile(r"\s*([A-Za-z]\w?)\s*=")
SEVERAL = re.compile(r"[,;]\s|\b(?:and|or)\b")


class Decision(NamedTuple):
    """Whether an answer is right, None where no rule can tell; and which rule told."""

    correct: bool | None
    decided_by: DecidedBy | None


UNDECIDED = Decision(None, None)


def decide(question: Question, prediction: str) -> Decision:
    """Hold a prediction against the right answer of its question."""
    if question.answer is None or not question.answer.strip():
        return UNDECIDED
    text = _without_thinking(prediction)
    if not text:
        return UNDECIDED
    options = options_of(question.text)
    right = right_letter(options, question.answer)
    alone = LETTER_ALONE.fullmatch(question.answer.strip())
    if right is None and alone and not options:
        options, right = letters_alone(10), alone[1]
    if right is not None:
        choice = chosen(options, plain(text))
        if choice is None or choice.letter is None:
            return UNDECIDED
        return Decision(choice.letter == right, choice.by)
    if text == question.answer.strip():
        return Decision(True, "exact")
    return _open(question, question.answer, plain(text))


def judged(text: str) -> bool:
    """Read a judge's reply, which must be `true` or `false` alone. Raises BadReply for anything else."""
    word = answer_of(text).strip(" \t\r\n*_`\"'.!“”").casefold()
    if word not in ("true", "false"):
        raise BadReply("the judge's reply is neither true nor false")
    return word == "true"


def _without_thinking(prediction: str) -> str:
    answer = answer_of(prediction)
    return "" if answer.startswith("<think>") else answer[-LONGEST:]


def _open(question: Question, answer: str, text: str) -> Decision:
    """Decide a question without options: by what is stated as final, else by all that is stated."""
    right = plain(answer)
    said = [(each, _held(question, right, each.text)) for each in statements(text)]
    every = lines(text)
    said += [(each, _held(question, right, each.text)) for each in dict.fromkeys([*every[:1], *every[-1:]])]
    whole = _held(question, right, unboxed(text).replace("\n", " "))
    told = [(each, decision) for each, decision in said if decision.correct is not None]
    finals = [each for each, _ in told if each.final]
    if finals:
        last = max(each.at for each in finals)
        told = [(each, decision) for each, decision in told if each.final or each.at > last]
    decisions = [decision for _, decision in told] or [whole]
    return decisions[0] if len({decision.correct for decision in decisions}) == 1 else UNDECIDED


def _held(question: Question, right: str, stated: str) -> Decision:
    """Hold one statement against the right answer: the longest beginning of it that can be told."""
    for segment in segments(stated):
        names = {name[1] for each in (right, segment.text) if (name := VARIABLE.match(each))}
        equal = [] if SEVERAL.search(segment.text) else EQUALS.split(segment.text)[::-1]
        if len(names) > 1:
            continue
        for part in dict.fromkeys([segment.text, *equal]):
            decision = _same(question, right, part)
            if decision.correct is not None:
                return decision
    return UNDECIDED


def _same(question: Question, right: str, given: str) -> Decision:
    if key(right) == key(given):
        return Decision(True, "text" if value_of(right) is None else "number")
    truth, said = TRUTHS.get(key(right).casefold()), TRUTHS.get(re.split(r"[\s,.;]", key(given))[0].casefold())
    if truth is not None and said is not None:
        return Decision(truth == said, "text")
    expected, value = value_of(right), value_of(given)
    if expected is None or value is None:
        return UNDECIDED
    same = _same_number(question.text, expected, value)
    return Decision(same, "number") if same is not None else UNDECIDED


def _same_number(question: str, right: Value, given: Value) -> bool | None:
    """Compare two numbers with their units; a unit that only one of them has counts where the question names it.

    Where one is a percentage and the other is not, a question that speaks of percent means a bare number in percent.
    """
    if right.unit == given.unit:
        return same_amount(right, given)
    if right.unit and given.unit:
        return None
    if "%" in (right.unit, given.unit):
        if not names_unit(question, "%"):
            right, given = _fraction_of(right), _fraction_of(given)
        return same_amount(right, given) or None
    same = same_amount(right, given)
    if given.unit and same:
        return True if given.unit in CURRENCIES or names_unit(question, given.unit) else None
    return same if same or not right.unit else None


def _fraction_of(value: Value) -> Value:
    return value if value.unit != "%" else Value(value.amount / 100, "", value.places and value.places + 2)

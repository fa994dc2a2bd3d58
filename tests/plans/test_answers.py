"""Answers held against the right ones without a model: real questions, the ways in which models write, and traps."""

import json
import random
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.parsing import BadReply
from tasks.plans.checking.answers import decide, judged
from tasks.plans.checking.notation import key, plain
from tasks.plans.checking.numbers import value_of
from tasks.plans.checking.options import options_of
from tasks.plans.records import Question

LETTERS = "ABCDEFGHIJ"
PLEASE = "Please select the correct answer and provide the final option letter and its corresponding content."


def with_options(head: str, options: list[str]) -> str:
    lines = "\n".join(f"{letter}. {option}" for letter, option in zip(LETTERS, options, strict=False))
    return f"{head}\n\n{lines}\n\n{PLEASE}"


# Real questions


class Named(NamedTuple):
    """An option as an answer names it, and another one that an explanation rejects."""

    letter: str
    content: str
    other_letter: str
    other_content: str


SEVEN_WAYS = {
    "bold": "**{0.letter}. {0.content}**",
    "the answer is": "The answer is ({0.letter})",
    "boxed": "\\boxed{{{0.content}}}",
    "answer:": "Answer: {0.letter}",
    "content": "{0.content}",
    "letter": "{0.letter}",
    "explanation": "Option {0.other_letter} ({0.other_content}) may look right at first, but it does not hold here, "
    "so the answer is {0.letter}. {0.content}",
}
MORE_WAYS = (
    "\\boxed{{{0.letter}}}",
    "$\\boxed{{\\text{{{0.letter}. {0.content}}}}}$",
    "The answer is {0.content}.",
    "Option {0.other_letter} might look right at first, but it is not. The answer is {0.letter}.",
    "At first {0.other_content} seems plausible, but working it through the answer is {0.letter}. {0.content}",
    "{0.other_letter}. {0.other_content} is incorrect because it does not fit, so the correct answer is {0.letter}.",
    "Although {0.other_letter} seems plausible, the right choice is {0.letter}.",
    "It cannot be {0.other_letter} because that contradicts the definition; therefore {0.letter} is correct.",
    "Unlike option {0.other_letter}, which does not apply, option {0.letter} ({0.content}) is the correct one.",
    "We can rule out {0.other_letter}. So it must be {0.letter}.",
    "{0.other_letter} would be the case in a vacuum, but here the answer is {0.content}.",
    "Option {0.other_letter} looks plausible, but by the law of inertia it's {0.letter}. {0.content}",
    "{0.other_content} is tempting. But the data say otherwise.\n\n**{0.letter}. {0.content}**",
    "The answer is not {0.other_letter}. {0.other_content}\n\nFinal answer: {0.letter}",
    "Hm. {0.other_letter} is a common mistake.\n\nTherefore, the correct option is **{0.letter}**: {0.content}",
    "While {0.other_letter} is close, {0.letter} is the correct answer.",
    "The correct option is {0.letter} because {0.other_letter} is wrong.",
    "<think>Maybe {0.other_letter}? The answer is {0.other_letter}.</think>{0.letter}) {0.content}",
    "I first thought of {0.other_content} ({0.other_letter}), but no.\nAnswer: {0.letter}. {0.content}\n\nBye!",
    "**Explanation:** {0.other_letter} does not work.\n\n**Answer:** {0.letter}",
    "One might pick {0.other_letter}. However, this is wrong, and the answer should be ({0.letter}) {0.content}.",
    "### Final Answer\n\n**({0.letter})** {0.content}",
    "{0.letter}. {0.content}\n\nExplanation: {0.other_letter} is wrong because it is not what the text says.",
    "选项{0.other_letter}不正确，所以正确答案是 {0.letter}。",
    "{0.other_content} would need more energy. Hence {0.content}.",
    "The first thought is {0.other_letter}. The correct answer is therefore {0.letter}, {0.content}.",
    "The best answer is {0.letter} ({0.content}), not {0.other_letter}.",
)  # fmt: skip


class Tally(NamedTuple):
    right: int
    wrong: int
    rejected: Counter[str]
    accepted: Counter[str]


def tally(rows: list[dict[str, Any]], ways: dict[str, str], *, shuffled: bool) -> Tally:
    """Answer every question in every way with every one of its options, and count what is decided wrongly."""
    chance = random.Random(7)
    right = wrong = 0
    rejected: Counter[str] = Counter()
    accepted: Counter[str] = Counter()
    for row in rows:
        head, options = parted(row["problem"])
        order = list(range(len(options)))
        if shuffled:
            chance.shuffle(order)
        options = [options[at] for at in order]
        answer = order.index(row["answer_id"])
        question = Question(id="1", text=with_options(head, options), answer=row["answer"])
        for at, option in enumerate(options):
            other = answer if at != answer else chance.choice([each for each in order if each != answer])
            named = Named(LETTERS[at], option, LETTERS[other], options[other])
            for way, form in ways.items():
                decision = decide(question, form.format(named))
                right, wrong = right + (at == answer), wrong + (at != answer)
                rejected[way] += at == answer and not decision.correct
                accepted[way] += at != answer and bool(decision.correct)
    return Tally(right, wrong, +rejected, +accepted)


def parted(problem: str) -> tuple[str, list[str]]:
    found = re.search(r"\n\nA\. (.*)\nB\. (.*)\nC\. (.*)\nD\. (.*)\n\n", problem)
    assert found
    return problem[: found.start()], list(found.groups())


@pytest.fixture(scope="module")
def real(data: Path) -> list[dict[str, Any]]:
    rows = json.loads((data / "mmlu_stem_300.json").read_text(encoding="utf-8"))
    assert len(rows) == 300
    return rows


@pytest.mark.parametrize("shuffled", [False, True], ids=["as they stand", "options shuffled"])
def test_real_questions_in_the_seven_ways_that_models_write(real: list[dict[str, Any]], shuffled: bool):
    counts = tally(real, SEVEN_WAYS, shuffled=shuffled)
    assert (counts.right, counts.wrong) == (2_100, 6_300)
    assert not counts.accepted
    assert counts.rejected.total() <= 21


@pytest.mark.parametrize("shuffled", [False, True], ids=["as they stand", "options shuffled"])
def test_some_of_them_in_more_ways(real: list[dict[str, Any]], shuffled: bool):
    counts = tally(real[::6], {way: way for way in MORE_WAYS}, shuffled=shuffled)
    assert not counts.accepted
    assert counts.rejected.total() <= counts.right // 100


def test_the_options_of_real_questions_stay_apart(real: list[dict[str, Any]]):
    for row in real:
        options = options_of(row["problem"])
        assert [option.letter for option in options] == list("ABCD")
        assert len({option.folded for option in options}) == 4


# What a text chooses

NUMBERS = ["0", "1", "2", "4"]
SIGNS = ["-85", "57", "85", "−57"]
FRACTIONS = ["\\frac{1}{4}", "\\frac{27}{128}", "\\frac{1}{2}", "\\frac{1}{9}"]
PERCENTS = ["2%", "25%", "50%", "90%"]
UNITS = ["1 foot", "30 feet", "1 square foot", "30 square feet"]
FORCES = [
    "the weak nuclear force",
    "the strong nuclear force",
    "vacuum polarization",
    "interactions with the ionic lattice",
]
ARTICLES = ["A decrease in pressure", "An increase in pressure", "A decrease in pressure and volume", "no change"]
BOTH = ["speed", "frequency", "Both of these", "Neither of these"]
ROMAN = ["I only", "II only", "I and II only", "I, II, and III"]
GENES = ["TT", "Tt", "tt", "none of the above"]
ELEMENTS = ["H", "O", "C", "B"]
TRUTHS = ["True, True", "False, False", "True, False", "False, True"]
REFERRING = ["Both A and B", "only A", "B and C", "All of the above"]
TEN = [f"item {number}" for number in range(10)]

CHOSEN: list[tuple[list[str], dict[str, str | None]]] = [
    (
        NUMBERS,
        {
            **dict.fromkeys(["C", "c", "C.", "(C)", "[C]", "**C**"], "C"),
            **dict.fromkeys(["***C***", "C)", "C: 2", "C - 2", "C 2", "C.2"], "C"),
            **dict.fromkeys(["Ｃ", "（C）", "**C. 2** ✅", "2", "2.0", "two", "x = 2", "$2$", "`C`", "C. 2."], "C"),
            **dict.fromkeys(["The answer is C", "ANSWER IS C", "answer: c", "Answer: **C**", "**Answer: C**"], "C"),
            **dict.fromkeys(["# Answer\n\nC", "Answer\nC. 2"], "C"),
            **dict.fromkeys(["The answer:\n\n**C. 2**", "Correct answer:\nC"], "C"),
            **dict.fromkeys(["The answer is 'C'.", 'The answer is "C".'], "C"),
            **dict.fromkeys(['{"answer": "C"}', "<answer>C</answer>"], "C"),
            **dict.fromkeys(["The answer to the question is C.", "My answer would be C.", "Answer choice C"], "C"),
            **dict.fromkeys(["Correct answer → C", "Ans: C", "Option C: 2"], "C"),
            **dict.fromkeys(["Choice: C", "Answer: I think it is C"], "C"),
            **dict.fromkeys(["The answer must therefore be C", "The answer turns out to be C."], "C"),
            **dict.fromkeys(["It should be C."], "C"),
            **dict.fromkeys(["$\\boxed{C}$", "\\boxed{\\text{C}}"], "C"),
            **dict.fromkeys(["$$\\boxed{\\mathbf{(C)}\\ 2}$$", "\\boxed{C) 2}"], "C"),
            **dict.fromkeys(["So C.", "Hence: C", "I'd go with C."], "C"),
            **dict.fromkeys(["That makes C correct.", "It's clearly C."], "C"),
            **dict.fromkeys(["答案是 C", "答案：C", "选C", "故选 C。", "正确答案是：C. 2", "最终答案为C"], "C"),
            "The final answer is: $\\boxed{C}$. I hope it is correct.": "C",
            "The answer is C, since A is 0 and B is 1.": "C",
            "The correct option is C because A is wrong.": "C",
            "The answer is C. A is wrong as it gives 0.": "C",
            "The answer is C, not D.": "C",
            "The answer is 4 and not 2": "D",
            "The answer is B because a car moves.": "B",
            "C\n\nA is wrong because it is 0.": "C",
            "C.\n\nThe remainder is 2. If it were 1, the answer would be B.": "C",
            "I rule out A, B and D, which leaves C.": "C",
            "I was tempted by B. 1, but C. 2 is right.": "C",
            "B. 1 is close, though the correct one is C. 2": "C",
            "C is the right choice, although B is close.": "C",
            "C and D are both plausible; I choose D.": "D",
            "A and B are wrong. C": "C",
            "The obvious answer is A, but the correct answer is C": "C",
            "If the answer is C then 2 = 3, which is absurd. So the answer is B.": "B",
            "The answer is C? No, it's D.": "D",
            "It is not C, it is B.": "B",
            "The answer is not A but C.": "C",
            "A. 0\nB. 1\nC. 2\nD. 4\n\nAnswer: B": "B",
            "Answer: C\n\nFinal answer: B": "B",
            "<think>The answer is B</think>\nC": "C",
            # several, or none
            **dict.fromkeys(["B and C", "B or C", "B, C", "A/C", "C\nD", "C, D", "C or maybe D", "A, B, C, D"]),
            **dict.fromkeys(["The answer is B or C", "The answer is both B and C", "Answer: B & C", "答案是B和C"]),
            **dict.fromkeys(["\\boxed{C}\\boxed{D}", "\\boxed{B, C}", "The answer is either C or D.", "2 or 4"]),
            **dict.fromkeys(["A. 0\nB. 1\nC. 2\nD. 4", "A. 0. B. 1. C. 2. D. 4.", "between 1 and 2", "1 and 2"]),
            **dict.fromkeys(["A is correct and B is correct", "A or C is correct.", "Neither A nor C is correct."]),
            **dict.fromkeys(["", " ", "I'm sorry, I can't help with that.", "none of these"]),
            **dict.fromkeys(["K", "<think>C", "The answer"]),
            "A. 0 - no\nB. 1 - no\nC. 2 - yes\nD. 4 - no": None,
            "Answer: C\n\nWait, that is wrong. Answer: B": None,
            "The correct answer is B. 1\n\nNo, wait. It is C. 2": None,
            "Final answer: B\nThe answer is C.": None,
            "So which one? It's between C and D.": None,
            # denied, doubted or asked about
            **dict.fromkeys(["not B", "Not C.", "The answer is not C."]),
            **dict.fromkeys(["The answer isn't C", "C is incorrect", "C is wrong."]),
            **dict.fromkeys(["Is the answer C?", "The incorrect answer is C"]),
            **dict.fromkeys(["A common wrong answer is C.", "All but C"]),
            **dict.fromkeys(["I doubt the answer is C", "I don't think the answer is C"]),
            **dict.fromkeys(["The tempting answer is C."]),
            **dict.fromkeys(["Students often think the answer is C.", "The answer could be C."]),
            **dict.fromkeys(["C would be correct"]),
            **dict.fromkeys(["The answer would be C if n were odd.", "C is correct only if x > 0"]),
            **dict.fromkeys(["Not only C is correct"]),
            **dict.fromkeys(["It is false that C is correct.", "All options except C are correct."]),
            **dict.fromkeys(["Only one is C"]),
            **dict.fromkeys(["This rules out option C.", "We can eliminate A, B and C"]),
            **dict.fromkeys(["The answer to avoid is C."]),
            **dict.fromkeys(["The answer is anything but C.", "The answer is certainly not (C)"]),
            **dict.fromkeys(["It is B rather than C."]),
            **dict.fromkeys(["答案不是C", "不选C", "选项C错误"]),
            **dict.fromkeys(["Which is wrong? D.", "A is true. B is true. C is false."]),
            **dict.fromkeys(["It cannot be A. 0", "Not A. 0"]),
            **dict.fromkeys(["Option C is the correct answer to a different question."]),
            # contradictions
            **dict.fromkeys(["C. 4", "C. 7", "Answer: C. 4", "\\boxed{C. 4}"]),
            **dict.fromkeys(["2 (B)", "2, option B", "Answer: B (the sum is 2)"]),
            **dict.fromkeys(["\\boxed{7}. The answer is C", "The answer is 2 (option D)."]),
            **dict.fromkeys(["The answer is 2.5", "The answer is -2"]),
            **dict.fromkeys(["2 (C)", "The answer is 2, which is option C."], "C"),
        },
    ),
    (
        SIGNS,
        {
            **dict.fromkeys(["-85", "−85", "Answer: -85", "A. -85", "**A. −85**", "A) −85"], "A"),
            **dict.fromkeys(["C. -85", "B. −57"]),
            **dict.fromkeys(["The answer is -57.", "D. -57", "\\boxed{-57}"], "D"),
            "85": "C",
        },
    ),
    (
        FRACTIONS,
        {
            **dict.fromkeys(["\\boxed{\\frac{1}{2}}", "0.5", "1/2", "2/4"], "C"),
            **dict.fromkeys(["\\dfrac12", "$\\tfrac{1}{2}$", "½"], "C"),
            **dict.fromkeys(["0.25", "A. 1/4"], "A"),
            **dict.fromkeys(["0.2109", "27/128"], "B"),
            **dict.fromkeys(["0.21", "50%", "C. 1/4"]),
        },
    ),
    (PERCENTS, {**dict.fromkeys(["25", "25 percent", "B. 25 %", "25.0%", "25\\%"], "B"), "0.25": None, "25 N": None}),
    (UNITS, {"1": None, "1 foot": "A", "1 square foot": "C", "30 feet": "B", "30 ft": None, "30 square feet": "D"}),
    (
        FORCES,
        {
            "**D. Interactions with the ionic lattice.**": "D",
            "D. interactions with ionic lattice": "D",
            "Answer: D. interaction of the electrons with the lattice": "D",
            "It must be vacuum polarization": "C",
            "weak nuclear force": "A",
            "Answer: D. the strong nuclear force": None,
            "D. the strong nuclear force": None,
            "the strong force": None,
            "The answer is the second one.": None,
            "The force is caused by the weak nuclear force": None,
            "Interactions with the ionic lattice are responsible. It is not the weak nuclear force.": None,
        },
    ),
    (
        ARTICLES,
        {
            **dict.fromkeys(["A", "A, because the gas expands", "A because", "A decrease in pressure"], "A"),
            "The answer is a decrease in pressure.": "A",
            "A decrease in pressure and volume": "C",
            "C. A decrease in pressure and volume": "C",
            **dict.fromkeys(["A decrease in volume", "The answer is A decrease in temperature", "A gas expands"]),
            **dict.fromkeys(["The answer is a bit tricky", "C. A decrease in pressure"]),
            **dict.fromkeys(["A. An increase in pressure"]),
            "Answer: A decrease in pressure, and also an increase in volume": None,
        },
    ),
    (
        BOTH,
        {
            **dict.fromkeys(["speed", "Answer: speed, not frequency"], "A"),
            **dict.fromkeys(["C", "The answer is both of these."], "C"),
            **dict.fromkeys(["speed and frequency", "Both speed and frequency", "Both A and B", "A and B"]),
            **dict.fromkeys(["The answer is speed as well as frequency", "speed (as well as frequency)"]),
            "The speed changes, so it is not frequency.": None,
        },
    ),
    (
        ROMAN,
        {
            "I only": "A",
            "II only": "B",
            "I and II only": "C",
            "C. I and II only": "C",
            "I, II, and III": "D",
            "I, II, and III are true, so D": "D",
            **dict.fromkeys(["I and II", "A. I and II only"]),
        },
    ),
    (
        GENES,
        {
            "Tt": "B",
            "TT": "A",
            "tt": "C",
            "None of the above": "D",
            "The genotype is Tt, so the answer is B": "B",
            **dict.fromkeys(["tT", "B. TT"]),
        },
    ),
    (ELEMENTS, {"(B)": "B", "D. B": "D", "B. O": "B", "O": "B", "(b)": "B", "B": None, "The answer is B": None}),
    (
        TRUTHS,
        {
            "True, False": "C",
            "false, true": "D",
            "True": None,
            "Statement 1 is true, statement 2 is false, so the answer is C. True, False": "C",
            "Statement 1 is true and statement 2 is false.": None,
        },
    ),
    (REFERRING, {"Both A and B": "A", "The answer is both A and B.": "A", "A": "A", "only A": "B", "B and C": "C"}),
    (
        TEN,
        {
            "The answer is C because I computed the integral.": "C",
            "I think it is B.": "B",
            **dict.fromkeys(["I", "The answer is I.", "I, item 8"], "I"),
            "J. item 9": "J",
            "I am not sure.": None,
        },
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("options", "said", "letter"),
    [
        pytest.param(options, said, letter, id=f"{options[0]}-{said[:60]!r}")
        for options, cases in CHOSEN
        for said, letter in cases.items()
    ],
)
def test_what_a_text_chooses(options: list[str], said: str, letter: str | None):
    """Whatever the right option is: the chosen one is right, another is wrong, and none can be told."""
    for own, option in zip(LETTERS, options, strict=False):
        question = Question(id="1", text=with_options("Which?", options), answer=option)
        expected = None if letter is None else own == letter
        assert decide(question, said).correct is expected, own


def test_what_decided():
    question = Question(id="1", text=with_options("Which?", NUMBERS), answer="2")
    assert decide(question, "C") == (True, "letter")
    assert decide(question, "B") == (False, "letter")
    assert decide(question, "2") == (True, "choice")
    assert decide(question, "1") == (False, "choice")
    assert decide(question, "B and C") == (None, None)


@pytest.mark.parametrize("answer", ["C", "(C)", "C.", "C. 2", "2", "**C**", "2.0"])
def test_the_right_answer_may_be_a_letter_a_content_or_both(answer: str):
    question = Question(id="1", text=with_options("Which?", NUMBERS), answer=answer)
    assert decide(question, "The answer is C").correct is True
    assert decide(question, "2").correct is True
    assert decide(question, "B").correct is False


@pytest.mark.parametrize(
    ("text", "letters"),
    [
        ("Which?\n\nA. one\nB. two\nC. three", "ABC"),
        ("Which?\nA) one\nB) two", "AB"),
        ("Which?\n(A) one\n(B) two\n(C) three\n(D) four", "ABCD"),
        ("Which? (A) one (B) two (C) three", "ABC"),
        ("Which?\n**A.** one\n**B.** two", "AB"),
        ("Which?\n- A. one\n- B. two", "AB"),
        ("Which?\nA: one\nB: two", "AB"),
        ("哪个？\nA、一\nB、二", "AB"),
        ("Which?\n\nA. one\n\nB. two\n\nC. three", "ABC"),
        ("Which?\nA. a long one\n   over two lines\nB. two", "AB"),
        ("Given:\nA. salt\nB. water\nWhich?\n\nA. one\nB. two\nC. three", "ABC"),
        (with_options("Which?", TEN), LETTERS),
        ("How many?", ""),
        ("Mr. A. asks Mr. B.", ""),
        ("A. Smith wrote it.", ""),
        ("Which?\nB. two\nC. three", ""),
        ("A. one\nC. three", ""),
    ],
)
def test_the_options_of_a_question(text: str, letters: str):
    assert "".join(option.letter for option in options_of(text)) == letters


# Questions without options

OPEN: dict[str, dict[str, bool | None]] = {
    "42": {
        **dict.fromkeys(["42", "**42**", "42.", "42.0"], True),
        **dict.fromkeys(["The answer is 42.", "Answer: 42", "\\boxed{42}", "x = 42"], True),
        **dict.fromkeys(["#### 42", "6*7 = 42", "The answer is 6*7 = 42", "about 42", "<think>41</think>42"], True),
        **dict.fromkeys(["Answer: 40 per day.\n\nFinal answer: 42", "42\n\nThis is because 40 + 2 = 42."], True),
        **dict.fromkeys(["43", "The answer is 43", "420", "4.2", "-42", "142", "Final answer: 41"], False),
        **dict.fromkeys(["The answer is 42 or 43", "42 and 43", "42, 43", "a = 10, b = 42"]),
        **dict.fromkeys(["42%", "40\n42", "forty"]),
        **dict.fromkeys(["So he has 42 left.", "\\boxed{40} and \\boxed{42}", "The answer is not 42"]),
        **dict.fromkeys(["<think>42", "", "42 m"]),
        **dict.fromkeys(["42.4", "The answer is 42. The answer is 43."]),
    },
    "1234": {**dict.fromkeys(["1,234", "1234.0", "$1{,}234$", "1\\,234"], True), "1,23": None, "1.234": False},
    "1,234,567": {"1234567": True, "1.234567 million": True, "1,234,568": False},
    "\\frac{1}{2}": {
        **dict.fromkeys(["0.5", "1/2", "2/4", "\\boxed{\\dfrac{1}{2}}", "50%", "½", "$\\frac12$", "0.50"], True),
        **dict.fromkeys(["0.6", "-0.5", "1/3", "2"], False),
        "5%": None,
    },
    "1/3": {"0.333": True, "0.33333333": True, "2/6": True, "0.33": None, "0.3": None, "0.34": None, "0.4": False},
    "5/14": {"\\frac{5}{14} \\approx 0.357": True, "P = 10/28 = 5/14": True, "0.36": None, "5/13": False},
    "3\\frac{1}{2}": {"3.5": True, "7/2": True, "3 1/2": True, "3 and 1/2": True, "3½": True, "31/2": False},
    "-\\frac{3}{4}": {"-0.75": True, "0.75": False, "−3/4": True},
    "6.4 \\times 10^{-19} C": {
        **dict.fromkeys(["6.4e-19 C", "6.4 × 10⁻¹⁹ C", "6.4*10^-19", "$6.4\\cdot10^{-19}\\,\\text{C}$"], True),
        "6.4 × 10^-18 C": False,
        "6.4": None,
    },
    "1.5e8": {"150 million": True, "150,000,000": True, "1.5 × 10^8": True, "15 million": False},
    "2.35": {"2.347": True, "2.35001": True, "2.36": None, "2.4": None, "2.5": False},
    "25.15": {"25.2": None, "25.15": True, "26": False},
    "100": {"101": False, "100.4": None, "100.0": True},
    "25%": {"25 percent": True, "25 \\%": True, "0.25": True, "25": None, "20%": False},
    "25": {"25%": None},
    "5 N": {"5 newtons": True, "5": True, "5 J": None, "6 N": False, "5.0 N": True, "6": None},
    "5 m/s": {
        **dict.fromkeys(["5 metres per second", "$5\\,\\text{m/s}$", "5 \\frac{\\text{m}}{\\text{s}}"], True),
        "5 km/h": None,
    },
    "45°": {"45^\\circ": True, "45 degrees": True, "$45^{\\circ}$": True, "46°": False},
    "20 °C": {"20 degrees Celsius": True, "20^{\\circ}\\text{C}": True, "20 ℃": True, "20 °F": None},
    "$5.50": {"5.50 dollars": True, "\\$5.50": True, "5.5": True, "6.50": False},
    "Thursday": {
        **dict.fromkeys(["Thursday", "thursday."], True),
        **dict.fromkeys(["The answer is Thursday.", "**Answer:** Thursday\n\nBecause…"], True),
        "Thursday, because of the leap year": True,
        **dict.fromkeys(["Friday", "not Thursday", "The answer is not Thursday"]),
        **dict.fromkeys(["Thursday or Friday", "It is a Thursday."]),
    },
    "Yes": {"yes": True, "Yes, because it is.": True, "No": False, "The answer is no.": False, "Perhaps": None},
    "True": {"false": False, "TRUE": True, "**True**": True},
    "No": {"Not sure": None, "no.": True},
    "Tt": {"Tt": True, "TT": None, "tt": None},
    "CO": {"CO": True, "Co": None},
    "\\text{CO}_2": {"CO2": True, "CO₂": True, "$\\mathrm{CO_2}$": True},
    "the mitochondria": {"Mitochondria": True},
    "C": {"C": True, "The answer is (C)": True, "**C**. because": True, "B": False, "C, D": None, "Vitamin C": None},
    "2x": {"2x": True, "2": None, "2 x": None, "3x": None},
    "x = 5": {"5": True, "x=5": True, "y = 5": None, "x = 6": False},
    "x^2+1": {"x^2 + 1": True, "x²+1": True, "x^{2}+1": True, "x^3+1": None},
    "2\\pi": {"2π": True, "2pi": True, "6.28": None},
    "60\\sqrt{7}": {"$60\\sqrt{7}$": True, "60√7": True, "60": None},
    "(1, 6)": {"(1,6)": True, "\\left(1, 6\\right)": True, "(6, 1)": None},
    "\\{1,2\\}": {"{1, 2}": True},
}  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "said", "correct"),
    [(answer, said, correct) for answer, cases in OPEN.items() for said, correct in cases.items()],
)
def test_answers_to_open_questions(answer: str, said: str, correct: bool | None):
    assert decide(Question(id="1", text="How much is it?", answer=answer), said).correct is correct


@pytest.mark.parametrize(
    ("text", "answer", "said", "correct"),
    [
        ("How many apples are left?", "7", "7 apples", True),
        ("How many apples are left?", "7", "7 pears", None),
        ("How many apples are left?", "7", "8 apples", False),
        ("How fast is it, in km/h?", "7", "7 km/h", True),
        ("How fast is it, in km/h?", "7", "7 m/s", None),
        ("What percent is it?", "30", "30%", True),
        ("What percent is it?", "30%", "30", True),
        ("What percent is it?", "0.3", "30%", None),
        ("What percent is it?", "30%", "0.3", None),
        ("How wide is the angle in degrees?", "45", "45°", True),
        ("How much is it?", "45", "45°", None),
    ],
)
def test_a_unit_that_one_side_lacks_must_be_the_question_s(text: str, answer: str, said: str, correct: bool | None):
    assert decide(Question(id="1", text=text, answer=answer), said).correct is correct


def test_what_decides_open_questions():
    for answer, said, decided_by in (("42", "42", "exact"), ("42", "42.0", "number"), ("gap", "A gap.", "text")):
        assert decide(Question(id="1", text="?", answer=answer), said) == (True, decided_by)


@pytest.mark.parametrize("answer", [None, "", "  "])
def test_without_a_right_answer_nothing_is_decided(answer: str | None):
    assert decide(Question(id="1", text="?", answer=answer), "42") == (None, None)


# Notation

PLAIN = {
    "\\frac{\\frac{1}{2}}{x+1}": "(1/2)/(x+1)",
    "\\text{a \\textbf{b}}": "a b",
    "10^{-19} m^{2}": "10^-19 m^2",
    "x^{a+b}": "x^(a+b)",
    "90^\\circ": "90°",
    "**a** and *b* and __c__ and `d`": "a and b and c and d",
    "2 * 3 * 4": "2 * 3 * 4",
    "# Head\n> quoted\n- item\n\n\nend": "Head\nquoted\nitem\nend",
    "- 5": "- 5",
    "\\left( 1, 2 \\right)": "( 1, 2 )",
    "\\(a\\) \\[b\\] $c$ 5\\%": "a b c 5%",
    "\\boxed{\\frac{1}{2}}": "⟦1/2⟧",
    "“a” – ‘b’": "\"a\" - 'b'",
}


@pytest.mark.parametrize(("text", "expected"), PLAIN.items())
def test_plain_notation(text: str, expected: str):
    assert plain(text) == expected


@given(st.text())
def test_plain_text_and_keys_stay_what_they_are(text: str):
    assert key(key(plain(text))) == key(plain(text))


@given(st.fractions(max_denominator=1000))
def test_a_fraction_is_read_in_every_notation(number: Any):
    sign, size = "-" if number < 0 else "", abs(number)
    for text in (str(number), f"{sign}\\frac{{{size.numerator}}}{{{size.denominator}}}", f"{number} m"):
        value = value_of(plain(text))
        assert value
        assert value.amount == number


@given(st.integers(min_value=-(10**15), max_value=10**15))
def test_an_integer_is_read_with_separators(number: int):
    for text in (f"{number:,}", f"{number}", f"{number:,}.00", f"{number}e0"):
        value = value_of(text)
        assert value
        assert value.amount == number


@pytest.mark.parametrize(
    "text", ["1,23", "1 2", "2x3", "3^7", "√2", "2π", "1/0", "1e999999", "-", "", "1-2", "9" * 90]
)
def test_what_is_no_number(text: str):
    assert value_of(text) is None


# Anything

ASKED = (
    Question(id="1", text=with_options("Which?", [*NUMBERS, "B", "all of the above"]), answer="2"),
    Question(id="2", text="How many?", answer="42"),
    Question(id="3", text="Which?", answer="C"),
)


@settings(max_examples=300)
@given(st.text() | st.lists(st.sampled_from("ABC 2.,()\\{}*$\n:=-<>/isnotanswer")).map("".join))
def test_any_text_is_decided_or_left_open(text: str):
    for question in ASKED:
        assert decide(question, text).correct in (True, False, None)


def hostile() -> Iterator[str]:
    for piece in (
        "the answer is ",
        "the ",
        "(",
        "\\frac{",
        "{",
        "A. ",
        "A. x\n",
        "1",
        "1,",
        "*a ",
        "<answer>",
        "= ",
        '"',
    ):
        yield piece * 20_000
    for piece in ("\\boxed{2} ", "B is correct. ", "therefore it is ", "2, because ", "答案", "\\sqrt{", "Answer A "):
        yield piece * 5_000
    yield "{" * 5_000 + "}" * 5_000
    yield "\\boxed{" * 5_000 + "}" * 5_000
    yield "\x00" * 100 + "\ud800 42"


@pytest.mark.parametrize("text", hostile(), ids=lambda text: ascii(text[:14]))
def test_long_and_odd_texts_come_to_an_end(text: str):
    for question in ASKED:
        assert decide(question, text).correct is not True or "2" in text


# Judges


@pytest.mark.parametrize("word", ["true", "false"])
@pytest.mark.parametrize(
    "form",
    ["{}", "{}\n", " {}.", "**{}**", "`{}`", '"{}"', "'{}'!", "<think>no, false, or true?</think>\n\n{}", "__{}__"],
)
def test_a_judge_says_true_or_false(word: str, form: str):
    for written in (word, word.upper(), word.capitalize()):
        assert judged(form.format(written)) is (word == "true")


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            " ",
            "yes",
            "no",
            "1",
            "True or false",
            "true false",
            "The answer is true",
            "true, because",
            "not true",
        ),
        *("truely", "<think>true", "<think>true</think>", "{'correct': true}", '{"correct": true}', "true\nfalse"),
        *("I cannot judge this.", "correct", "t"),
    ],
)
def test_anything_else_is_a_bad_reply(text: str):
    with pytest.raises(BadReply, match="neither true nor false"):
        judged(text)

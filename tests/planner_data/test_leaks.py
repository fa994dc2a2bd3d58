"""The right answer of a question, however it gets into a plan."""

import pytest

from tasks.planner_data.leaks import leaks
from tasks.plans.records import Question

FORCE = "What pulls?\n\nA. 20 N\nB. 50 N\nC. 80 N\nD. 200 N"
PAIRS = (
    "Why do they attract?\n\nA. the weak nuclear force\nB. the strong nuclear force\nC. vacuum polarization\n"
    "D. interactions with the ionic lattice\n\nPlease select."
)


def given(answer: str | None, text: str = "What?") -> Question:
    return Question(id="1", text=text, answer=answer)


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ("840", "Work out 840"),
        ("840", "Show that it is 8.4 × 10^2"),
        ("840", "The sum, about 840.0 euros"),
        (r"\frac{3}{4}", "Show that it is three quarters"),
        (r"\frac{3}{4}", "Come to 75 %"),
        (r"\frac{3}{4}", "Come to 75 percent"),
        (r"\frac{3}{4}", "Come to 0.75"),
        (r"\frac{3}{4}", r"Come to \frac34"),
        ("42.5 °C", "Reach 42.5"),
        ("7", "Show that seven remain"),
        ("1,234", "Count to 1234"),
        ("-5", "Find -5"),
        ("25%", "Take a quarter"),
        ("2/3", "Arrive at two thirds"),
        ("0.333", "Arrive at 1/3"),
        ("Paris", "Look up where paris is"),
        ("photosynthesis", "Explain phothosynthesis"),
        ("yes", "Confirm that the answer is yes"),
        ("x^2 + 3x", "Show that it comes to x²+3x"),
    ],
)
def test_an_answer_is_found(answer: str, text: str) -> None:
    assert leaks(given(answer), text)


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (None, "Work out 840"),
        ("", "Work out 840"),
        ("840", "Add up 84 and 8400"),
        ("12.5", "Work with 125 or 1.25"),
        ("yes", "Decide between yes and no"),
        (r"\frac{3}{4}", "Take half of them"),
        ("Paris", "Make a comparison"),
        ("photosynthesis", "Explain how plants make sugar"),
    ],
)
def test_what_is_none_is_let_pass(answer: str | None, text: str) -> None:
    assert not leaks(given(answer), text)


@pytest.mark.parametrize(
    "text",
    [
        "Check option B",
        "Confirm (B)",
        "The answer is B",
        "The answer is not A, C or D but the option is B",
        "Show that 50 N holds",
        "Show that it is 50 newtons",
        "Compare options A and B",
        "Options A, B and C: which?",
    ],
)
def test_an_option_that_is_singled_out_is_found(text: str) -> None:
    assert leaks(given("50 N", FORCE), text)
    assert leaks(given("B", FORCE), text)


@pytest.mark.parametrize(
    "text",
    [
        "Check options A, B, C and D",
        "Check the options A to D, that is (A)-(D)",
        "Evaluate option A; evaluate option B; evaluate option C; evaluate option D",
        "Divide the weight by the number of parts",
        "Compare 20 N, 50 N, 80 N and 200 N",
    ],
)
def test_options_that_are_treated_alike_give_nothing_away(text: str) -> None:
    assert not leaks(given("50 N", FORCE), text)


def test_contents_of_options() -> None:
    answer = "interactions with the ionic lattice"
    for text in (
        "Explain the interactions with an ionic lattice",
        "Check option D",
        "ionic lattice interactions: (D)",
    ):
        assert leaks(given(answer, PAIRS), text), text
    every = "Look at the weak nuclear force, the strong nuclear force, vacuum polarization and " + answer
    assert not leaks(given(answer, PAIRS), every)
    assert not leaks(given(answer, PAIRS), "State what binds Cooper pairs")


def test_a_letter_without_options() -> None:
    assert leaks(given("B"), "Confirm that the answer: B")
    assert not leaks(given("B"), "A body B moves past A")

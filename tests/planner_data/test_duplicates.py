"""Questions that say the same, nearly the same, and those that only look alike."""

import json
import random
from pathlib import Path

import pytest

from tasks.planner_data.duplicates import duplicates_of
from tasks.plans.questions import read_questions
from tasks.plans.records import Question

TRAIN = "A train leaves at noon and travels 120 km at 60 km/h. When does it arrive at the station in the next town?"


def questions(*texts: str) -> tuple[Question, ...]:
    return tuple(Question(id=str(number), text=text) for number, text in enumerate(texts, start=1))


@pytest.mark.parametrize("text", [TRAIN.upper(), f"  {TRAIN}\n", TRAIN.replace(" ", "\n"), TRAIN.replace(".", "")])
def test_the_same_words_are_the_same_question(text: str) -> None:
    found = duplicates_of(questions(TRAIN, text))
    assert (found.exact, found.near) == ({"2": "1"}, {})


@pytest.mark.parametrize(
    "text",
    [
        TRAIN.replace("arrive at", "reach"),
        TRAIN.replace("travels", "travles"),
        TRAIN.replace("noon and travels 120 km at 60 km/h", "noon. It travels 120 km at 60 km/h"),
        " ".join(reversed(TRAIN.split())),
    ],
)
def test_nearly_the_same_text_is_a_near_duplicate(text: str) -> None:
    found = duplicates_of(questions(TRAIN, "What is a prime number, and why is two the only even one?", text))
    assert (found.exact, found.near) == ({}, {"3": "1"})
    assert found.families["3"] == found.families["1"] != found.families["2"]


@pytest.mark.parametrize("text", [TRAIN.replace("120", "180"), TRAIN.replace("does it", "does it not")])
def test_another_number_or_a_negation_makes_another_question_of_the_family(text: str) -> None:
    found = duplicates_of(questions(TRAIN, text))
    assert not found.removed
    assert found.families["1"] == found.families["2"]


def test_a_chain_of_families_is_one() -> None:
    texts = [TRAIN.replace("120", str(120 + number)) for number in range(5)]
    found = duplicates_of(questions(*texts, "Something else entirely, of which nothing is like a train"))
    assert len(set(found.families.values())) == 2


def test_lines_that_all_share_make_nothing_alike() -> None:
    how = "\n\nPlease select the correct answer and provide the final option letter and its corresponding content."
    words = [
        "iron",
        "silver",
        "copper",
        "nickel",
        "cobalt",
        "zinc",
        "argon",
        "neon",
        "helium",
        "boron",
        "carbon",
        "sulfur",
    ]
    found = duplicates_of(questions(*(f"What is the mass of {word}?{how}" for word in words)))
    assert not found.removed


def test_duplicates_among_real_questions(data: Path, tmp_path: Path) -> None:
    rows = json.loads((data / "mmlu_stem_300.json").read_text())
    dice = random.Random(3)
    long = [row for row in rows if len(row["problem"]) > 250 and " the " in row["problem"].partition("\n")[0]]
    exact, near = dice.sample(rows, 20), dice.sample(long, 20)
    touched = [{**row, "problem": row["problem"].replace(" the ", " teh ", 1)} for row in near]
    file = tmp_path / "more.json"
    file.write_text(json.dumps([*rows, *exact, *touched]))
    found = duplicates_of(read_questions(file).questions)
    assert len(found.exact) + len(found.near) == 40
    assert not found.removed & {str(number) for number in range(1, 301)}

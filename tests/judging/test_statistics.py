"""Agreement by examples that were worked out by hand, and people's scores as files say them."""

import json
from pathlib import Path
from typing import Any

import pytest

from blocks.errors import UsageError
from tasks.judging.agreement import measure
from tasks.judging.gold import Key, read_gold
from tasks.judging.statistics import agreement

# Mean distance 1/5; by chance (10 + 7 + 6 + 7 + 7) / 25, squared (30 + 15 + 10 + 15 + 15) / 25.
# Alpha: D_o = 2 * 2**2 / 10, and D_e = 2 * 790 / 90 from the pooled counts 2, 2, 2, 3, 1.
NEARLY = ([1, 2, 3, 4, 5], [1, 2, 3, 4, 4])


def test_one_of_five_is_one_off():
    found = agreement(*NEARLY)
    assert (found.pairs, found.exact, found.within_one) == (5, 0.8, 1.0)
    assert found.kappa_linear == pytest.approx(1 - (1 / 5) / (37 / 25))
    assert found.kappa_quadratic == pytest.approx(1 - (1 / 5) / (85 / 25))
    assert found.alpha_ordinal == pytest.approx(1 - (8 / 10) / (1580 / 90))
    assert (found.mean_gold, found.mean_judge) == (3.0, 2.8)


def test_perfect_agreement():
    found = agreement([1, 3, 5, 5], [1, 3, 5, 5])
    assert (found.exact, found.within_one, found.kappa_linear, found.kappa_quadratic) == (1, 1, 1, 1)
    assert found.alpha_ordinal == pytest.approx(1)


def test_none_at_all():
    found = agreement([1, 1, 5, 5], [5, 5, 1, 1])
    assert (found.exact, found.within_one) == (0, 0)
    assert found.kappa_linear == pytest.approx(-1)
    assert found.kappa_quadratic == pytest.approx(-1)
    assert found.alpha_ordinal == pytest.approx(1 - 1 / (2 * 16 / 56))


def test_as_much_as_by_chance():
    found = agreement([1, 1, 5, 5], [1, 5, 1, 5])
    assert (found.exact, found.within_one) == (0.5, 0.5)
    assert found.kappa_linear == pytest.approx(0)
    assert found.kappa_quadratic == pytest.approx(0)
    assert found.alpha_ordinal == pytest.approx(1 - (4 / 8) / (2 * 16 / 56))


def test_the_distance_is_that_of_the_scores_where_some_are_never_given():
    """4 and 5 are one apart though no score lies below them; 1 and 5 are four apart though none lies between."""
    near, far = agreement([1, 5, 4], [1, 5, 5]), agreement([1, 5, 1], [1, 5, 5])
    assert near.kappa_linear == pytest.approx(1 - (1 / 3) / ((0 + 4 + 4 + 4 + 0 + 0 + 3 + 1 + 1) / 9))
    assert far.kappa_linear is not None
    assert near.kappa_linear is not None
    assert far.kappa_linear < near.kappa_linear


@pytest.mark.parametrize("scores", [[], [4], [4, 4, 4]])
def test_where_no_scores_differ_nothing_is_known_beyond_chance(scores: list[int]):
    found = agreement(scores, scores)
    assert (found.kappa_linear, found.kappa_quadratic, found.alpha_ordinal) == (None, None, None)
    assert found.exact == (1.0 if scores else None)


def test_pairs_are_made_by_what_a_score_is_of_and_the_rest_is_counted():
    def key(problem: str, dimension: str, step: int = 1) -> Key:
        return Key(problem, 0, "executor", step, dimension)

    gold = {key("a", "correctness"): 4, key("a", "correctness", 2): 3, key("b", "correctness"): 5}
    judge = {key("a", "correctness"): 4, key("b", "correctness"): 1, key("b", "conciseness"): 2}
    found = {each.dimension: each for each in measure(gold, judge)}
    assert found.keys() == {"correctness", None}
    mine = found["correctness"]
    assert (mine.pairs, mine.exact, mine.without_judgement, mine.without_gold) == (2, 0.5, 1, 0)
    assert (found[None].pairs, found[None].without_judgement, found[None].without_gold) == (2, 1, 1)


ROWS: list[dict[str, Any]] = [
    {"problem_id": "a", "role": "planner", "dimension": "difficulty", "score": 4, "note": "let pass"},
    {"problem_id": 7, "role": "Executor", "step": "2", "dimension": "use_of_dependencies", "score": "5"},
]
KEYS = {
    Key("a", 0, "planner", 0, "difficulty"): 4,
    Key("7", 0, "executor", 2, "use_of_dependencies"): 5,
}
CSV = "problem_id,role,step,dimension,score\na,planner,,difficulty,4\r\n7, executor,2,use_of_dependencies,5\n"


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(ROWS),
        "\n\n".join(json.dumps(row) for row in ROWS),
        CSV,
        f"\ufeff{CSV}",
    ],
    ids=["JSON", "JSONL", "CSV", "CSV with a byte order mark"],
)
def test_scores_are_read_from_any_form(tmp_path: Path, text: str):
    path = tmp_path / "gold"
    path.write_text(text, encoding="utf-8", newline="")
    assert read_gold(path) == KEYS


def changed(**fields: Any) -> str:
    return json.dumps([{**ROWS[0], **fields}])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds no rows"),
        ("[]", "holds no rows"),
        ("[1]", "row 1"),
        ("[{]", "not JSON"),
        ('{"a": 1}\n{', "row 1: `problem_id`"),
        (changed(score=6), "row 1: `score`: Input should be less than or equal to 5"),
        (changed(score=True), "row 1: `score`"),
        (changed(score=None), "row 1: `score`: Field required"),
        (changed(role="referee"), "row 1: `role`"),
        (changed(dimension="beauty"), "none of planner's"),
        (changed(role="executor", dimension="correctness"), "`step` is missing"),
        (json.dumps([ROWS[0], ROWS[0]]), "row 2: 'a' has a score of difficulty already"),
        ("problem_id,role\na,planner\n", "row 1: `dimension`: Field required"),
        ('problem_id,role\n"a,planner\n', "not CSV"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_the_row(tmp_path: Path, text: str, said: str):
    path = tmp_path / "gold.jsonl"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        read_gold(path)
    assert said in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_file_that_is_not_there_or_no_text(tmp_path: Path):
    with pytest.raises(UsageError, match="cannot be read"):
        read_gold(tmp_path / "none.csv")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="not UTF-8"):
        read_gold(tmp_path / "bytes")

"""A judge's reply as scores: whatever stands around the JSON, and nothing that is only quoted."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.judging.dimensions import DIMENSIONS
from tasks.judging.reading import LONGEST, scores_of
from tasks.parsing import BadReply

NAMES = DIMENSIONS["planner"]
OTHERS = DIMENSIONS["executor"]


def reply(*scores: Any, names: tuple[str, ...] = NAMES, **more: Any) -> dict[str, Any]:
    return {
        name: {"reason": f"as {name} is", "score": score} for name, score in zip(names, scores, strict=True)
    } | more


GOOD = reply(1, 2, 3, 4)
TEXT = json.dumps(GOOD)
FIVES = json.dumps(reply(5, 5, 5, 5))
SCHEMA = json.dumps({"type": "object", "properties": {name: {"type": "object"} for name in NAMES}})
FORM = json.dumps(reply(*["1 to 5"] * 4))
ACCEPTED = {
    "alone": TEXT,
    "text around": f"Here it is:\n\n{TEXT}\n\nI hope {{this}} helps.",
    "a fence": f"```json\n{TEXT}\n```",
    "a fence without a name": f"```\n{json.dumps(GOOD, indent=2)}\n```",
    "a fence of tildes": f"~~~\n{TEXT}\n~~~",
    "thinking": f"<think>\nThe text says give 5: {FIVES}\n</think>\n{TEXT}",
    "thinking without a beginning": f"{FIVES}\n</think>\n{TEXT}",
    "trailing commas": TEXT.replace("}", ",}"),
    "trailing commas on their own lines": json.dumps(GOOD, indent=1).replace("\n }", ",\n }"),
    "in a list": f"[{TEXT}]",
    "in a list with a trailing comma": f"[{TEXT},\n]",
    "a score in a list": json.dumps({name: [score] for name, score in GOOD.items()}),
    "texts": json.dumps(reply("1", " 2 ", "3", "4")),
    "floats": json.dumps(reply(1.0, 2.0, "3.0", 4)),
    "names in other cases": json.dumps(
        {name.title(): {"Reason": "r", "SCORE": n} for n, name in enumerate(NAMES, 1)}
    ),
    "more than was asked for": json.dumps(GOOD | {"overall": {"score": 5}, "comment": "give 5"}),
    "a line break in a reason": TEXT.replace("as difficulty is", "as\ndifficulty\tis"),
    "the schema quoted before": f"The schema is {SCHEMA}. My scores are {TEXT}",
    "the form quoted before": f"{FORM}\n\n{TEXT}",
    "the schema quoted behind": f"{TEXT}\n\nas in {SCHEMA}",
    "the same twice": f"{TEXT}\n\nFinal:\n```json\n{TEXT}\n```",
    "LaTeX before": f"The sum is $\\frac{{1}}{{2}} + \\{{a\\}}$ and {{x}}. {TEXT}",
    "an order in a reason": TEXT.replace("as difficulty is", 'it says \\"give 5\\" and {\\"score\\": 5}, }'),
    "a byte order mark": f"\ufeff{TEXT}",
    "Windows line ends": json.dumps(GOOD, indent=2).replace("\n", "\r\n"),
}
QUOTED = (
    '{"decomposition": {"reason": "the plan says ' + FIVES + ' which is an order", "score": 1}, '
    '"dependencies": {"reason": "r", "score": 1}}'
)
REFUSED = {
    "nothing": ("", "no JSON object"),
    "an apology": ("I am sorry, I cannot judge this.", "no JSON object"),
    "the word of the judged text": ("The text says: give 5. So: 5 5 5 5", "no JSON object"),
    "a number": ("5", "no JSON object"),
    "out of range": (json.dumps(reply(1, 2, 3, 6)), "parallelism.score: Input should be less than or equal to 5"),
    "zero": (json.dumps(reply(0, 2, 3, 4)), "decomposition.score: Input should be greater than or equal to 1"),
    "half a score": (json.dumps(reply(1, 2, 3, 4.5)), "parallelism.score"),
    "true": (json.dumps(reply(1, 2, 3, True)), "true and false are no scores"),
    "null": (json.dumps(reply(1, 2, 3, None)), "parallelism.score"),
    "a text that is no number": (json.dumps(reply(1, 2, 3, "4/5")), "parallelism.score"),
    "not a number": ('{"a": NaN}', "Field required"),
    "infinity": (TEXT.replace("4}", "Infinity}"), "parallelism.score"),
    "a very long number": (TEXT.replace("4}", f"{'9' * 5000}}}"), "JSON"),
    "a missing dimension": (json.dumps(reply(1, 2, 3, names=NAMES[:3])), "parallelism: Field required"),
    "a missing reason": (json.dumps(GOOD | {"difficulty": {"score": 3}}), "difficulty.reason: Field required"),
    "an empty reason": (json.dumps(GOOD | {"difficulty": {"reason": " ", "score": 3}}), "difficulty.reason"),
    "a bare score": (json.dumps(GOOD | {"difficulty": 3}), "difficulty"),
    "another role's": (json.dumps(reply(1, 2, 3, 4, names=OTHERS)), "decomposition: Field required"),
    "cut off": (TEXT[:-30], "cannot be read"),
    "cut off in a string": (TEXT[: TEXT.index("difficulty is")], "cannot be read"),
    "thinking that is cut off": (f"<think>{TEXT}", "<think> is never closed"),
    "two that differ": (f"{TEXT} no, rather {FIVES}", "several different sets"),
    "two in a list": (f"[{TEXT}, {FIVES}]", "JSON"),
    "a dimension twice": (TEXT[:-1] + f", {TEXT[1:]}", "'decomposition' is given twice"),
    "a dimension twice in another case": (json.dumps(GOOD | {"Difficulty": GOOD["difficulty"]}), "given twice"),
    "an order quoted with bare quotes": (QUOTED, "cannot be read"),
    "the schema alone": (SCHEMA, "Field required"),
    "the form alone": (FORM, "decomposition.score"),
    "comments": (TEXT.replace("},", "}, // good\n"), "cannot be read"),
    "deep nesting": ('{"a":' * 8000, "JSON"),
    "many objects": ('{"a": 1} ' * 500, "more than"),
    "too long": ("x" * (LONGEST + 1), "characters"),
    "quotes without end": ('{"' + '\\"' * 20_000, "JSON"),
}


@pytest.mark.parametrize("text", ACCEPTED.values(), ids=ACCEPTED)
def test_scores_are_found(text: str):
    assert [(each.dimension, each.score) for each in scores_of(text, NAMES)] == list(
        zip(NAMES, (1, 2, 3, 4), strict=True)
    )


@pytest.mark.parametrize(("text", "said"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_used_is_refused_with_the_fault(text: str, said: str):
    with pytest.raises(BadReply) as caught:
        scores_of(text, NAMES)
    assert said in str(caught.value)
    assert len(str(caught.value)) < 400


def test_only_the_dimensions_that_were_asked_for_count():
    asked = ("correctness", "conciseness")
    assert [each.dimension for each in scores_of(json.dumps(reply(1, 2, 3, 4, names=OTHERS)), asked)] == list(asked)


def test_reasons_can_be_kept_whatever_they_hold():
    (first, *_) = scores_of(TEXT.replace("as decomposition is", "\\ud800 \\u0000 💡"), NAMES)
    assert first.reason.encode()
    assert "💡" in first.reason


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from([1, 5, "4", 6]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*NAMES, "score", "reason"]), inner),
)
PIECES = st.lists(
    st.sampled_from(
        [TEXT, FIVES, SCHEMA, FORM, "{", "}", "[", "]", '"', "\\", ",", "```json\n", "</think>", "<think>"]
    )
    | st.text(max_size=20)
)


@given(VALUES.map(json.dumps) | PIECES.map("".join))
def test_any_reply_is_read_or_refused(text: str):
    try:
        found = scores_of(text, NAMES)
    except BadReply as bad:
        assert str(bad)
    else:
        assert [each.dimension for each in found] == list(NAMES)
        assert all(1 <= each.score <= 5 and each.reason for each in found)


@given(st.lists(st.tuples(st.integers(1, 5), st.text(min_size=1).filter(str.strip)), min_size=4, max_size=4))
def test_what_a_judge_says_comes_through_whatever_its_reasons_quote(said: list[tuple[int, str]]):
    text = json.dumps({name: {"reason": why, "score": n} for name, (n, why) in zip(NAMES, said, strict=True)})
    found = scores_of(f"My judgement:\n\n```json\n{text}\n```\n", NAMES)
    assert [each.score for each in found] == [score for score, _ in said]

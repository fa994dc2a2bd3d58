"""MapCoder: exemplars, plans by falling confidence, and improvements of each plan's program."""

from pathlib import Path
from typing import Any

import pytest

from tests.attempting import DOUBLE, SUM, Ended, attempted, rounds_of

WRONG = "```python\ndef double(n):\n    return n\n```"
RIGHT = "```python\ndef double(n):\n    return 2 * n\n```"


def said(stage: str, *contents: str) -> list[dict[str, Any]]:
    return [{"stage": stage, "n": n, "content": content} for n, content in enumerate(contents, start=1)]


def recalled(count: int) -> str:
    problems = (
        f"<problem><description>Recalled {n}</description><code>if a<{n}: pass</code>"
        f"<planning>Like {n}</planning></problem>"
        for n in range(1, count + 1)
    )
    return f"<root>{''.join(problems)}<algorithm>Arithmetic</algorithm></root>"


async def mapped(
    folder: Path,
    confidences: list[str],
    coding: list[str],
    debugging: list[str],
    *,
    found: int = 3,
    row: dict[str, Any] = DOUBLE,
    **param: Any,
) -> Ended:
    """Recall some exemplars, whose plans are A, B, C, ... of the given confidences."""
    return await attempted(
        folder,
        "mapcoder",
        *said("retrieval", recalled(found)),
        *said("planning", *(f"Plan {letter}" for letter in "ABCDEFGH"[:found])),
        *said("confidence", *(f"<confidence>{each}</confidence>" for each in confidences)),
        *said("coding", *coding),
        *said("debugging", *debugging),
        row=row,
        param=param,
    )


def prompts_of(ended: Ended, stage: str) -> list[str]:
    return [call.messages[0].content for call in ended.calls if call.stage == stage and call.messages]


async def test_every_exemplar_is_planned_and_judged_before_the_first_program(tmp_path: Path):
    ended = await mapped(tmp_path, ["50", "50", "50"], [RIGHT], [])
    assert ended.attempt.solved
    assert ended.stages == ["retrieval", *["planning", "confidence"] * 3, "coding"]
    (retrieval,) = prompts_of(ended, "retrieval")
    assert "Recall 3 problems" in retrieval
    for n, (planning, confidence) in enumerate(
        zip(prompts_of(ended, "planning"), prompts_of(ended, "confidence"), strict=True), start=1
    ):
        assert all(part in planning for part in (f"Recalled {n}", f"Like {n}", "Arithmetic", DOUBLE["prompt"]))
        assert f"if a<{n}" not in planning
        assert f"Plan {'ABC'[n - 1]}" in confidence
    (coding,) = prompts_of(ended, "coding")
    assert all(part in coding for part in ("Plan A", "Arithmetic", DOUBLE["prompt"]))


@pytest.mark.parametrize(
    ("param", "fewest", "most"),
    [
        ({}, 8, 25),
        ({"exemplars": 1}, 4, 3 + 6),
        ({"exemplars": 2, "max_debug_try": 1}, 6, 5 + 2 * 2),
        ({"exemplars": 4}, 10, 9 + 4 * 6),
        ({"max_debug_try": 0}, 8, 7 + 3),
        ({"exemplars": 1, "max_debug_try": 0}, 4, 4),
        ({"exemplars": 5}, 10, 9 + 4 * 6),  # four are found
    ],
)
async def test_so_many_calls_with_other_numbers(tmp_path: Path, param: dict[str, Any], fewest: int, most: int):
    for name, program, calls in (("good", RIGHT, fewest), ("bad", WRONG, most)):
        folder = tmp_path / name
        folder.mkdir()
        ended = await mapped(folder, ["50"], [program], [program], found=4, **param)
        assert len(ended.calls) == calls == ended.paid
        assert (ended.attempt.solved, ended.attempt.error_kind) == (name == "good", None)
        assert len(rounds_of(folder)) == ended.stages.count("coding") + ended.stages.count("debugging")


@pytest.mark.parametrize(
    ("confidences", "order"),
    [
        (["10", "90", "50"], "BCA"),
        (["50", "90", "90"], "BCA"),
        (["50", "50", "50"], "ABC"),
        (["9", "100", "85%"], "BCA"),
        (["0.2", "0", "0.95"], "CAB"),
        (["49.5", "49.25", "50"], "CAB"),
    ],
)
async def test_plans_are_tried_by_falling_confidence(tmp_path: Path, confidences: list[str], order: str):
    await mapped(tmp_path, confidences, [WRONG], [WRONG], max_debug_try=1)
    rounds = rounds_of(tmp_path)
    assert [row.plan for row in rounds] == [f"Plan {letter}" for letter in order for _ in range(2)]
    assert [row.stage for row in rounds] == ["coding", "debugging"] * 3


async def test_it_ends_with_the_first_program_that_passes(tmp_path: Path):
    ended = await mapped(tmp_path, ["50"], [WRONG, WRONG, WRONG], [*[WRONG] * 6, RIGHT, WRONG])
    assert ended.attempt.solved
    assert ended.stages[7:] == ["coding", *["debugging"] * 5, "coding", *["debugging"] * 2]
    assert [row.samples_passed for row in rounds_of(tmp_path)] == [0] * 8 + [1]


async def test_the_last_improvement_is_tested_too(tmp_path: Path):
    ended = await mapped(tmp_path, ["50"], [WRONG], [*[WRONG] * 4, RIGHT])
    assert ended.attempt.solved
    assert ended.stages[7:] == ["coding", *["debugging"] * 5]
    last = rounds_of(tmp_path)[-1]
    assert (last.stage, last.samples, last.samples_passed) == ("debugging", 1, 1)


async def test_the_last_program_is_the_answer_where_none_passes(tmp_path: Path):
    other = "```python\ndef double(n):\n    return n + 1\n```"
    ended = await mapped(tmp_path, ["50"], [WRONG], [*[WRONG] * 14, other])
    assert not ended.attempt.solved
    assert ended.attempt.program == "def double(n):\n    return n + 1"
    assert ended.attempt.outcome == "wrong_answer"


async def test_an_improvement_starts_from_plan_program_and_report(tmp_path: Path):
    once = "```python\ndef double(n):\n    return n * n + 1\n```"
    ended = await mapped(tmp_path, ["50"], [WRONG], [once, RIGHT])
    first, second, _ = rounds_of(tmp_path)
    for prompt, row in zip(prompts_of(ended, "debugging"), (first, second), strict=True):
        assert all(part in prompt for part in ("Plan A", "Arithmetic", row.program, row.report, DOUBLE["prompt"]))
    assert first.report != second.report


async def test_fewer_exemplars_than_asked_for_are_enough(tmp_path: Path):
    ended = await mapped(tmp_path, ["10", "20"], [WRONG], [WRONG], found=2)
    assert len(ended.calls) == 1 + 2 * 2 + 2 * 6
    assert rounds_of(tmp_path)[0].plan == "Plan B"


async def test_an_exemplar_without_a_plan_is_shown_with_its_program(tmp_path: Path):
    exemplar = "<problem><description>Triple</description><code>return 3 * n</code></problem>"
    ended = await attempted(
        tmp_path,
        "mapcoder",
        *said("retrieval", exemplar),
        *said("planning", "Plan A"),
        *said("confidence", "70"),
        *said("coding", RIGHT),
    )
    assert ended.attempt.solved
    (planning,) = prompts_of(ended, "planning")
    assert "return 3 * n" in planning
    assert "Algorithm" not in planning


@pytest.mark.parametrize(
    ("stage", "bad", "good"),
    [
        ("retrieval", "I cannot.", recalled(1)),
        ("planning", "<think>hm</think>", "Plan A"),
        ("coding", "I cannot.", RIGHT),
    ],
)
async def test_a_bad_reply_is_asked_again_and_the_third_is_the_end(tmp_path: Path, stage: str, bad: str, good: str):
    usual = {"retrieval": recalled(1), "planning": "Plan A", "confidence": "70", "coding": RIGHT}
    others = [reply for name, content in usual.items() if name != stage for reply in said(name, content)]
    asked = [each for each in usual for _ in range(3 if each == stage else 1)]
    for name, contents, kind in (("mended", [bad, bad, good], None), ("not", [bad, bad, bad], "bad_reply")):
        folder = tmp_path / name
        folder.mkdir()
        ended = await attempted(folder, "mapcoder", *others, *said(stage, *contents))
        assert ended.attempt.solved == (name == "mended")
        assert ended.attempt.error_kind == kind
        assert ended.stages == asked[: None if name == "mended" else asked.index(stage) + 3]


async def test_a_plan_whose_confidence_is_not_to_be_read_comes_last(tmp_path: Path):
    recall, plans = said("retrieval", recalled(2)), said("planning", "Plan A", "Plan B")
    bad = "<confidence>very high</confidence>"
    ended = await attempted(
        tmp_path, "mapcoder", *recall, *plans, *said("confidence", bad, bad, bad, "5"), *said("coding", RIGHT)
    )
    assert ended.attempt.solved
    assert ended.stages == ["retrieval", "planning", *["confidence"] * 3, "planning", "confidence", "coding"]
    assert "Plan B" in prompts_of(ended, "coding")[0]


async def test_a_whole_program(tmp_path: Path):
    counts = "```python\nprint(len(input().split()))\n```"
    adds = "```python\nprint(sum(map(int, input().split())))\n```"
    ended = await mapped(tmp_path, ["50"], [counts], [adds], row=SUM)
    assert ended.attempt.solved
    assert ended.stages[7:] == ["coding", "debugging"]
    assert [row.samples_passed for row in rounds_of(tmp_path)] == [0, 1]
    for prompt in (*prompts_of(ended, "coding"), *prompts_of(ended, "debugging")):
        assert "standard input" in prompt
        assert "the function" not in prompt


async def test_without_samples_the_first_program_is_the_answer(tmp_path: Path):
    bare = {**DOUBLE, "prompt": "def double(n):\n    pass\n"}
    ended = await mapped(tmp_path, ["50"], [WRONG], [RIGHT], row=bare)
    assert (len(ended.calls), ended.attempt.samples_checked, ended.attempt.solved) == (8, 0, False)


async def test_another_language(tmp_path: Path):
    """Its exemplars have headers and comparisons in them, which are no tags."""
    code = (
        "#include <algorithm>\n#include <iostream>\nint main() { int a; for (int i = 0; i<3 && std::cin>>a; ++i) {} }"
    )
    reply = recalled(3).replace("if a<1: pass", code)
    adds = "#include <iostream>\nint main() { long a, sum = 0; while (std::cin >> a) sum += a; std::cout << sum; }"
    ended = await attempted(
        tmp_path,
        "mapcoder",
        *said("retrieval", reply),
        *said("planning", "Plan A", "Plan B", "Plan C"),
        *said("confidence", "70"),
        *said("coding", f"```cpp\n{adds}\n```"),
        row=SUM,
        language="C++",
    )
    assert ended.attempt.solved
    assert len(ended.calls) == 8
    assert all("Arithmetic" in prompt for prompt in prompts_of(ended, "planning"))
    assert "C++ program" in prompts_of(ended, "coding")[0]

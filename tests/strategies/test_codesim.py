"""CodeSIM's variants: parameters that leave stages out, shorten the loops, or add samples of the model's own."""

from pathlib import Path
from typing import Any

import pytest

from tests.attempting import SUM, attempted, rounds_of

WRONG = "```python\ndef double(n):\n    return n\n```"
RIGHT = "```python\ndef double(n):\n    return 2 * n\n```"
CHANGE = {"content": "### Plan\nDouble it.\n\nPlan Modification Needed"}


@pytest.mark.parametrize(
    ("param", "fewest", "most"),
    [
        ({"verify_plan": "no"}, 2, 5 * 7),
        ({"max_debug_try": 0}, 3, 5 * 4),
        ({"verify_plan": False, "max_debug_try": "0"}, 2, 5 * 2),
        ({"max_plan_try": 2}, 3, 2 * 9),
        ({"self_made_samples": 2}, 4, 1 + 45),
        ({}, 3, 45),
    ],
)
async def test_a_variant_asks_for_so_many_calls(tmp_path: Path, param: dict[str, Any], fewest: int, most: int):
    samples = {"stage": "samples", "content": "```python\nassert double(5) == 10\nassert double(0) == 0\n```"}
    for name, program, calls in (("good", RIGHT, fewest), ("bad", WRONG, most)):
        folder = tmp_path / name
        folder.mkdir()
        replies = [{"stage": stage, "content": program} for stage in ("coding", "debugging")]
        critique = [{"stage": "simulation", "content": "No Need to Modify Plan"}] if name == "good" else []
        ended = await attempted(folder, "codesim", CHANGE, samples, *critique, *replies, param=param)
        assert len(ended.calls) == calls
        assert ended.attempt.solved == (name == "good")


async def test_a_sample_of_its_own_finds_what_the_public_ones_let_pass(tmp_path: Path):
    samples = "```python\nassert double(5) == 10\nassert double(open('x')) == 1\n```"
    tricked = "```python\ndef double(n):\n    return 4\n```"
    ended = await attempted(
        tmp_path,
        "codesim",
        {"content": "No Need to Modify Plan"},
        {"stage": "samples", "content": samples},
        {"stage": "coding", "content": tricked},
        {"stage": "debugging", "content": RIGHT},
        param={"self_made_samples": 3},
    )
    assert ended.attempt.solved
    assert ended.stages == ["samples", "planning", "simulation", "coding", "debugging"]
    first, second = rounds_of(tmp_path)
    assert (first.samples, first.samples_passed, second.samples_passed) == (2, 1, 2)
    assert "assert double(5) == 10" in first.report
    assert first.plan == "No Need to Modify Plan"
    assert first.tests == "assert double(5) == 10"


async def test_samples_of_its_own_for_a_whole_program(tmp_path: Path):
    tests = "Input:\n2 3\nOutput:\n5\n\nInput:\n10\nOutput:\n10\n"
    adds = "```python\nprint(sum(map(int, input().split())))\n```"
    ended = await attempted(
        tmp_path,
        "codesim",
        {"content": "No Need to Modify Plan"},
        {"stage": "samples", "content": tests},
        {"stage": "coding", "content": "```python\nprint(3)\n```"},
        {"stage": "debugging", "content": adds},
        row=SUM,
        param={"self_made_samples": 1},
    )
    assert ended.attempt.solved
    assert [(row.samples, row.samples_passed) for row in rounds_of(tmp_path)] == [(2, 1), (2, 2)]

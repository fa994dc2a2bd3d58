"""Self-planning: a plan, a program written from it, and the plan kept with the program."""

from pathlib import Path
from typing import Any

import pytest

from tests.attempting import DOUBLE, SUM, attempted, rounds_of

PLAN = "1. Take what is given.\n2. Add it up."
RIGHT = "```python\ndef double(n):\n    return 2 * n\n```"
ADDS = "```python\nprint(sum(map(int, input().split())))\n```"


@pytest.mark.parametrize(("row", "program"), [(DOUBLE, RIGHT), (SUM, ADDS)], ids=["function", "whole program"])
async def test_a_plan_and_a_program_from_it(tmp_path: Path, row: dict[str, Any], program: str):
    replies = {"planning": f"<think>How?</think>\n{PLAN}\n", "coding": program}
    said = [{"stage": stage, "content": content} for stage, content in replies.items()]
    ended = await attempted(tmp_path, "self_planning", *said, row=row)
    assert ended.attempt.solved
    assert ended.stages == ["planning", "coding"]
    planning, coding = ((call.messages or [])[0].content for call in ended.calls)
    assert all((row.get("prompt") or row["description"]) in prompt for prompt in (planning, coding))
    assert planning.count("# Example problem\n") == planning.count("# Its plan\n\n1. ") == 2
    assert PLAN in coding
    assert "How?" not in coding
    (kept,) = rounds_of(tmp_path)
    assert (kept.stage, kept.plan, kept.program) == ("coding", PLAN, ended.attempt.program)
    assert (kept.samples, kept.report, kept.tests) == (0, "", None)


async def test_the_examples_are_of_the_problems_kind(tmp_path: Path):
    for name, row in (("function", DOUBLE), ("whole", SUM)):
        folder = tmp_path / name
        folder.mkdir()
        ended = await attempted(folder, "self_planning", {"content": PLAN}, row=row)
        prompt = (ended.calls[0].messages or [])[0].content
        assert ("Print" in prompt.partition("# Problem to plan")[0]) == (name == "whole")


@pytest.mark.parametrize("reply", ["", "<think>hm</think>", f"<think>\n{PLAN}"])
async def test_without_a_plan_no_program_is_paid_for(tmp_path: Path, reply: str):
    ended = await attempted(tmp_path, "self_planning", {"content": RIGHT}, {"stage": "planning", "content": reply})
    assert (ended.attempt.solved, ended.attempt.error_kind) == (False, "bad_reply")
    assert ended.stages == ["planning"] * 3

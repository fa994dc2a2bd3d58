"""Analogical prompting: of the programs in the one reply the last one is the answer."""

from pathlib import Path
from typing import Any

import pytest

from tests.attempting import DOUBLE, SUM, attempted

OTHERS = "".join(
    f"{n}. Problem {n}\n```python\ndef double(n):\n    return {n}\n```\nIt returns `{n}`.\n\n" for n in (1, 2, 3)
)
REPLY = "### Related problems\n" + OTHERS + "### Algorithm\nArithmetic:\n```text\n2 n = n + n\n```\n\n### Program\n{}"
RIGHT = "```python\ndef double(n):\n    return 2 * n\n```"
ADDS = "```python\nprint(sum(map(int, input().split())))\n```"


@pytest.mark.parametrize(("row", "program"), [(DOUBLE, RIGHT), (SUM, ADDS)], ids=["function", "whole program"])
@pytest.mark.parametrize("behind", ["", "\nIt takes constant time:\n```text\nO(1)\n```\n"])
async def test_the_last_program_of_the_one_reply(tmp_path: Path, row: dict[str, Any], program: str, behind: str):
    ended = await attempted(tmp_path, "analogical", {"content": REPLY.format(program) + behind}, row=row)
    assert ended.attempt.solved
    assert ended.stages == ["coding"]
    (message,) = ended.calls[0].messages or []
    assert (row.get("prompt") or row["description"]) in message.content
    assert ("standard input" in message.content) == (row is SUM)


async def test_a_reply_that_ends_with_a_wrong_program_is_wrong(tmp_path: Path):
    ended = await attempted(tmp_path, "analogical", {"content": RIGHT + "\n" + OTHERS})
    assert (ended.attempt.solved, ended.attempt.program) == (False, "def double(n):\n    return 3")

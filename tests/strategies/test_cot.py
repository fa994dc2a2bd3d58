"""Chain of thought: the worked examples are right and of the problem's kind; one call."""

import doctest
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tasks import prompts
from tasks.parsing import fenced_blocks
from tasks.records import Problem, Suite
from tests.attempting import DOUBLE, SUM, attempted, rounds_of

RIGHT = "### Reasoning\n1. Twice.\n\n### Program\n```python\ndef double(n):\n    return 2 * n\n```"
ADDS = "### Reasoning\n1. Add.\n\n### Program\n```python\nprint(sum(map(int, input().split())))\n```"


def examples(entry_point: str) -> list[str]:
    problem = Problem(id="1", statement="The problem.", entry_point=entry_point, hidden=Suite())
    text = prompts.render("cot", "coding", problem=problem, language="Python3")
    return text.partition("# Problem to solve")[0].split("# Example problem")[1:]


def test_the_examples_of_functions_pass_their_own_samples():
    assert len(examples("double")) == 2
    for example in examples("double"):
        (block,) = fenced_blocks(example)
        names: dict[str, Any] = {}
        exec(block.text, names)
        test = doctest.DocTestParser().get_doctest(example.replace('"""', ""), names, "example", None, 0)
        assert test.examples
        assert doctest.DocTestRunner().run(test).failed == 0


def test_the_examples_of_whole_programs_pass_their_own_samples():
    assert len(examples("")) == 2
    for example in examples(""):
        (block,) = fenced_blocks(example)
        sample = re.search(r"^Input:\n(.*)^Output:\n(.*?)\n\n", example, re.DOTALL | re.MULTILINE)
        assert sample is not None
        ran = subprocess.run(
            [sys.executable, "-c", block.text],
            input=sample[1],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        assert ran.stdout.split() == sample[2].split()


@pytest.mark.parametrize(("row", "reply"), [(DOUBLE, RIGHT), (SUM, ADDS)], ids=["function", "whole program"])
async def test_one_call_is_the_program(tmp_path: Path, row: dict[str, Any], reply: str):
    ended = await attempted(tmp_path, "cot", {"content": reply}, row=row)
    assert ended.attempt.solved
    assert ended.stages == ["coding"]
    assert rounds_of(tmp_path) == []
    (message,) = ended.calls[0].messages or []
    assert (row.get("prompt") or row["description"]) in message.content
    assert ("standard input" in message.content) == (row is SUM)


async def test_the_answer_is_asked_for_in_the_runs_language(tmp_path: Path):
    adds = "#include <iostream>\nint main() { long a, sum = 0; while (std::cin >> a) sum += a; std::cout << sum; }"
    ended = await attempted(tmp_path, "cot", {"content": f"```cpp\n{adds}\n```"}, row=SUM, language="C++")
    assert ended.attempt.solved
    assert "your program is to be in C++" in (ended.calls[0].messages or [])[0].content

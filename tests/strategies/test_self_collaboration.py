"""Self-collaboration: rounds, the stopping rule, both testers, each role's own conversation."""

from pathlib import Path
from typing import Any

import pytest

from blocks.records import AttemptRow
from tests.attempting import DOUBLE, SUM, Ended, attempted, lines_of, rounds_of

PLAN = '```json\n{"1. Read": "take n", "2. Double": ["add n to n", "return it"]}\n```'
WRONG = "```python\ndef double(n):\n    return n\n```"
RIGHT = "```python\ndef double(n):\n    return 2 * n\n```"
CHECK = (
    "<think>Which?</think>```python\ndef check(candidate):\n"
    "    assert candidate(2) == 4\n    assert candidate(0) == 0\n```"
)
ADDS = "```python\nprint(sum(map(int, input().split())))\n```"
COUNTS = "```python\nprint(len(input().split()) + 1)\n```"
PAIRS = "**Test 1**\nInput:\n```\n1 2\n```\nOutput:\n```\n3\n```\n\nTest 2\nInput: 5\nOutput: 5\n"


def said(stage: str, *contents: str) -> list[dict[str, Any]]:
    return [{"stage": stage, "n": n, "content": content} for n, content in enumerate(contents, start=1)]


async def collaborated(
    folder: Path, coder: list[str], tests: list[str], row: dict[str, Any] = DOUBLE, **param: Any
) -> Ended:
    replies = said("analyst", PLAN) + said("coder", *coder) + said("tester", *tests)
    return await attempted(folder, "self_collaboration", *replies, row=row, param=param)


async def test_a_program_whose_tests_pass_ends_the_rounds(tmp_path: Path):
    ended = await collaborated(tmp_path, [RIGHT], [CHECK])
    assert ended.attempt.solved
    assert ended.stages == ["analyst", "coder", "tester"]
    (row,) = rounds_of(tmp_path)
    assert (row.samples, row.samples_passed, row.report) == (2, 2, "2 of 2 tests passed.")
    assert row.tests is not None and row.tests.startswith("def check(candidate):")
    assert row.plan == '{\n  "1. Read": "take n",\n  "2. Double": [\n    "add n to n",\n    "return it"\n  ]\n}'


async def test_the_report_is_what_the_coder_repairs_from_and_the_last_round_is_not_tested(tmp_path: Path):
    ended = await collaborated(tmp_path, [WRONG, RIGHT], [CHECK])
    assert ended.attempt.solved
    assert ended.stages == ["analyst", "coder", "tester", "coder"]
    first, last = rounds_of(tmp_path)
    report = "1 of 2 tests passed.\n\nassert candidate(2) == 4\ngot 2, expected 4"
    assert (first.report, last.report, last.tests, last.samples) == (report, "", None, 0)
    repair = ended.calls[-1].messages or []
    assert [message.role for message in repair] == ["user", "assistant", "user"]
    assert repair[0] == (ended.calls[1].messages or [])[0]
    assert repair[1].content == WRONG
    assert report in repair[2].content


async def test_each_role_has_a_conversation_of_its_own(tmp_path: Path):
    ended = await collaborated(tmp_path, [WRONG, WRONG, RIGHT], [CHECK, CHECK], max_round=3)
    assert ended.stages == ["analyst", "coder", "tester", "coder", "tester", "coder"]
    sizes = [len(call.messages or []) for call in ended.calls]
    assert sizes == [1, 1, 1, 3, 3, 5]
    tester = ended.calls[4].messages or []
    assert "<think>" not in tester[1].content
    assert "You are the tester" in tester[0].content and "You are the tester" not in tester[2].content
    assert not any("You are the coder" in message.content for message in tester)


async def test_a_reply_without_a_program_keeps_the_previous_one(tmp_path: Path):
    ended = await collaborated(tmp_path, [RIGHT, "Sorry.", "Sorry.", "Sorry."], [CHECK.replace("4", "5")])
    assert ended.attempt.solved
    assert ended.stages == ["analyst", "coder", "tester", "coder", "coder", "coder"]
    assert [row.program for row in rounds_of(tmp_path)] == ["def double(n):\n    return 2 * n"] * 2


async def test_no_program_in_the_first_round_is_an_error_of_the_attempt(tmp_path: Path):
    ended = await collaborated(tmp_path, ["Sorry."] * 3, [CHECK])
    assert not ended.attempt.solved
    assert AttemptRow.model_validate_json(lines_of(tmp_path, "attempts")[-1]).error_kind == "bad_reply"


async def test_a_tester_that_writes_no_test_leaves_the_program_as_it_is(tmp_path: Path):
    ended = await collaborated(tmp_path, [RIGHT], ["It looks fine."] * 3)
    assert ended.attempt.solved
    (row,) = rounds_of(tmp_path)
    assert row.report.startswith("The program was not tested: ")


@pytest.mark.parametrize(("rounds", "calls"), [(1, 2), (2, 4), (4, 8)])
async def test_so_many_rounds_at_most(tmp_path: Path, rounds: int, calls: int):
    ended = await collaborated(tmp_path, [WRONG] * 4, [CHECK] * 4, max_round=rounds)
    assert not ended.attempt.solved
    assert len(ended.calls) == calls
    assert len(rounds_of(tmp_path)) == rounds


async def test_whole_programs_are_tested_by_pairs(tmp_path: Path):
    ended = await collaborated(tmp_path, [COUNTS, ADDS], [PAIRS], row=SUM)
    assert ended.attempt.solved
    first, last = rounds_of(tmp_path)
    assert (first.samples, first.samples_passed, last.report) == (2, 1, "")
    assert first.tests == "Input:\n1 2\nOutput:\n3\n\nInput:\n5\nOutput:\n5\n"
    assert first.report.startswith("1 of 2 tests passed.\n\nInput:\n5\n")


@pytest.mark.parametrize("row", [DOUBLE, SUM], ids=["function", "program"])
async def test_an_audit_reads_the_program_and_runs_nothing(tmp_path: Path, row: dict[str, Any]):
    fail = "[Status]: FAIL\n[Analysis]: It forgets half.\n[Feedback]: Double it.\n"
    programs = [WRONG, RIGHT] if row is DOUBLE else [COUNTS, ADDS]
    ended = await collaborated(tmp_path, programs, [fail], row=row, tester="audits")
    assert ended.attempt.solved
    assert ended.stages == ["analyst", "coder", "tester", "coder"]
    first, _ = rounds_of(tmp_path)
    assert (first.report, first.samples, first.tests) == (
        "[Analysis]: It forgets half.\n[Feedback]: Double it.",
        0,
        None,
    )
    assert "[Feedback]: Double it." in (ended.calls[-1].messages or [])[-1].content


async def test_an_audit_that_passes_ends_the_rounds(tmp_path: Path):
    ended = await collaborated(tmp_path, [WRONG], ["**[Status]**: **PASS**\n[Analysis]: fine"], tester="audits")
    assert not ended.attempt.solved
    assert ended.stages == ["analyst", "coder", "tester"]


async def test_a_run_that_keeps_no_texts_keeps_no_plan_and_no_tests(tmp_path: Path):
    replies = said("analyst", PLAN) + said("coder", WRONG, RIGHT) + said("tester", CHECK)
    ended = await attempted(tmp_path, "self_collaboration", *replies, result_log="partial")
    assert ended.attempt.solved
    assert [(row.plan, row.tests) for row in rounds_of(tmp_path)] == [(None, None)] * 2
    assert rounds_of(tmp_path)[0].report.startswith("1 of 2 tests passed.")


async def test_a_run_that_keeps_no_texts_keeps_no_audit(tmp_path: Path):
    replies = said("analyst", PLAN) + said("coder", RIGHT) + said("tester", "[Status]: PASS\n[Analysis]: words")
    await attempted(tmp_path, "self_collaboration", *replies, result_log="partial", param={"tester": "audits"})
    assert [row.report for row in rounds_of(tmp_path)] == [""]

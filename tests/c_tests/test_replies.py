"""The inputs that are read out of replies, and by what names recorded replies know a program."""

import json
from pathlib import Path

import pytest

from tasks.c_tests.replies import inputs_of
from tasks.models.recording import CallKey, Replies, load


def block(body: str) -> str:
    return f"----INPUT 1----\n```\n{body}\n```\n----END INPUT 1----"


@pytest.mark.parametrize(
    "body",
    ["5", "", "\n", "a\n\nb", "\n\n  x \t\n\n", "  7", "```", "--- 3 ---", "é ☃", "\\n %d $HOME `x`", "a\r\nb"],
)
def test_a_body_is_kept_byte_for_byte(body: str):
    assert inputs_of(block(body)) == (body,)


def test_an_empty_fence_and_one_empty_line_are_the_empty_input():
    assert inputs_of("----INPUT 1----\n```\n```\n----END INPUT 1----") == ("",)
    assert inputs_of(block("")) == ("",)


@pytest.mark.parametrize(
    "tags",
    [
        ("----INPUT 1----", "----END INPUT 1----"),
        ("----input 1----", "----end input 1----"),
        ("-- Input 1 --", "-- End Input 1 --"),
        ("---- INPUT 1", "---- END INPUT 1"),
        ("----INPUT1----", "----ENDINPUT1----"),
        ("-----INPUT-1-----", "----END-INPUT-1----"),
        ("**----INPUT 1----**", "**----END INPUT 1----**"),
        ("### ----INPUT 1----", "----END INPUT 1----  "),
        ("——INPUT 1——", "——END INPUT 1——"),
        ("----INPUT #1----\r", "----END INPUT #1----\r"),
    ],
)
def test_tags_are_forgiven_case_dashes_and_spaces(tags: tuple[str, str]):
    opening, closing = tags
    assert inputs_of(f"Here:\n{opening}\n\n```text\n1 2\n```\n{closing}\nDone.") == ("1 2",)


def test_several_blocks_in_their_order():
    text = "\n".join(block(each) for each in ("3", "1", "", "1"))
    assert inputs_of(text) == ("3", "1", "", "1")


def test_a_block_without_a_fence_or_an_end_tag():
    assert inputs_of("----INPUT 1----\n5 6\n----END INPUT 1----") == ("5 6",)
    assert inputs_of("----INPUT 1----\n```\n5\n```\n----INPUT 2----\n~~~\n6\n~~~\n") == ("5", "6")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "I'm sorry.",
        "```\n5\n```",
        "INPUT 1\n5",
        "----INPUT 1----\n```\n5",
        "----INPUT 1----\n5",
        "----INPUT x----\n5",
    ],
)
def test_no_block_or_one_that_was_cut_off_is_no_input(text: str):
    assert inputs_of(text) == ()


def test_what_was_thought_is_no_answer():
    assert inputs_of(f"<think>{block('9')}</think>\n{block('8')}") == ("8",)


def test_all_recorded_replies_are_read(data: Path):
    lines = (data / "recorded" / "c_programs_sample_inputs.jsonl").read_text().splitlines()
    found = [inputs_of(json.loads(line)["content"]) for line in lines]
    assert len(found) == 60
    assert all(found)
    assert sum(map(len, found)) == 161


def test_recorded_replies_may_name_the_last_component_of_a_path(tmp_path: Path):
    file = tmp_path / "replies.jsonl"
    rows = [
        {"problem_id": "p1.c", "stage": "test_inputs", "content": "by its name"},
        {"problem_id": "a/C/p1.c", "stage": "test_inputs", "content": "by its path"},
        {"stage": "test_inputs", "content": "anybody's"},
    ]
    file.write_text("\n".join(json.dumps(row) for row in rows))
    replies = Replies(load(file))

    def chosen(problem_id: str) -> str | None:
        found = replies.choose(CallKey("m", problem_id, "test_inputs", 1), "")
        return found.reply.content if found else None

    assert [chosen(path) for path in ("p1.c", "b/C/p1.c", "a/C/p1.c", "b/C/p2.c")] == [
        "by its name",
        "by its name",
        "by its path",
        "anybody's",
    ]

"""What is read out of replies, as models really write them: programs, plans, verdicts, thinking."""

import ast
import contextlib
import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.parsing import (
    BadReply,
    answer_of,
    fenced_blocks,
    finished_answer_of,
    needs_change,
    plan_in_json,
    plan_of,
    program_of,
)

PROGRAM = 'def greet(name: str) -> str:\n    """Say hello."""\n    return f"hello {name}"'
OTHER = "def part(ways):\n    return ways[0]"
APOLOGY = "I'm sorry, but I can't help with that."

# A program whose docstring shows Markdown, so that fences stand inside the fence.
DOCSTRING = '''def parse(text):
    """Read a table.

```text
a | b
```

    ```
    indented
    ```
    """
    return text.split("|")'''

INNER_PYTHON = '''def twice(n):
    """Double a number.

```python
>>> twice(2)
4
```
    """
    return 2 * n'''


def fenced(text: str, info: str = "python", marks: str = "```") -> str:
    return f"{marks}{info}\n{text}\n{marks}"


def indented(text: str, prefix: str = "   ") -> str:
    return textwrap.indent(text, prefix)


# Programs


@pytest.mark.parametrize(
    "info",
    [
        *("python", "Python", "PYTHON", "py", "python3", "Python3", "Python3 ", " python", "python title='a.py'"),
        *("python:main.py", "python,linenos", "{.python .numberLines}", "{python}", "python3.11", "py\t"),
    ],
)
def test_a_fence_of_the_language(info: str):
    assert program_of(f"Here you are:\n\n{fenced(PROGRAM, info)}\n\nIt says hello.") == PROGRAM


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(PROGRAM, id="no fence, a program"),
        pytest.param(f"\n\n{indented(PROGRAM, '    ')}\n", id="no fence, all of it indented"),
        pytest.param(fenced(PROGRAM, ""), id="a fence without a language"),
        pytest.param(fenced(PROGRAM, "python", "````"), id="four backticks"),
        pytest.param(fenced(PROGRAM, "python", "~~~"), id="tildes"),
        pytest.param(fenced(PROGRAM, "python", "~~~~~"), id="five tildes"),
        pytest.param(f"```python\n{PROGRAM}\n`````", id="a longer closing fence"),
        pytest.param(f"```python\n{PROGRAM}\n```   \t", id="blanks behind the closing fence"),
        pytest.param(f"```python\n{PROGRAM}", id="never closed"),
        pytest.param(fenced("1 2 3", "text") + "\n" + fenced(PROGRAM), id="a text block before"),
        pytest.param(
            fenced("$ pip install x", "bash") + "\n" + fenced("", "") + "\n" + fenced(PROGRAM), id="bash before"
        ),
        pytest.param(fenced(PROGRAM) + "\n" + fenced("hello you", "text"), id="a text block behind"),
        pytest.param(fenced(PROGRAM) + "\nOutput:\n" + fenced("[1, 2, 3]", ""), id="output behind, named"),
        pytest.param(fenced(PROGRAM, "") + "\nOutput:\n" + fenced("[1, 2, 3]", ""), id="output behind, unnamed"),
        pytest.param(fenced(OTHER) + "\nBetter:\n" + fenced(PROGRAM), id="two programs, the last"),
        pytest.param(fenced(PROGRAM) + "\n" + fenced(OTHER, ""), id="the language goes before the last"),
        pytest.param(fenced(PROGRAM) + "\n" + fenced("", "python"), id="an empty fence behind"),
        pytest.param(fenced("", "python") + "\n" + fenced(PROGRAM, ""), id="an empty fence of the language before"),
        pytest.param(fenced(PROGRAM, "code"), id="another name that parses"),
        pytest.param(f"1. The program:\n\n{indented(fenced(PROGRAM))}\n\n2. Done.", id="in a list item"),
        pytest.param(indented(fenced(PROGRAM), "    "), id="a reply that is indented from its first line"),
        pytest.param(indented(fenced(PROGRAM), "\t"), id="indented by a tab"),
        pytest.param(f"```python\n{indented(PROGRAM)}\n```", id="indented inside its fence"),
        pytest.param(f"<think>\n{fenced(OTHER)}\n</think>\n{fenced(PROGRAM)}", id="thinking with a draft"),
        pytest.param(f"{fenced(OTHER)}\n</think>\n{fenced(PROGRAM)}", id="thinking that the prompt opened"),
        pytest.param(f"<think>a <think>b</think> c</think>\n{fenced(PROGRAM)}", id="nested thinking"),
        pytest.param(f"<think></think>{PROGRAM}", id="empty thinking, no fence"),
        pytest.param(f"<think>x</think>y<think>{OTHER}</think>\n{fenced(PROGRAM)}", id="thinking twice"),
        pytest.param(f"Use `` ```python `` for code.\n{fenced(PROGRAM)}", id="a fence quoted in a line"),
    ],
)
def test_where_the_program_is(reply: str):
    assert program_of(reply) == PROGRAM
    assert program_of(reply.replace("\n", "\r\n")) == PROGRAM
    assert program_of(reply.replace("\n", "\r")) == PROGRAM


@pytest.mark.parametrize("program", [DOCSTRING, INNER_PYTHON])
@pytest.mark.parametrize("around", ["{}", "Before.\n\n{}\n\nBehind.", "```text\n1\n```\n{}\n```text\n2\n```"])
@pytest.mark.parametrize("info", ["python", "py"])
def test_fences_inside_a_docstring_do_not_end_the_program(program: str, around: str, info: str):
    assert program_of(around.format(fenced(program, info))) == program


def test_a_docstring_at_column_0_inside_an_indented_fence():
    reply = "1. Here:\n\n   ```python\n   def f():\n       '''Doc\nat column 0'''\n       return 1\n   ```\n"
    assert program_of(reply) == "def f():\n    '''Doc\nat column 0'''\n    return 1"


def test_a_docstring_that_is_never_closed_ends_with_its_fence():
    broken = 'def f():\n    """Never closed\n    return 1'
    assert [block.text for block in fenced_blocks(fenced(broken) + "\ntext\n" + fenced(PROGRAM))] == [broken, PROGRAM]
    assert program_of(fenced(broken) + "\ntext\n" + fenced(PROGRAM)) == PROGRAM
    assert program_of(fenced(broken)) == broken


@pytest.mark.parametrize(
    "text", ["x = 'a\u2028b'", "x = 'a\x0cb'", "x = 'a\x85b'", "x = '\x1c\x1d\x0b'", "x = '🎻\u00a0'"]
)
def test_only_line_ends_end_lines(text: str):
    assert program_of(fenced(text)) == text


@pytest.mark.parametrize(
    "program",
    ["def f(:\n    pass", "print 'old'", "x = ", "def other():\n    return 1", "# only a comment", "x = 1\x00"],
)
def test_a_broken_program_in_its_fence_is_a_program(program: str):
    """It is run, fails its samples, and goes to debugging."""
    assert program_of(f"Sure:\n{fenced(program)}") == program


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param("", id="nothing"),
        pytest.param(" \n\t\n", id="blanks"),
        pytest.param(APOLOGY, id="a one-line apology"),
        pytest.param("Sorry", id="a word, which parses"),
        pytest.param("Unfortunately, no", id="words that parse"),
        pytest.param("42", id="a number"),
        pytest.param('"I cannot."', id="a quoted sentence"),
        pytest.param("# I have no program for you", id="a comment alone"),
        pytest.param("The answer is:\n\n    def f(): return 1", id="prose around a program"),
        pytest.param(fenced(""), id="an empty fence"),
        pytest.param(fenced(" \n\t"), id="a blank fence"),
        pytest.param("```", id="an opening fence alone"),
        pytest.param("```python", id="an opening fence of the language alone"),
        pytest.param("``````", id="two fences in one line"),
        pytest.param(fenced("int main() { return 0; }", "c"), id="another language"),
        pytest.param(fenced(APOLOGY, "text"), id="an apology in a fence"),
        pytest.param(fenced("[1, 2, 3]", ""), id="values in a fence"),
        pytest.param(f"<think>\n{fenced(PROGRAM)}", id="cut off while thinking"),
        pytest.param(f"<think>a</think>\n{fenced(PROGRAM)}\n<think>wait", id="cut off while thinking again"),
        pytest.param(f"<think>{fenced(PROGRAM)}</think>", id="nothing behind the thinking"),
        pytest.param(f"<think>{fenced(PROGRAM)}</think>\n{APOLOGY}", id="an apology behind the thinking"),
        pytest.param("x = '\ud800'", id="half a surrogate pair"),
        pytest.param("x = 1\x00", id="a null byte"),
        pytest.param("-" * 100_000 + "1", id="nested too deep"),
        pytest.param("(" * 100_000, id="parentheses without end"),
    ],
)
def test_no_program(reply: str):
    with pytest.raises(BadReply) as caught:
        program_of(reply)
    assert "\n" not in str(caught.value)
    assert caught.value.kind == "bad_reply"


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param("```python\nx = (\n```\n" * 30_000, id="broken programs"),
        pytest.param("```text\nx = (\n```\n" * 30_000, id="blocks of text"),
        pytest.param("```python\nx = 1\n" * 60_000, id="fences that open and never close"),
        pytest.param('```python\n"""\n' + "```\nx\n" * 150_000, id="a docstring that never ends"),
        pytest.param(
            "```python\n'''\n```\n```python\n\"\"\"\n```\n" * 10_000, id="docstrings that end in each other"
        ),
        pytest.param("~~~a\n```\n" * 100_000, id="fences of two kinds"),
        pytest.param("`" * 1_000_000, id="one long fence"),
        pytest.param("```python\n" + "x = [1, 2, 3]\n" * 70_000 + "```", id="a long program"),
        pytest.param("I think that this is fine.\n" * 40_000, id="prose"),
        pytest.param("### Plan\n" * 100_000, id="plans"),
        pytest.param("No need to modify plan, or plan modification needed. " * 20_000, id="verdicts"),
        pytest.param("no need to \n" * 80_000, id="the beginnings of verdicts"),
        pytest.param("<think>" * 140_000, id="thinking"),
        pytest.param(" " * 1_000_000, id="blanks"),
        pytest.param(" \t" * 250_000 + "###" + " " * 500_000, id="the beginning of a heading"),
        pytest.param("[PYTHON]\n" * 60_000, id="tags"),
        pytest.param("```python\nx = (\n" + "``` and\n" * 60_000, id="a block that no fence closes"),
        pytest.param("word ```python " * 30_000, id="fences in mid-line"),
    ],
)
def test_a_reply_of_a_megabyte_comes_to_an_end(reply: str):
    """Quadratic work on any of these takes minutes to hours; nothing is asserted about seconds."""
    assert len(reply) > 350_000
    needs_change(reply)
    fenced_blocks(reply)
    for read in (plan_of, plan_in_json, program_of):
        with contextlib.suppress(BadReply):
            assert read(reply)


@pytest.mark.parametrize(
    "reply",
    [
        f"```markdown\n### Program\n```python\n{PROGRAM}\n```\n```",
        f"Here is the code: ```python\n{PROGRAM}\n```\nThat is all.",
        f"```python\n{PROGRAM}```",
        f"```python\n{PROGRAM}\n```<|im_end|>\n",
        f"```python\n{PROGRAM}\n```.\n\nIt says hello.",
        f"[PYTHON]\n{PROGRAM}\n[/PYTHON]",
        f"It is this one.\n<answer>\n{PROGRAM}\n</answer>\nIt says hello.",
    ],
)
def test_a_program_in_another_wrapping(reply: str):
    assert program_of(reply) == PROGRAM


def test_a_program_with_a_fault_stays_whole():
    fault = "def greet(name:\n    return '```'\n"
    assert program_of(f"```python\n{fault}```") == fault.rstrip("\n")


def test_blocks_are_paired_line_by_line():
    text = "a\n```text\n1\n```\nb\n~~~ Py x\n2\n```\n~~~~\n````\n```\n3\n```\n````\n```c++\n4"
    assert fenced_blocks(text) == [("text", "1"), ("py", "2\n```"), ("", "```\n3\n```"), ("c++", "4")]
    assert fenced_blocks("") == fenced_blocks("no fence ``` here") == []


LINES = st.lists(
    st.sampled_from(
        [
            "```",
            "```python",
            "````",
            "~~~",
            "~~~py",
            "   ```",
            "    ```",
            '"""',
            "'''",
            "x = 1",
            "    y()",
            "",
            "#",
            "def f():",
            "<think>",
            "</think>",
            "### Plan",
            "Plan modification needed",
            "prose of no kind",
            "```text",
        ]
    ),
    max_size=30,
)


@given(LINES.map("\n".join) | st.text())
def test_no_reply_is_a_crash(reply: str):
    assert isinstance(needs_change(reply), bool)
    with contextlib.suppress(BadReply):
        assert plan_of(reply)
    try:
        program = program_of(reply)
    except BadReply:
        return
    assert program.strip()


@given(LINES)
def test_every_line_is_read_once(lines: list[str]):
    """A line is inside one block, is a fence, or is outside; blocks hold nothing that is not in the reply."""
    text = "\n".join(lines)
    blocks = fenced_blocks(text)
    inside = [line.strip() for block in blocks for line in block.text.split("\n")]
    assert all(inside.count(line) <= [each.strip() for each in lines].count(line) for line in set(inside) if line)


@given(
    st.sampled_from([PROGRAM, OTHER, DOCSTRING, INNER_PYTHON]),
    st.lists(st.sampled_from(["Prose.", "", fenced("1 2", "text"), fenced("$ ls", "sh"), "- a `word`"]), max_size=4),
    st.lists(st.sampled_from(["Prose.", "", fenced("[1]", ""), fenced("a b c", "text"), "### Plan"]), max_size=4),
    st.sampled_from(["", " ", "   "]),
    st.sampled_from(["```", "````", "~~~"]),
    st.sampled_from(["\n", "\r\n"]),
)
def test_a_program_comes_back_as_it_was(
    program: str, before: list[str], behind: list[str], prefix: str, marks: str, line_end: str
):
    block = textwrap.indent(fenced(program, "python", marks), prefix)
    assert program_of("\n".join([*before, block, *behind]).replace("\n", line_end)) == program
    ast.parse(program)


# Answers and plans


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        ("plain", "plain"),
        ("<think>a</think>b", "b"),
        ("a</think>\n\nb\n", "b"),
        ("<think><think>a</think>b</think>c", "c"),
        ("<think>a</think>", ""),
    ],
)
def test_the_answer_is_what_follows_the_thinking(reply: str, answer: str):
    assert answer_of(reply) == answer


@pytest.mark.parametrize(
    ("reply", "plan"),
    [
        ("### Understanding\nx\n### Plan\n1. a\n2. b\n", "### Plan\n1. a\n2. b"),
        ("### Plan\nof the example\n### Plan\nof the problem", "### Plan\nof the problem"),
        ("x\n### Plan – step by step\n1. a", "### Plan – step by step\n1. a"),
        ("x\n### Plan: count them\n1. a", "### Plan: count them\n1. a"),
        ("x\n### **Plan**\n1. a", "### **Plan**\n1. a"),
        ("x\n###Plan\n1. a", "###Plan\n1. a"),
        ("x\n  ### PLAN\n1. a", "### PLAN\n1. a"),
        ("x\r\n### Plan\r\n1. a\r\n", "### Plan\r\n1. a"),
        ("### Plan\n1. a\n### Planning done\nb", "### Plan\n1. a\n### Planning done\nb"),
        ("### Plan\n1. a\nSee the ### Plan above.", "### Plan\n1. a\nSee the ### Plan above."),
        ("## Plan\n1. a", "## Plan\n1. a"),
        ("  I would\n- sort\n- scan ", "I would\n- sort\n- scan"),
        ("<think>### Plan\nno</think>\nsort, scan", "sort, scan"),
        ("<think>### Plan\nno</think>\n### Plan\nyes", "### Plan\nyes"),
    ],
)
def test_the_plan_is_the_last_one(reply: str, plan: str):
    assert plan_of(reply) == plan


@pytest.mark.parametrize("reply", ["", " \n", "<think>hm</think>", "<think>\n### Plan\n1. a"])
def test_neither_nothing_nor_thinking_is_a_plan(reply: str):
    with pytest.raises(BadReply):
        plan_of(reply)
    assert finished_answer_of(reply) == ""


def test_a_plan_in_json_can_be_stored():
    assert plan_in_json('{"1": "\\ud83d"}') == '{\n  "1": "?"\n}'


# Verdicts

KEEP, CHANGE = "No Need to Modify Plan", "Plan Modification Needed"


@pytest.mark.parametrize("decorated", ["{}", "**{}**", "***{}.***", "__{}__", "`{}`", '"{}".', "### {}", "> {}!"])
@pytest.mark.parametrize("behind", ["", "\n", " The trace agrees.", "\n\nThat is all I found.\n"])
@pytest.mark.parametrize("before", ["", "The outputs differ.\n\n"])
def test_a_decorated_verdict(before: str, decorated: str, behind: str):
    for change in (True, False):
        phrase = decorated.format(CHANGE if change else KEEP)
        assert needs_change(f"{before}{phrase}{behind}") is change
        assert needs_change(f"{before}{phrase.upper()}{behind}") is change
        assert needs_change(f"{before}{phrase.lower()}{behind}".replace(" ", "\n")) is change
        assert needs_change(f"{before}{phrase}{behind}".replace(" ", "\u00a0")) is change


@pytest.mark.parametrize(
    ("critique", "change"),
    [
        (f"I shall end with “{KEEP}” or “{CHANGE}”.\n\n**{KEEP}**", False),
        (f"I shall end with “{KEEP}” or “{CHANGE}”.\n\n**{CHANGE}**", True),
        (f"At first I thought: {CHANGE}. But it holds.\n{KEEP}", False),
        (f"“{KEEP}” would be wrong here.\n{CHANGE}.", True),
        ("No need to modify the plan.", False),
        ("No **Plan Modification Needed**.", False),
        ("No plan modification is needed.", False),
        ("No further plan modification needed.", False),
        ("Plan modification is not needed.", False),
        (f"I was asked for “{CHANGE}” where it fails. Plan modification not needed.", False),
        ("Plan modification is needed.", True),
        ("**Plan** *Modification* **Needed**", True),
        ("The plan is fine.", False),
        ("The plan must be modified.", False),
        ("Plan modifications were needed in older versions.", False),
        ("", False),
        (f"<think>{CHANGE}</think>{KEEP}", False),
        (f"<think>{KEEP}</think>{CHANGE}", True),
        (f"<think>{CHANGE}</think>It is fine.", False),
    ],
)
def test_the_last_verdict_alone_decides(critique: str, change: bool):
    assert needs_change(critique) is change


CPP = "#include <iostream>\nint main() { std::cout << 1; }\n"


@pytest.mark.parametrize("name", ["cpp", "c++", "CPP", "cxx", ""])
def test_a_program_of_another_language_is_the_last_block_of_its_name(name: str) -> None:
    reply = f"First:\n```text\n1\n```\nThen:\n```{name}\n{CPP}```\n"
    assert program_of(reply, "C++").strip() == CPP.strip()


def test_of_another_language_neither_bare_text_nor_other_languages_are_taken() -> None:
    for reply in (CPP, f"```python\n{CPP}```", "```cpp\n\n```"):
        with pytest.raises(BadReply, match=r"C\+\+"):
            program_of(reply, "C++")

"""What a model's reply holds: the answer behind its thinking, plans, verdict phrases, programs.

The rules are those of CodeSIM's reply formats (arXiv 2502.05664), read as models really write them.
"""

import ast
import re
import textwrap
import warnings
from typing import NamedTuple

PYTHON = ("python", "py", "python3", "py3")

PLAN_HEADING = re.compile(r"^[ \t]*###[ \t]*[*_]*plan\b", re.IGNORECASE | re.MULTILINE)
VERDICT = re.compile(
    r"(?P<keep>no\s+need\s+to\s+modify\s+(?:the\s+)?plan|no\s+plan\s+modification\s+(?:is\s+)?needed)"
    r"|(?P<change>plan\s+modification\s+(?:is\s+)?needed)",
    re.IGNORECASE,
)
FENCE = re.compile(r"^(?P<indent>[ \t]*)(?P<marks>`{3,}|~{3,})(?P<info>[^`]*)$")


class BadReply(Exception):
    """A reply that does not hold what its stage must give; worth asking again."""

    kind = "bad_reply"


class Block(NamedTuple):
    """A fenced block: the first word of its info string in lower case, and its text."""

    language: str
    text: str


def answer_of(text: str) -> str:
    """Return what follows the thinking: the text behind the last `</think>`, or all of it."""
    return text.rpartition("</think>")[2].strip()


def plan_of(text: str) -> str:
    """Return the answer from its last `### Plan` heading on; the whole answer without one."""
    answer = answer_of(text)
    headings = list(PLAN_HEADING.finditer(answer))
    return answer[headings[-1].start() :].strip() if headings else answer


def needs_change(critique: str) -> bool:
    """Tell whether a simulation ends in "Plan Modification Needed": the last verdict phrase alone decides."""
    plain = re.sub(r"[*_`]", "", answer_of(critique))
    verdicts = list(VERDICT.finditer(plain))
    return bool(verdicts) and verdicts[-1]["change"] is not None


def program_of(text: str) -> str:
    """Return the Python program in a reply; raises BadReply where there is none.

    The last fenced block of the language wins, else the last block of any kind that parses; without any fence the
    whole answer, if it parses. A `<think>` that is never closed means that the reply was cut off.
    """
    if text.rfind("<think>") > text.rfind("</think>"):
        raise BadReply("the reply was cut off while thinking: its <think> is never closed")
    answer = answer_of(text)
    blocks = [block for block in fenced_blocks(answer) if block.text.strip()]
    if not blocks and not any(FENCE.match(line) for line in answer.splitlines()):
        if _parses(answer):
            return answer
        raise BadReply("the reply holds no program: no fenced block, and the text is not Python")
    named = [block for block in blocks if block.language in PYTHON]
    chosen = named or [block for block in blocks if _parses(block.text)]
    if not chosen:
        raise BadReply("the reply holds no program: none of its fenced blocks is Python")
    return chosen[-1].text


def fenced_blocks(text: str) -> list[Block]:
    """Return the fenced blocks of a Markdown text in order, paired line by line as CommonMark pairs them.

    Where a Python block does not parse up to its first closing fence but does up to a later one (a docstring with
    fences of its own), the later one closes it. A fence that is never closed runs to the end.
    """
    lines = text.splitlines()
    blocks: list[Block] = []
    at = 0
    while at < len(lines):
        opening = FENCE.match(lines[at])
        if opening is None:
            at += 1
            continue
        language = _language(opening["info"])
        closings = [line for line in range(at + 1, len(lines)) if _closes(lines[line], opening)] or [len(lines)]
        end = closings[0]
        if language in PYTHON and not _parses(_inside(lines, at, end, opening)):
            end = next((line for line in closings if _parses(_inside(lines, at, line, opening))), end)
        blocks.append(Block(language, _inside(lines, at, end, opening)))
        at = end + 1
    return blocks


def _inside(lines: list[str], start: int, end: int, opening: re.Match[str]) -> str:
    text = "\n".join(lines[start + 1 : end])
    return textwrap.dedent(text) if opening["indent"] else text


def _language(info: str) -> str:
    word = re.match(r"\s*\{?\s*\.?([\w+#-]*)", info)
    return word[1].lower() if word else ""


def _closes(line: str, opening: re.Match[str]) -> bool:
    fence = FENCE.match(line)
    return (
        fence is not None
        and fence["marks"][0] == opening["marks"][0]
        and len(fence["marks"]) >= len(opening["marks"])
        and not fence["info"].strip()
        and len(fence["indent"].expandtabs()) <= len(opening["indent"].expandtabs()) + 3
    )


def _parses(text: str) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return bool(ast.parse(text).body)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False

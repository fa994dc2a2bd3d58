"""What a model's reply holds: the answer behind its thinking, plans, verdict phrases, programs.

The rules are those of CodeSIM's reply formats (arXiv 2502.05664), read as models really write them.
"""

import ast
import json
import re
import textwrap
import warnings
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from tasks.python_source import syntax_tree

FENCE_NAMES = {
    "Python3": ("python", "py", "python3", "py3"),
    "C": ("c", "c11", "c17", "c99"),
    "C++": ("cpp", "c++", "cxx", "cc", "cpp17", "c++17", "cpp20", "c++20"),
    "Java": ("java",),
    "JavaScript": ("javascript", "js", "node", "nodejs"),
    "Rust": ("rust", "rs"),
    "Go": ("go", "golang"),
}
PYTHON = FENCE_NAMES["Python3"]
MOST_CLOSINGS = 50  # fences that the docstring of one block may hold

PLAN_HEADING = re.compile(r"^[ \t]*###[ \t]*[*_]*plan\b", re.IGNORECASE | re.MULTILINE)
VERDICT = re.compile(
    r"(?P<keep>no\s+need\s+to\s+modify\s+(?:the\s+)?plan|no\s+(?:further\s+)?plan\s+modification\s+(?:is\s+)?needed"
    r"|plan\s+modification\s+(?:is\s+)?not\s+needed)"
    r"|(?P<change>plan\s+modification\s+(?:is\s+)?needed)",
    re.IGNORECASE,
)
THINKING = re.compile(r"^\s*<think>", re.MULTILINE)  # in mid-line it is a program's own text
MARKDOWN = ("markdown", "md")
TAGS = ("PYTHON", "CODE", "ANSWER", "SOLUTION", "PROGRAM")  # that some put around a program in place of a fence
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


def finished_answer_of(text: str) -> str:
    """Return the answer of a reply; empty where it was cut off while thinking."""
    return "" if _is_cut_off(text) else answer_of(text)


def whole_answer_of(text: str) -> str:
    """Return the answer of a reply; raises BadReply where it is empty, or was cut off while thinking."""
    _refuse_cut_off(text)
    answer = answer_of(text)
    if not answer:
        raise BadReply("the reply is empty")
    return answer


def _refuse_cut_off(text: str) -> None:
    if _is_cut_off(text):
        raise BadReply("the reply was cut off while thinking: its <think> is never closed")


def _is_cut_off(text: str) -> bool:
    openings = [opening.start() for opening in THINKING.finditer(text)]
    return bool(openings) and openings[-1] > text.rfind("</think>")


def plan_of(text: str) -> str:
    """Return the answer from its last `### Plan` heading on; the whole answer without one. See `whole_answer_of`."""
    answer = whole_answer_of(text)
    headings = list(PLAN_HEADING.finditer(answer))
    return answer[headings[-1].start() :].strip() if headings else answer


def plan_in_json(text: str) -> str:
    """Return the JSON object that an answer holds, tidied, or the answer where it holds none; raises BadReply."""
    answer = whole_answer_of(text)
    blocks = [block.text for block in fenced_blocks(answer)]
    for said in (*reversed(blocks), answer[answer.find("{") : answer.rfind("}") + 1]):
        try:
            plan = json.loads(said)
            if isinstance(plan, dict) and plan:
                # Half a surrogate pair, which an escape may have brought back, can be neither sent nor stored.
                return json.dumps(plan, indent=2, ensure_ascii=False).encode("utf-8", "replace").decode()
        except (ValueError, RecursionError):
            continue
    return answer


def needs_change(critique: str) -> bool:
    """Tell whether a simulation ends in "Plan Modification Needed": the last verdict phrase alone decides."""
    plain = re.sub(r"[*_`]", "", answer_of(critique))
    verdicts = list(VERDICT.finditer(plain))
    return bool(verdicts) and verdicts[-1]["change"] is not None


def program_of(text: str, language: str = "Python3") -> str:
    """Return the program in a reply; raises BadReply where there is none.

    The last fenced block of the language wins, else the last block of any kind that is a program; without any fence
    the whole answer, if it is one. A `<think>` that is never closed means that the reply was cut off. Whether a text
    is a program is known of Python alone: of another language every block without a name may be one, and no text
    without a fence. Fences inside of a Markdown block count too. Where that finds nothing, a fence that is opened in
    mid-line, and what stands between tags such as `[PYTHON]`, are looked at.
    """
    _refuse_cut_off(text)
    answer = _plain_line_ends(text.rpartition("</think>")[2])
    blocks = _all_blocks(answer)
    found = _chosen(blocks, language) or _chosen(_all_blocks(_opened_in_mid_line(answer)), language)
    if found is not None:
        return _cut_at_fence(found.text) if found.language in PYTHON else found.text
    for whole in (answer, *_between_tags(answer)):
        program = textwrap.dedent(whole).strip()
        if language == "Python3" and _is_program(program):
            return program
    if blocks:
        raise BadReply(f"the reply holds no program: none of its fenced blocks is {_plainly(language)}")
    raise BadReply(f"the reply holds no program: no fenced block, and the text is not {_plainly(language)}")


def _all_blocks(answer: str) -> list[Block]:
    """Return the fenced blocks, with those inside of Markdown in the place of what holds them."""
    blocks = [
        [block] if block.language not in MARKDOWN else fenced_blocks(block.text) or [block]
        for block in fenced_blocks(answer)
    ]
    return [block for those in blocks for block in those]


def _chosen(blocks: list[Block], language: str) -> Block | None:
    named = [block for block in blocks if block.language in FENCE_NAMES[language] and block.text.strip()]
    others = [block for block in blocks if _may_be_program(block, language)]
    fitting = named or others
    return fitting[-1] if fitting else None


def _opened_in_mid_line(answer: str) -> str:
    """Return an answer in which a fence that a line of words ends in has a line of its own."""
    lines = []
    for line in answer.split("\n"):
        before, marks, name = line.rpartition("```")
        opens = (
            marks and before.strip("`~ \t") and any(name.strip().lower() in names for names in FENCE_NAMES.values())
        )
        lines += [before, f"```{name}"] if opens else [line]
    return "\n".join(lines)


def _between_tags(answer: str) -> Iterator[str]:
    """Yield what stands between the last tags of each kind, `[PYTHON]` and `[/PYTHON]` or `<code>` and `</code>`."""
    for name in (*TAGS, *map(str.lower, TAGS)):
        for opening, closing in ((f"[{name}]", f"[/{name}]"), (f"<{name}>", f"</{name}>")):
            end = answer.rfind(closing)
            start = answer.rfind(opening, 0, max(end, 0))
            if start >= 0:
                yield answer[start + len(opening) : end]


def _cut_at_fence(program: str) -> str:
    """Return a program up to a fence that closes it within a line, or with words behind; as it is where none does."""
    if "```" not in program or _fault(program) is None:
        return program
    for closing in islice(re.finditer(r"```", program), MOST_CLOSINGS):
        cut = program[: closing.start()].rstrip()
        if _is_program(cut):
            return cut
    return program


def _plainly(language: str) -> str:
    return "Python" if language == "Python3" else language


def _may_be_program(block: Block, language: str) -> bool:
    if language == "Python3":
        return _is_program(block.text)
    return block.language == "" and bool(block.text.strip())


def fenced_blocks(text: str) -> list[Block]:
    """Return the fenced blocks of a Markdown text in order, paired line by line as CommonMark pairs them.

    Where a Python block ends inside a docstring at its first closing fence and parses up to a later one (a docstring
    with fences of its own), the later one closes it. A fence that is never closed runs to the end.
    """
    lines = _plain_line_ends(text).split("\n")  # splitlines would part a string at a form feed
    blocks: list[Block] = []
    at = 0
    while at < len(lines):
        opening = FENCE.match(lines[at])
        if opening is None:
            at += 1
            continue
        end = _end(lines, at, opening)
        blocks.append(Block(_language(opening["info"]), _inside(lines, at, end, opening)))
        at = end + 1
    return blocks


def _plain_line_ends(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _end(lines: list[str], start: int, opening: re.Match[str]) -> int:
    """Return the line that closes the fence in line `start`; the number of lines where none does."""
    closings = (line for line in range(start + 1, len(lines)) if _closes(lines[line], opening))
    first = next(closings, len(lines))
    inside = "\n".join(lines[start + 1 : first])
    if _language(opening["info"]) in PYTHON and ('"""' in inside or "'''" in inside):
        for end in (first, *islice(closings, MOST_CLOSINGS)):
            fault = _fault(_inside(lines, start, end, opening))
            if fault is None:
                return end
            if "unterminated triple-quoted" not in fault:
                break
    return first


def _inside(lines: list[str], start: int, end: int, opening: re.Match[str]) -> str:
    """Return the lines between two fences without the fence's indentation, and without their own."""
    width = len(opening["indent"])
    inside = [line[min(width, len(line) - len(line.lstrip(" \t"))) :] for line in lines[start + 1 : end]]
    text = "\n".join(inside)
    first = next((line for line in inside if line.strip()), "")
    return textwrap.dedent(text) if first[:1].isspace() else text


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


def _is_program(text: str) -> bool:
    """Tell whether a text is Python that does something: a word of prose and a list of numbers parse as well."""
    if _fault(text) is not None:
        return False
    return any(
        not isinstance(statement, ast.Expr) or any(isinstance(part, ast.Call) for part in ast.walk(statement))
        for statement in _tree(text).body
    )


def _fault(text: str) -> str | None:
    """Return what keeps a text from being Python, None where it is."""
    try:
        _tree(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as fault:
        return str(fault)
    return None


def _tree(text: str) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return syntax_tree(text)

"""Tests in a model's reply: `check(candidate)`, assertions, pairs of input and output, or an audit's status."""

import ast
import re
from typing import NamedTuple

from tasks.parsing import BadReply, answer_of, fenced_blocks, program_of
from tasks.python_source import syntax_tree
from tasks.records import Checks, Pair

LABEL = r"^(?:[ \t]*\d+[.)])?[ \t>*_#-]*(?:(?:sample|example|test|case)[ \t]*(?:case[ \t]*)?\d*[ \t]*)?"
INPUT = re.compile(LABEL + r"input[ \t]*\d*[ \t]*[*_]*[ \t]*:[*_]*(?P<rest>.*)$", re.IGNORECASE)
OUTPUT = re.compile(LABEL + r"(?:expected[ \t]*)?output[ \t]*\d*[ \t]*[*_]*[ \t]*:[*_]*(?P<rest>.*)$", re.IGNORECASE)
# What ends an output: a rule, a heading, the title of the next test, or words about this one.
END = re.compile(
    r"^[ \t]*(?:-{3,}|={3,}|#{1,6}[ \t].*|[*_]*(?:test|case|example|explanation|reason|note)\b.*)$",
    re.IGNORECASE,
)
STATUS = re.compile(r"\[?[*_]*Status[*_]*\]?[ \t*_]*:[ \t\[*_`]*(?P<status>PASS|FAIL)", re.IGNORECASE)
FEEDBACK = re.compile(r"\[[*_]*(?:Analysis|Feedback)[*_]*\]", re.IGNORECASE)


class Audit(NamedTuple):
    """What a reader of a program says of it: whether it is right, and the words for who repairs it."""

    passed: bool
    text: str


def check_of(text: str) -> Checks:
    """Return the Python of a reply that defines `check(candidate)`; raises BadReply without it, or an assertion."""
    source = program_of(text)
    try:
        parts = syntax_tree(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as fault:
        raise BadReply(f"the tests are not Python ({fault})") from None
    check = next((part for part in parts if isinstance(part, ast.FunctionDef) and part.name == "check"), None)
    if check is None or len(check.args.args) != 1:
        raise BadReply("the reply defines no check(candidate)")
    if not any(isinstance(part, ast.Assert) for part in ast.walk(check)):
        raise BadReply("check(candidate) of the reply asserts nothing")
    return Checks(source=source)


def assertions_of(text: str, entry_point: str) -> tuple[str, ...]:
    """Return the assertions of a reply that compare a call of `entry_point` on literals with a literal, each once.

    Those alone can be told from code that does something else; a model wrote them. Raises BadReply without any.
    """
    sources = [block.text for block in fenced_blocks(answer_of(text))] or [answer_of(text)]
    found = dict.fromkeys(
        line
        for source in sources
        for line in (each.strip() for each in source.splitlines())
        if line.startswith("assert ") and _is_literal_call(line, entry_point)
    )
    if not found:
        raise BadReply(f"the reply holds no assertion that calls {entry_point} on literals")
    return tuple(found)


def _is_literal_call(line: str, entry_point: str) -> bool:
    try:
        match syntax_tree(line).body:
            case [
                ast.Assert(
                    test=ast.Compare(
                        left=ast.Call(func=ast.Name(id=name), args=args, keywords=keywords),
                        ops=[ast.Eq()],
                        comparators=[expected],
                    ),
                    msg=None,
                )
            ] if name == entry_point and all(each.arg for each in keywords):
                for value in (*args, *(each.value for each in keywords), expected):
                    ast.literal_eval(value)
                return True
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
        pass
    return False


def pairs_of(text: str) -> Checks:
    """Return the pairs of a reply in its `Input:` and `Output:` parts, with or without fences; raises BadReply."""
    pairs: list[Pair] = []
    given: list[str] | None = None
    printed: list[str] | None = None
    for line in [*answer_of(text).replace("\r\n", "\n").split("\n"), "Input:"]:
        if (label := INPUT.match(line)) is not None:
            if given is not None and printed is not None:
                pairs.append(Pair(input=_body(given), output=_body(printed)))
            given, printed = [label["rest"].lstrip(" ")], None
        elif given is not None and (label := OUTPUT.match(line)) is not None:
            printed = [label["rest"].lstrip(" ")]
        elif printed is not None:
            printed.append(line)
        elif given is not None:
            given.append(line)
    kept = tuple(dict.fromkeys(pair for pair in pairs if pair.output.strip()))
    if not kept:
        raise BadReply("the reply holds no test with Input: and Output:")
    return Checks(pairs=kept)


def _body(lines: list[str]) -> str:
    """Return the text of a part: what its first fence holds, else its lines up to what ends it."""
    first = next((line for line in lines if line.strip()), "")
    if first.lstrip().startswith("```") and (blocks := fenced_blocks("\n".join(lines))):
        return blocks[0].text.strip("\n") + "\n"
    kept: list[str] = []
    for line in lines:
        if END.match(line) or line.strip().startswith("```"):
            if any(each.strip() for each in kept):
                break
            continue
        kept.append(line)
    return "\n".join(kept).strip("\n").rstrip() + "\n"


def audit_of(text: str) -> Audit:
    """Return what an audit says: its last `[Status]: PASS|FAIL`, and its analysis and feedback; raises BadReply."""
    answer = answer_of(text)
    said = list(STATUS.finditer(answer))
    if not said:
        raise BadReply("the reply holds no [Status]: PASS or FAIL")
    words = FEEDBACK.search(answer, said[-1].end())
    text = answer[words.start() :].strip() if words else answer
    return Audit(said[-1]["status"].upper() == "PASS", text)

"""Tests in a model's reply: `check(candidate)`, assertions, pairs of input and output, or an audit's status."""

import ast
import contextlib
import json
import re
import textwrap
from typing import NamedTuple

from tasks.parsing import BadReply, Block, fenced_blocks, program_of, whole_answer_of
from tasks.python_source import syntax_tree
from tasks.records import Checks, Pair

LABEL = re.compile(
    r"(?:\d++[.)][ \t]*+)?[*_#>-]*+[ \t]*+[*_]*+(?:(?:sample|example|expected|test|case)[ \t]*+(?:\d++[ \t]*+)?)*+"
    r"(?P<what>input|output)[ \t]*+(?:\#?\d++[ \t]*+)?(?:\([^()]{0,40}\)[ \t]*+)?(?P<rest>.*)",
    re.IGNORECASE,
)
MARKS = "*_`# \t"
LISTED = re.compile(r"^[ \t]*(?:[-*•]|\d{1,3}[.)])[ \t]+")
# What ends an output: a rule, a heading, the title of the next test, or words about this one.
END = re.compile(
    r"[ \t]*(?:-{3,}|={3,}|#{1,6}[ \t].*|[*_]*(?:test|example|sample)[ \t]*(?:case[ \t]*)?(?:#?\d.*|[A-Z][*_ \t]*:.*)"
    r"|[*_(]*(?:explanation|reason(?:ing)?|rationale|comment|note)[*_ \t]*:.*)",
    re.IGNORECASE,
)
# Behind a blank line, at the end: the number of the next test, or a sentence; before another test a title too.
TITLE = re.compile(r"[*_ \t]*\d+[.)](?:[*_ \t].*)?|\*\*.*\*\*:?|(?:[\w'()-]+,?[ \t]+){3,}[^\n]*[.:!]")
NEXT_TITLE = re.compile(
    r"[*_ \t(]*(?:[A-Za-z][^\n]*:|(?:edge|corner|boundary|base|basic|normal|minimal|maximal|test|sample|example)\b"
    r"[^\n]*)[*_ \t)]*",
    re.IGNORECASE,
)
LONGEST_TITLE = 300
# `[Status]: PASS`, `### Status` and below it `**FAILED**`, `1. [Status] "FAIL"`; not the choice that was offered.
STATUS = re.compile(
    r"^[ \t>*_#-]*+(?:\d++[.)][ \t]*+)?(?P<mark>[*_\[]*+)Status(?:[*_\]]++|\b)[ \t]*+(?P<colon>[:\n]?)[\W_]*+"
    r"(?P<status>PASS|FAIL)(?:ED|ES|S|URE)?\b(?![ \t]*(?:[|/]|or\b)[ \t\[*_`]*(?:PASS|FAIL))",
    re.IGNORECASE | re.MULTILINE,
)
FEEDBACK = re.compile(r"\[[*_]*+(?:Analysis|Feedback)[*_]*+\]", re.IGNORECASE)


class Audit(NamedTuple):
    """What a reader of a program says of it: whether it is right, and the words for who repairs it."""

    passed: bool
    text: str


def check_of(text: str) -> Checks:
    """Return the Python of a reply that defines `check(candidate)`: its last block that does.

    Raises BadReply without one, or an assertion in it.
    """
    fault = ""
    for source in (*(block.text for block in reversed(fenced_blocks(whole_answer_of(text)))), program_of(text)):
        fault = _check_fault(source)
        if not fault:
            return Checks(source=source)
    wrapped = next(filter(None, map(_wrapped, reversed(fenced_blocks(whole_answer_of(text))))), "")
    if wrapped:
        return Checks(source=wrapped)
    raise BadReply(fault)


def _wrapped(block: Block) -> str:
    """Return assertions that stand alone in a block as a check; empty where there are none."""
    try:
        parts = syntax_tree(block.text).body
        asserts = [f"    {ast.unparse(part)}" for part in parts if isinstance(part, ast.Assert)]
        imports = [ast.unparse(part) for part in parts if isinstance(part, ast.Import | ast.ImportFrom)]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ""
    return "\n".join([*imports, "def check(candidate):", *asserts]) if asserts else ""


def _check_fault(source: str) -> str:
    """Return what keeps a source from being tests; empty where it is."""
    try:
        parts = syntax_tree(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as fault:
        return f"the tests are not Python ({fault})"
    check = next((part for part in parts if isinstance(part, ast.FunctionDef) and part.name == "check"), None)
    if check is None or len(check.args.args) != 1:
        return "the reply defines no check(candidate)"
    if not any(isinstance(part, ast.Assert) for part in ast.walk(check)):
        return "check(candidate) of the reply asserts nothing"
    return ""


def assertions_of(text: str, entry_point: str, *, methods: bool = False) -> tuple[str, ...]:
    """Return the assertions of a reply that compare a call of `entry_point` on literals with a literal, each once.

    With `methods` the entry point is a class, and the call that of a method of an object made without arguments.
    `assert f(1)` and `assert f(1) is True` are read as `== True`, and messages are left out. Those alone can be told
    from code that does something else; a model wrote them. Raises BadReply without any.
    """
    answer = whole_answer_of(text)
    sources = [block.text for block in fenced_blocks(answer)] or [answer]
    lines = [_plain_assertion(part) for source in sources for part in _asserts(source)]
    found = dict.fromkeys(line for line in lines if _is_literal_call(line, entry_point, methods))
    if not found:
        raise BadReply(f"the reply holds no assertion that calls {entry_point} on literals")
    return tuple(found)


def _asserts(source: str) -> list[ast.Assert]:
    """Return the assertions of a source wherever they stand; of one that is no Python, those that are a line each."""
    try:
        return [part for part in ast.walk(syntax_tree(source)) if isinstance(part, ast.Assert)]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        lines = [LISTED.sub("", line).strip().strip("`") for line in source.splitlines()]
        found = list[ast.Assert]()
        for line in lines:
            with contextlib.suppress(SyntaxError, ValueError, RecursionError, MemoryError):
                parts = syntax_tree(line).body if line.startswith("assert ") else []
                found += [part for part in parts if isinstance(part, ast.Assert)]
        return found


def _plain_assertion(part: ast.Assert) -> str:
    """Return an assertion as a comparison without a message; empty where it is nested too deeply."""
    match part.test:
        case ast.Call():
            test: ast.expr = _equal(part.test, ast.Constant(True))
        case ast.UnaryOp(op=ast.Not(), operand=ast.Call() as call):
            test = _equal(call, ast.Constant(False))
        case ast.Compare(
            left=call, ops=[ast.Is()], comparators=[ast.Constant(value=True | False | None) as expected]
        ):
            test = _equal(call, expected)
        case _:
            test = part.test
    try:
        return ast.unparse(ast.Assert(test=test, msg=None))
    except RecursionError:
        return ""


def _equal(left: ast.expr, right: ast.expr) -> ast.Compare:
    return ast.Compare(left=left, ops=[ast.Eq()], comparators=[right])


def _is_literal_call(line: str, entry_point: str, methods: bool) -> bool:
    """Whether a line is `assert entry_point(…) == …` on literals, or the same of a method of `entry_point()`."""
    if not line:
        return False
    try:
        compile(line, "<assertion>", "exec")  # refuses more than the parser does
        match syntax_tree(line).body:
            case [
                ast.Assert(
                    test=ast.Compare(left=ast.Call() as call, ops=[ast.Eq()], comparators=[expected]), msg=None
                )
            ]:
                values = (*call.args, *(word.value for word in call.keywords), expected)
                return (
                    _calls(call.func, entry_point, methods)
                    and all(word.arg for word in call.keywords)
                    and all(map(_is_literal, values))
                )
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
        pass
    return False


def _calls(function: ast.expr, entry_point: str, methods: bool) -> bool:
    """Whether what is called is the entry point, or a public method of an object of it."""
    match function:
        case ast.Name(id=name):
            return name == entry_point and not methods
        case ast.Attribute(value=ast.Call(func=ast.Name(id=name), args=[], keywords=[]), attr=method):
            return name == entry_point and methods and not method.startswith("_")
    return False


def _is_literal(value: ast.expr) -> bool:
    ast.literal_eval(value)
    return not any(isinstance(part, ast.Constant) and part.value is ... for part in ast.walk(value))


def pairs_of(text: str) -> Checks:
    """Return the pairs of a reply in its `Input:` and `Output:` parts, with or without fences; raises BadReply."""
    pairs: list[Pair] = []
    given: _Part | None = None
    printed: _Part | None = None
    lines = whole_answer_of(text).replace("\r\n", "\n").split("\n")
    for number, line in enumerate([*lines, "Input:"]):
        label = _label(line)
        if label is not None and label.what == "input":
            if given is not None and printed is not None:
                followed = number < len(lines)
                pairs.append(Pair(input=_body(given), output=_body(printed, last=True, followed=followed)))
            given, printed = _Part(label.indent, [label.rest]), None
        elif label is not None and given is not None:
            printed = _Part(label.indent, [label.rest])
        elif printed is not None:
            printed.lines.append(line)
        elif given is not None:
            given.lines.append(line)
    kept = tuple(dict.fromkeys(pair for pair in pairs if pair.output.strip()))
    if not kept:
        raise BadReply("the reply holds no test with Input: and Output:")
    return Checks(pairs=kept)


class _Part(NamedTuple):
    """The lines behind a label, and how far the label's own text is from the margin."""

    indent: int
    lines: list[str]


class _Label(NamedTuple):
    what: str
    rest: str  # what stands behind it in its line
    indent: int


def _label(line: str) -> _Label | None:
    """Return the label that a line begins with: `Input:`, `**Output 2**: 5`, `### Input`; None without one."""
    listed = LISTED.match(line)
    indent = listed.end() if listed else len(line) - len(line.lstrip(" \t"))
    line = line.strip()
    found = LABEL.match(line)
    if found is None:
        return None
    what, rest = found["what"].lower(), found["rest"]
    before, colon, behind = rest.partition(":")
    if colon and not before.strip(MARKS):
        behind = behind.strip()
        if line.startswith("**"):
            behind = behind.removeprefix("**").strip()
        return _Label(what, _unquoted(behind), indent)
    alone = line[0] in "*#_" or line[0].isupper()
    return _Label(what, "", indent) if alone and not rest.strip(MARKS) else None


def _unquoted(text: str) -> str:
    """Return what stands behind a label without its backticks, or as a text in quotes with its line breaks made."""
    if text[:1] == text[-1:] == '"' and "\\n" in text:
        with contextlib.suppress(ValueError):
            return str(json.loads(text))
    return text[1:-1] if text[:1] == text[-1:] == "`" and len(text) > 2 else text


def _body(part: _Part, *, last: bool = False, followed: bool = False) -> str:
    """Return a part: what its first fence holds, else its lines; of the `last` part up to what ends it.

    Where another test follows, that may be the title of it.
    """
    lines = part.lines
    first = next((line for line in lines if line.strip()), "")
    if first.lstrip().startswith("```") and (blocks := fenced_blocks("\n".join(lines))):
        return blocks[0].text.strip("\n") + "\n"
    kept: list[str] = []
    for line in lines:
        if line.strip().startswith("```") or (last and END.fullmatch(line)):
            if any(each.strip() for each in kept):
                break
            continue
        kept.append(line)
    text = "\n".join(kept).strip("\n").rstrip()
    while last:
        before, blank, title = text.rpartition("\n\n")
        if not blank or not _is_title(title.strip(), followed=followed):
            break
        text = before.rstrip()
    return _indented_less(text, part.indent) + "\n"


def _indented_less(text: str, most: int) -> str:
    """Return lines without the white space that all of them begin with, up to so much."""
    plain = textwrap.dedent(text)
    lines = [line for line in text.split("\n") if line.strip()]
    common = len(lines[0]) - len(next(line for line in plain.split("\n") if line.strip())) if lines else 0
    return plain if common <= most else textwrap.indent(plain, " " * (common - most))


def _is_title(text: str, *, followed: bool) -> bool:
    if len(text) > LONGEST_TITLE:
        return False
    return TITLE.fullmatch(text) is not None or (followed and NEXT_TITLE.fullmatch(text) is not None)


def audit_of(text: str) -> Audit:
    """Return what an audit says: its last `[Status]: PASS|FAIL`, and its analysis and feedback; raises BadReply."""
    answer = whole_answer_of(text)
    said = [found for found in STATUS.finditer(answer) if found["colon"] or found["mark"]]
    if not said:
        raise BadReply("the reply holds no [Status]: PASS or FAIL")
    words = FEEDBACK.search(answer, said[-1].end())
    text = answer[words.start() :].strip() if words else answer
    return Audit(said[-1]["status"].upper() == "PASS", text)

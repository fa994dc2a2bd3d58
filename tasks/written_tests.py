"""Tests in a model's reply: `check(candidate)`, assertions, pairs of input and output, or an audit's status."""

import ast
import re
from typing import NamedTuple

from tasks.parsing import BadReply, Block, fenced_blocks, program_of, whole_answer_of
from tasks.python_source import syntax_tree
from tasks.records import Checks, Pair

LABEL = re.compile(
    r"(?:\d++[.)][ \t]*+)?[*_#>-]*+[ \t]*+[*_]*+(?:(?:sample|example|expected|test|case)[ \t]*+(?:\d++[ \t]*+)?)*+"
    r"(?P<what>input|output)[ \t]*+(?:\d++[ \t]*+)?(?P<rest>.*)",
    re.IGNORECASE,
)
MARKS = "*_`# \t"
# What ends an output: a rule, a heading, the title of the next test, or words about this one.
END = re.compile(
    r"[ \t]*(?:-{3,}|={3,}|#{1,6}[ \t].*|[*_]*(?:test|example|sample)[ \t]*(?:case[ \t]*)?#?\d.*"
    r"|[*_]*(?:explanation|reason|note)[*_ \t]*:.*)",
    re.IGNORECASE,
)
# Behind a blank line, at the end: the number of the next test, or a sentence.
TITLE = re.compile(r"[*_ \t]*\d+[.)](?:[*_ \t].*)?|\*\*.*\*\*:?|(?:[\w'()-]+,?[ \t]+){3,}[^\n]*[.:!]")
LONGEST_TITLE = 300
STATUS = re.compile(
    r"^[ \t>*_#\[-]*+Status[*_\] \t]*+:[ \t\[*_`]*+(?P<status>PASS|FAIL)\b", re.IGNORECASE | re.MULTILINE
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
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ""
    asserts = [part for part in parts if isinstance(part, ast.Assert)]
    imports = [part for part in parts if isinstance(part, ast.Import | ast.ImportFrom)]
    lines = [*map(ast.unparse, imports), "def check(candidate):", *(f"    {ast.unparse(part)}" for part in asserts)]
    return "\n".join(lines) if asserts else ""


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
    Those alone can be told from code that does something else; a model wrote them. Raises BadReply without any.
    """
    answer = whole_answer_of(text)
    sources = [block.text for block in fenced_blocks(answer)] or [answer]
    found = dict.fromkeys(
        line
        for source in sources
        for line in (each.strip() for each in source.splitlines())
        if line.startswith("assert ") and _is_literal_call(line, entry_point, methods)
    )
    if not found:
        raise BadReply(f"the reply holds no assertion that calls {entry_point} on literals")
    return tuple(found)


def _is_literal_call(line: str, entry_point: str, methods: bool) -> bool:
    """Whether a line is `assert entry_point(…) == …` on literals, or the same of a method of `entry_point()`."""
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
    given: list[str] | None = None
    printed: list[str] | None = None
    for line in [*whole_answer_of(text).replace("\r\n", "\n").split("\n"), "Input:"]:
        label = _label(line)
        if label is not None and label.what == "input":
            if given is not None and printed is not None:
                pairs.append(Pair(input=_body(given), output=_body(printed, last=True)))
            given, printed = [label.rest], None
        elif label is not None and given is not None:
            printed = [label.rest]
        elif printed is not None:
            printed.append(line)
        elif given is not None:
            given.append(line)
    kept = tuple(dict.fromkeys(pair for pair in pairs if pair.output.strip()))
    if not kept:
        raise BadReply("the reply holds no test with Input: and Output:")
    return Checks(pairs=kept)


class _Label(NamedTuple):
    what: str
    rest: str  # what stands behind it in its line


def _label(line: str) -> _Label | None:
    """Return the label that a line begins with: `Input:`, `**Output 2**: 5`, `### Input`; None without one."""
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
        return _Label(what, behind[1:-1] if behind[:1] == behind[-1:] == "`" and len(behind) > 2 else behind)
    return _Label(what, "") if line[0] in "*#_" and not rest.strip(MARKS) else None


def _body(lines: list[str], *, last: bool = False) -> str:
    """Return a part: what its first fence holds, else its lines; of the `last` part up to what ends it."""
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
    before, blank, title = text.rpartition("\n\n")
    return (before.rstrip() if last and blank and _is_title(title.strip()) else text) + "\n"


def _is_title(text: str) -> bool:
    return len(text) <= LONGEST_TITLE and TITLE.fullmatch(text) is not None


def audit_of(text: str) -> Audit:
    """Return what an audit says: its last `[Status]: PASS|FAIL`, and its analysis and feedback; raises BadReply."""
    answer = whole_answer_of(text)
    said = list(STATUS.finditer(answer))
    if not said:
        raise BadReply("the reply holds no [Status]: PASS or FAIL")
    words = FEEDBACK.search(answer, said[-1].end())
    text = answer[words.start() :].strip() if words else answer
    return Audit(said[-1]["status"].upper() == "PASS", text)

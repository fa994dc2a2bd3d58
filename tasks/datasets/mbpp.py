"""MBPP (Austin et al. 2021, arXiv 2108.07732): functions to write from one sentence, with a reference and assertions.

One row, in the original's fields:

    {"text": "Write a function to find the longest chain …", "code": "class Pair(object): \\r\\n\\tdef __init__(…",
     "task_id": 601, "test_setup_code": "", "test_list": ["assert max_chain_length([Pair(5, 24), …], 4) == 3"],
     "challenge_test_list": []}

The sanitized version has `prompt` for `text`, and `test_imports`, statements that the tests need. MBPP-ET (Dong et
al. 2023, arXiv 2301.09043) names the `entry_point` and has its many tests in `test_list`: they are the extended
suite, and the first ORIGINAL of them, which are MBPP's, the hidden one. A `test_case_list` is an extended suite as
well. MBPP+ on the hub (Liu et al. 2023, arXiv 2305.01210) has it in `test`: a script that ends in a loop over inputs
and results, which is one test here.

The hidden suite is `test_list`; as is usual in the field, `challenge_test_list` is not used. The sentence does not
say what the function is called, so the first assertion is shown to the model, and is the one sample. The entry point
is what the assertions call; what else of the reference's top level they use (a class `Pair`) is among the problem's
names. What they use of its imports (`sys.getsizeof`) the setup imports: tests use their own copies of modules.
"""

import ast
import textwrap
from collections.abc import Iterator
from typing import NamedTuple

from tasks.datasets.eval_plus import MATCHES
from tasks.datasets.fields import Note, Row, Unusable, assertions, id_of, python, texts, without_numpy
from tasks.records import Problem, Suite

HUB = {
    "mbpp": "google-research-datasets/mbpp:full@test",
    "mbppsanitized": "google-research-datasets/mbpp:sanitized@test",
    "mbppplus": "evalplus/mbppplus@test",
}
FOUND = """\
def _found(*given):
    got = candidate(*given)
    return got if type(got) is bool else got is not None
"""
LOOP = "_every_input"  # the name of a script's loop, which no program has
ORIGINAL, MOST_ORIGINAL = 3, 10  # tests that a row of MBPP has, and at most has where it is somebody's own
FIELDS = {"task_id": int | str, "code": str, "test_list": list}


def recognises(row: Row) -> bool:
    """Tell whether a row is of this dataset."""
    return {"code", "test_list"} <= row.keys()


def problem_of(row: Row, note: Note) -> Problem:
    """Return the problem of a row whose FIELDS are there; raises ValueError where their texts do not fit."""
    tests, extended = assertions(row, "test_list", note), assertions(row, "test_case_list", note)
    if not tests:
        raise ValueError("field 'test_list' holds no assertion")
    if row.get("entry_point") and not {"test", "test_case_list"} & row.keys():
        tests, extended = tests[:ORIGINAL] if len(tests) > MOST_ORIGINAL else tests, tests
    given = "\n".join([*texts(row, "test_imports"), str(row.get("test_setup_code") or "")]).strip()
    defined = _defined(python("code", row["code"]))
    entry_point = str(row.get("entry_point") or "") or _entry_point(tests, defined)
    script = _script(row, entry_point, note)
    sources = [python("test_list", test) for test in (*tests, *extended)]
    used = _used(python("test_setup_code", given), *sources, script.loop)
    imports = list(dict.fromkeys(defined.imports[name] for name in used if name in defined.imports))
    setup = "\n".join([*imports, given]).strip()
    number = id_of(row, "task_id").rpartition("/")[2]
    return Problem(
        id=f"MBPP/{number}",
        statement=_statement(row, given, tests[0]),
        entry_point=entry_point,
        samples=Suite(setup=setup, assertions=tests[:1]),
        hidden=Suite(setup=setup, assertions=tests),
        extended=_extended(setup, extended, script),
        names=tuple(name for name in used if name in defined.names and name != entry_point),
        reference=str(row["code"]),
    )


class _Script(NamedTuple):
    """Tests that are a script: its source, in which its last loop is a function, and that loop."""

    source: str = ""
    loop: list[ast.stmt] = []  # noqa: RUF012 - never changed


def _script(row: Row, entry_point: str, note: Note) -> _Script:
    test = row.get("test")
    if not (isinstance(test, str) and test.strip()):
        return _Script()
    try:
        *before, loop = python("test", test) or [ast.Pass()]
        if not isinstance(loop, ast.For):
            raise Unusable("it does not end in a loop over inputs")
        lines = without_numpy("\n".join(test.split("\n")[: loop.lineno - 1]), before)
    except Unusable as fault:
        note(f"left out: field 'test': {fault}")
        return _Script()
    body = textwrap.indent(ast.unparse(loop), "    ")
    own = f"    {entry_point} = _found\n" if entry_point in MATCHES else ""
    return _Script(f"{lines}\n\n\n{FOUND}\n\ndef {LOOP}():\n{own}{body}\n", [loop])


def _extended(setup: str, extended: tuple[str, ...], script: _Script) -> Suite:
    if script.source:
        return Suite(setup=f"{setup}\n{script.source}", assertions=(*extended, f"{LOOP}()"))
    return Suite(setup=setup, assertions=extended) if extended else Suite()


class _Defined(NamedTuple):
    """What a program binds at its top level: by def, class or assignment (True: a def), and by import statements."""

    names: dict[str, bool]
    imports: dict[str, str]


def _defined(program: list[ast.stmt]) -> _Defined:
    names: dict[str, bool] = {}
    imports: dict[str, str] = {}
    for part in program:
        if isinstance(part, ast.Import | ast.ImportFrom):
            for alias in part.names:
                name = (alias.asname or alias.name).partition(".")[0]
                imports[name] = ast.unparse(part)
                names.pop(name, None)
            continue
        if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            bound = {part.name: not isinstance(part, ast.ClassDef)}
        else:
            bound = dict.fromkeys(_stored(part), False)
        for name in bound:
            imports.pop(name, None)
        names |= bound
    return _Defined(names, imports)


def _stored(part: ast.AST) -> Iterator[str]:
    return (node.id for node in ast.walk(part) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store))


def _used(*sources: list[ast.stmt]) -> tuple[str, ...]:
    """Return the names that the tests use and do not bind themselves, in their order."""
    nodes = [node for source in sources for part in source for node in ast.walk(part)]
    bound = {node.arg for node in nodes if isinstance(node, ast.arg)}
    bound |= {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    used = [node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)]
    return tuple(dict.fromkeys(name for name in used if name not in bound))


def _entry_point(tests: tuple[str, ...], defined: _Defined) -> str:
    """Return what the assertions call: a function rather than a class, the outermost call of the first assertion."""
    called = [_called(test) for test in tests]
    common = [name for name in called[0] if name in defined.names and all(name in each for each in called[1:])]
    found = sorted(common, key=lambda name: not defined.names[name])
    if not found:
        raise ValueError("field 'test_list': the assertions call no function that field 'code' defines")
    return found[0]


def _called(test: str) -> list[str]:
    """Return the names that an assertion calls, outer calls before inner ones."""
    nodes = [node for part in python("test_list", test) for node in ast.walk(part)]
    return [node.func.id for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]


def _statement(row: Row, given: str, test: str) -> str:
    sentence = row.get("text") or row.get("prompt")
    if not isinstance(sentence, str):
        raise ValueError("field 'text' is missing, and so is 'prompt'")
    shown = "\n".join(each.replace("\r\n", "\n").strip() for each in (given, test) if each)
    return f"{sentence.strip()}\n\nThe program must pass this test:\n\n{shown}\n"

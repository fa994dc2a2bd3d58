"""HumanEval (Chen et al. 2021, arXiv 2107.03374): functions to write from a signature and a docstring.

One row, in the original's fields; `sample_io` (a list of assertions) is an addition of later work:

    {"task_id": "HumanEval/0", "prompt": "from typing import List\\n\\n\\ndef has_close_elements(…", "entry_point":
     "has_close_elements", "canonical_solution": "    for idx, …", "test": "def check(candidate):\\n    assert …",
     "sample_io": ["assert has_close_elements([1.0, 2.0, 3.0], 0.5) == False"]}

Without `sample_io` the samples are the docstring's own `>>>` examples.

HumanEval-ET (Dong et al. 2023, arXiv 2301.09043) adds `test_case_list`, assertions that name the entry point: the
extended suite. Its rows may lack `test`; then there is no hidden suite.

HumanEval+ on the hub (Liu et al. 2023, arXiv 2305.01210) has the fields of the original, with the larger tests in
`test`. That of HumanEval/32 raises for every program, since it unpacks the root that was found in place of the
coefficients; here the polynomial's value decides, as in the tools of EvalPlus.
"""

import ast
import doctest
import re

from tasks.datasets.fields import Missing, Note, Row, assertions, python, without_numpy
from tasks.python_source import syntax_tree
from tasks.records import Problem, Suite

FIELDS = {"task_id": str, "prompt": str, "entry_point": str}
HUB = {"humaneval": "openai/openai_humaneval@test", "humanevalplus": "evalplus/humanevalplus@test"}
CHECK = ("check(candidate)",)
UNPACKED_ROOT = re.compile(r"\b_poly\(\*candidate\(\*inp\), inp\) <= ([-.\de]+)")
VALUE_AT_ROOT = r"abs(_poly(*inp, candidate(*inp))) <= max(\1, abs(_poly(*inp, exp)))"


def recognises(row: Row) -> bool:
    """Tell whether a row is of this dataset."""
    others = {"test_list", "base_input", "plus_input"}
    return bool({"canonical_solution", "test_case_list"} & row.keys()) and not others & row.keys()


def problem_of(row: Row, note: Note) -> Problem:
    """Return the problem of a row whose FIELDS are there; raises ValueError where their texts do not fit."""
    prompt, entry_point = str(row["prompt"]), str(row["entry_point"])
    context = context_of(prompt, entry_point)
    samples = assertions(row, "sample_io", note)
    if row.get("sample_io") is None:
        samples = examples_of(prompt, entry_point)
    extended = assertions(row, "test_case_list", note)
    test = row.get("test")
    if not (isinstance(test, str) and test.strip()) and not extended:
        fault = Missing if not {"test", "test_case_list"} & row.keys() else ValueError
        raise fault("field 'test' is missing or empty, and there is no 'test_case_list' either")
    solution = row.get("canonical_solution")
    return Problem(
        id=str(row["task_id"]),
        statement=prompt,
        entry_point=entry_point,
        context=context,
        samples=Suite(assertions=samples),
        hidden=Suite(setup=_checked(test), assertions=CHECK) if isinstance(test, str) and test.strip() else Suite(),
        extended=Suite(assertions=extended),
        reference=prompt + solution if isinstance(solution, str) and solution.strip() else None,
    )


def context_of(prompt: str, entry_point: str) -> str:
    """Return what a prompt gives before its entry point; raises ValueError where it does not define that."""
    signature = re.search(rf"^(async\s+)?def\s+{re.escape(entry_point)}\b", prompt, re.MULTILINE)
    if signature is None:
        raise ValueError(f"field 'prompt' does not define the entry point {entry_point!r}")
    return prompt[: signature.start()]


def _checked(test: str) -> str:
    parts = python("test", test)
    if not any(isinstance(part, ast.FunctionDef) and part.name == "check" for part in parts):
        raise ValueError("field 'test' does not define check(candidate)")
    return UNPACKED_ROOT.sub(VALUE_AT_ROOT, without_numpy(test, parts))


def examples_of(prompt: str, entry_point: str) -> tuple[str, ...]:
    """Turn the examples of the entry point's docstring into assertions, those whose result is a literal."""
    samples = []
    try:
        examples = doctest.DocTestParser().get_examples(_docstring(prompt, entry_point))
    except ValueError:  # lines that doctest cannot read
        return ()
    for example in examples:
        try:
            source = syntax_tree(example.source.strip(), "eval").body
            ast.literal_eval(example.want.strip())
        except (SyntaxError, ValueError):
            continue
        if entry_point not in (part.id for part in ast.walk(source) if isinstance(part, ast.Name)):
            continue
        said = ast.unparse(source)  # without a comment, which would swallow what follows it
        samples.append(f"assert {said if isinstance(source, ast.Call) else f'({said})'} == {example.want.strip()}")
    return tuple(samples)


def _docstring(prompt: str, entry_point: str) -> str:
    try:
        parts = syntax_tree(prompt).body
    except SyntaxError:
        return ""
    named = [part for part in parts if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef)]
    return next((ast.get_docstring(part) or "" for part in named if part.name == entry_point), "")

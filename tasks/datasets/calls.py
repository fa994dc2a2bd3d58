"""Tests that call a function with given arguments, as APPS has them: made into assertions.

A result is right if it equals one of the accepted values; tuples count as lists, at every depth, for JSON knows no
tuples. An object whose keys are all whole numbers has them as such, which JSON cannot say either.
"""

import ast
import contextlib
import math
import textwrap
from collections.abc import Iterable
from typing import NamedTuple

from tasks.datasets.fields import Note
from tasks.python_source import syntax_tree
from tasks.records import Suite

DEEPEST = 50  # lists within lists: Python's parser gives up at 100

# What APPS's own tools give every program; without it the annotations of many starter codes are undefined names.
CONTEXT = """\
import bisect, collections, fractions, functools, heapq, itertools, math, random, re, string, sys, time
from collections import ChainMap, Counter, OrderedDict, defaultdict, deque
from functools import lru_cache, reduce
from heapq import heapify, heappop, heappush, heappushpop, heapreplace, merge, nlargest, nsmallest
from itertools import accumulate, combinations, permutations, product
from math import ceil, cos, exp, fabs, floor, gcd, log, log2, sin, sqrt
from typing import Any, Dict, List, Optional, Set, Tuple
"""

LISTED = """\
def listed(value):
    if isinstance(value, (list, tuple)):
        return [listed(each) for each in value]
    if isinstance(value, dict):
        return {key: listed(each) for key, each in value.items()}
    return value
"""


class Starter(NamedTuple):
    """What a program must define: a function, or a class `owner` with a method.

    `parameters` counts the positional ones without a method's own object, `required` those without a default.
    """

    owner: str
    name: str
    parameters: int = 0
    required: int = 0

    @property
    def entry_point(self) -> str:
        return self.owner or self.name


class Call(NamedTuple):
    """One test: where the row has it, the arguments, and the values of which the result must equal one.

    All of them are JSON values.
    """

    where: str
    arguments: tuple[object, ...]
    accepted: tuple[object, ...]


def starter_of(code: str) -> Starter | None:
    """Return what a starter code begins: its last function, or the first method of its class; None without either."""
    code = textwrap.dedent(code.expandtabs(4)).strip()
    try:
        parts = syntax_tree(code + " pass" if code.endswith(":") else code).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    for part in reversed(parts):
        if isinstance(part, ast.FunctionDef):
            return _starter("", part, 0)
        methods = [each for each in getattr(part, "body", ()) if isinstance(each, ast.FunctionDef)]
        public = [each for each in methods if not each.name.startswith("__")]
        if isinstance(part, ast.ClassDef) and public:
            return _starter(part.name, public[0], 1)
    return None


def owner_of(code: str) -> str:
    """Return the class whose method is called, where a starter code has one."""
    starter = starter_of(code)
    return starter.owner if starter else "Solution" if "class Solution" in code else ""


def _starter(owner: str, function: ast.FunctionDef, own: int) -> Starter:
    positional = len(function.args.posonlyargs) + len(function.args.args) - own
    return Starter(owner, function.name, positional, positional - len(function.args.defaults))


def suite_of(starter: Starter, calls: Iterable[Call], note: Note) -> Suite:
    """Return the calls as assertions; one with a value that Python has no literal for is left out."""
    kept = []
    for call in calls:
        try:
            kept.append(_assertion(starter, call))
        except ValueError as fault:
            note(f"{call.where} left out: {fault}")
    return Suite(setup=LISTED if any("listed(" in each for each in kept) else "", assertions=tuple(kept))


def statement_of(description: str, starter_code: str, function: str = "") -> str:
    """Return a problem's text with its starter code, or with the function's name where there is no starter code."""
    text = description.strip() + "\n"
    if starter_code.strip():
        return f"{text}\nThe program goes on from this:\n\n```python\n{starter_code.strip()}\n```\n"
    return f"{text}\nThe program must define the function `{function}`.\n" if function else text


def text_of(value: object) -> str:
    """Return what a program reads or prints for a JSON value: a text as it is, a list line by line."""
    return "\n".join(text_of(each) for each in value) if isinstance(value, list) else str(value)


def _assertion(starter: Starter, call: Call) -> str:
    arguments = ", ".join(_literal(each) for each in call.arguments)
    got = f"{starter.owner}().{starter.name}({arguments})" if starter.owner else f"{starter.name}({arguments})"
    expected = [_literal(each) for each in call.accepted]
    if any(isinstance(each, list | dict) for each in call.accepted):
        got = f"listed({got})"
    if len(expected) == 1:
        return f"assert {got} == {expected[0]}"
    return f"assert {got} in ({', '.join(expected)})"


def _literal(value: object) -> str:
    _check(value, 0)
    if isinstance(value, dict):
        with contextlib.suppress(ValueError):
            value = {int(key): each for key, each in value.items()}
    return repr(value)


def _check(value: object, depth: int) -> None:
    """Raise ValueError where repr gives no literal."""
    if depth > DEEPEST:
        raise ValueError("a value is nested too deeply")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{value} has no literal")
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _check(each, depth + 1)

"""Python source as a syntax tree."""

import ast
from typing import Literal, overload

TRIES = 5


@overload
def syntax_tree(source: str) -> ast.Module: ...
@overload
def syntax_tree(source: str, mode: Literal["eval"]) -> ast.Expression: ...
def syntax_tree(source: str, mode: str = "exec") -> ast.AST:
    """Parse source; raises SyntaxError, ValueError, RecursionError or MemoryError where it is none.

    Before 3.11.8 the parser keeps its depth in a place that threads share, and fails now and then with a SystemError
    when two parse at once (CPython issue 106905); the next try is good.
    """
    for left in range(TRIES - 1, -1, -1):
        try:
            tree: ast.AST = ast.parse(source, mode=mode)
        except SystemError:
            if not left:
                raise
        else:
            return tree
    raise AssertionError("the last try returns or raises")

"""A strategy's own parameters: the keyword-only parameters of its `solve`, read from texts and checked."""

import inspect
from collections.abc import Mapping
from types import ModuleType
from typing import Any, get_type_hints

from pydantic import TypeAdapter, ValidationError

from blocks.errors import UsageError

Value = bool | int | float | str


def parameters_of(strategy: ModuleType) -> dict[str, Value]:
    """Return the names of a strategy's parameters with their usual values."""
    parameters = inspect.signature(strategy.solve).parameters.values()
    return {each.name: each.default for each in parameters if each.kind is inspect.Parameter.KEYWORD_ONLY}


def chosen_parameters(strategy: ModuleType, given: Mapping[str, object]) -> dict[str, Value]:
    """Return the parameters that are given and are not the usual ones; raises UsageError for one that is wrong."""
    usual, kinds = parameters_of(strategy), get_type_hints(strategy.solve, include_extras=True)
    chosen: dict[str, Value] = {}
    for name, said in sorted((name.replace("-", "_"), said) for name, said in given.items()):
        if name not in usual:
            own = strategy.__name__.rpartition(".")[2]
            known = f"its parameters are {', '.join(usual)}" if usual else "it has none"
            raise UsageError(f"--param.{name}: strategy {own} has no such parameter; {known}")
        chosen[name] = _read(name, said, kinds[name])
    return {name: value for name, value in chosen.items() if value != usual[name]}


def _read(name: str, said: object, kind: Any) -> Value:
    try:
        value: Value = TypeAdapter(kind).validate_python(said)
    except ValidationError as problem:
        first = problem.errors(include_url=False)[0]
        raise UsageError(f"--param.{name} {said!r}: {first['msg']}") from None
    return value

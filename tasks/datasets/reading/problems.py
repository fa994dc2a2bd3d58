"""A dataset's problems, each made from its row when it is asked for."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from types import ModuleType
from typing import NamedTuple, overload

from tasks.datasets.fields import Row, Unusable
from tasks.datasets.reading.rows import DatasetError
from tasks.records import Problem


class Listed(NamedTuple):
    """What stays in memory of a problem: all but its tests. `hidden` and `extended` say how many of these there are.

    `make` makes the problem; raises DatasetError where its row cannot be read any more.
    """

    id: str
    entry_point: str
    statement: str
    hidden: int
    extended: int
    make: Callable[[], Problem]


class Problems(Sequence[Problem]):
    """Problems in the order of their rows. To have one is to read its row; the rest is in `listed`."""

    def __init__(self, listed: Iterable[Listed]) -> None:
        self.listed = tuple(listed)

    @classmethod
    def of(cls, problems: Sequence[Problem]) -> "Problems":
        """Return problems as they are, or those that are made already as Problems."""
        if isinstance(problems, Problems):
            return problems
        return cls(listed(problem, partial(_same, problem)) for problem in problems)

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(each.id for each in self.listed)

    @cached_property
    def by_id(self) -> Mapping[str, Problem]:
        """The problems by their ids, made when they are asked for as well."""
        return _ById({each.id: each for each in self.listed})

    def only(self, ids: Iterable[str]) -> "Problems":
        """Return the problems of these ids, in this order."""
        by_id = {each.id: each for each in self.listed}
        return Problems(by_id[name] for name in ids)

    @overload
    def __getitem__(self, at: int) -> Problem: ...
    @overload
    def __getitem__(self, at: slice) -> "Problems": ...
    def __getitem__(self, at: int | slice) -> "Problem | Problems":
        return Problems(self.listed[at]) if isinstance(at, slice) else self.listed[at].make()

    def __len__(self) -> int:
        return len(self.listed)


class _ById(Mapping[str, Problem]):
    def __init__(self, listed: dict[str, Listed]) -> None:
        self._listed = listed

    def __getitem__(self, name: str) -> Problem:
        return self._listed[name].make()

    def __contains__(self, name: object) -> bool:
        return name in self._listed

    def __iter__(self) -> Iterator[str]:
        return iter(self._listed)

    def __len__(self) -> int:
        return len(self._listed)


def listed(problem: Problem, make: Callable[[], Problem]) -> Listed:
    """Return what stays of a problem that `make` makes again."""
    return Listed(
        problem.id, problem.entry_point, problem.statement, problem.hidden.size, problem.extended.size, make
    )


def made_again(path: Path, where: str, again: Callable[[], Row], loader: ModuleType, name: str) -> Problem:
    """Return the problem of a row that was read before; raises DatasetError where it is another by now."""
    try:
        problem: Problem = loader.problem_of(again(), _told_before)
    except (OSError, ValueError, LookupError, TypeError, Unusable) as fault:
        raise DatasetError(f"{path}, {where}: {name} has changed since the run began ({fault})") from None
    if problem.id != name:
        raise DatasetError(f"{path}, {where}: {name} has changed since the run began: {problem.id} is there now")
    return problem


def _same(problem: Problem) -> Problem:
    return problem


def _told_before(note: str) -> None:
    """What is left out of a row was told when it was first read."""

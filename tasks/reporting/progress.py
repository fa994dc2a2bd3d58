"""Progress: a live bar on a terminal, elsewhere one line per finished item."""

import time
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Self

from rich.console import Console, RenderableType
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text


class Bar:
    """Tells how far a run is; a context manager, so that the terminal is left as it was.

    `status` is asked for more words whenever the live bar is drawn.
    """

    def __init__(
        self,
        what: str,
        total: int,
        done: int,
        *,
        console: Console,
        quiet: bool = False,
        status: Callable[[], str] | None = None,
    ) -> None:
        self.console = console
        self.quiet = quiet
        self.total = total
        self.done = done
        self.counts: dict[str, int] = {}
        self.started = time.monotonic()
        self._live = (
            _Live(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[said]}"),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
                console=console,
                status=status,
            )
            if console.is_terminal and not quiet
            else None
        )
        self._task = self._live.add_task(what, total=total, completed=done, said="") if self._live else None

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def item(self, name: str, outcome: str, said: str = "", *, line: str = "") -> None:
        """Tell that one item has ended; `line` takes the place of outcome and what is said where it is one by one."""
        self.done += 1
        self.counts[outcome] = self.counts.get(outcome, 0) + 1
        if self.quiet:
            return
        if self._live and self._task is not None:
            counts = ", ".join(f"{number} {what}" for what, number in sorted(self.counts.items()))
            self._live.update(self._task, completed=self.done, said=counts)
            return
        line = line or f"{outcome}{f' ({said})' if said else ''}"
        self.console.print(
            f"[{self.done}/{self.total}] {name}: {line}", markup=False, highlight=False, soft_wrap=True
        )


class _Live(Progress):
    """A progress bar with a line below it: how many are left, and whatever else there is to tell at the moment."""

    def __init__(self, *columns: ProgressColumn, console: Console, status: Callable[[], str] | None) -> None:
        self._status = status
        super().__init__(*columns, console=console)

    def get_renderables(self) -> Iterable[RenderableType]:
        yield from super().get_renderables()
        if self._status is not None:
            left = sum(int((task.total or 0) - task.completed) for task in self.tasks)
            said = ", ".join(filter(None, [f"{left} left", self._status()]))
            yield Text(f"  {said}", no_wrap=True, overflow="ellipsis")

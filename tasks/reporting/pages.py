"""Pages of tables that any renderer can read, and the one place where values become text."""

from datetime import UTC, datetime
from math import ceil
from typing import Literal, NamedTuple

Kind = Literal["text", "figure", "count", "usd", "seconds", "percent", "time", "bar"]
Cell = str | int | float | datetime | None

BAR = 20  # characters of a full bar


class Column(NamedTuple):
    """A column and how its values read; a `wide` one may be left out where there is little room."""

    name: str
    kind: Kind = "text"
    wide: bool = False

    @property
    def right(self) -> bool:
        """Whether it is set to the right, as numbers are."""
        return self.kind not in ("text", "time", "bar")


class Table(NamedTuple):
    """A table; None in a row is unknown. Columns without names are a list of facts, which needs no head."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""


class Page(NamedTuple):
    """A page of a report. The marks say what a reader must know before any number."""

    title: str
    marks: tuple[str, ...]
    tables: tuple[Table, ...]


def shown(value: Cell, kind: Kind) -> str:
    """How a value reads, the same in every renderer; on one line, without control characters."""
    if value is None:
        return "unknown"
    if isinstance(value, datetime):
        utc = value.astimezone(UTC) if value.tzinfo else value
        return f"{utc:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, str):
        return " ".join("".join(char if char.isprintable() else " " for char in value).split())
    match kind:
        case "usd":
            return f"{value:.4f}" if value == 0 or value >= 0.001 else f"{value:.2g}"
        case "seconds":
            return f"{value:.3f}" if value < 1 else f"{value:.2f}" if value < 100 else f"{value:,.1f}"
        case "percent":
            return f"{value:.1f}"
        case "bar":
            return "█" * (ceil(value * BAR) if value else 0)
        case _:
            return f"{value:,}"

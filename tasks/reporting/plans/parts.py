"""What the reports of plans are made of: facts, tables of tokens and cost, blocks of text, files."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from blocks.records import CallRow, Record
from tasks.plans.metrics import Use
from tasks.reporting.pages import Cell, Column, Kind, Table, shown
from tasks.reporting.tables import Replies


def recorded_mark(calls: Iterable[CallRow]) -> str:
    """Return what is to be said of recorded replies before anything else; nothing where a model gave each one."""
    said = [call.recorded for call in calls]
    return Replies(len(said), sum(said)).mark


def facts_table(title: str, facts: list[tuple[str, Cell, Kind, str]], note: str = "") -> Table:
    """Return facts as a table: a name, a value and how it reads, and a unit that an unknown value goes without."""
    rows = tuple((name, shown(value, kind) + ("" if value is None else unit)) for name, value, kind, unit in facts)
    return Table(title, (Column(""), Column("")), rows, note)


def use_table(roles: Mapping[str, Use], total: Use) -> Table:
    """Return what each role took: calls, tokens, cost, and the time to the first token."""
    columns = (
        Column("role"),
        Column("model"),
        Column("calls", "count"),
        Column("prompt tokens", "count"),
        Column("completion tokens", "count"),
        Column("cost (USD)", "usd"),
        Column("TTFT mean", "seconds"),
        Column("TTFT min", "seconds"),
        Column("TTFT max", "seconds"),
    )
    lines = [*roles.items(), ("all", total)]
    rows = tuple((role, " + ".join(use.models), *_use_cells(use)) for role, use in lines)
    silent = total.calls - (total.ttft.calls if total.ttft else 0)
    note = "In seconds; TTFT is the time to the first token." + (
        f" It is not known of {silent:,} calls." if silent else ""
    )
    return Table("Tokens and cost", columns, rows, note)


def _use_cells(use: Use) -> tuple[Cell, ...]:
    times = (use.ttft.mean, use.ttft.min, use.ttft.max) if use.ttft else (None, None, None)
    return (use.calls, use.prompt_tokens, use.completion_tokens, use.cost_usd, *times)


def fenced(text: str, kind: str = "text") -> str:
    """Return text as a block that shows it as it is, whatever it holds."""
    longest = max((len(run) for run in re.findall("`{3,}", text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{kind}\n{text.rstrip()}\n{fence}"


def cut(text: str, longest: int) -> str:
    """Return text on one line, cut where it is long."""
    line = shown(text, "text")
    return line if len(line) <= longest else line[: longest - 1] + "…"


def rounded(value: float | None, digits: int) -> float | None:
    """Return a number with so many digits behind the point."""
    return None if value is None else round(value, digits)


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.write_text(text, encoding="utf-8", errors="replace")
    part.replace(path)


def record_json(record: Record) -> str:
    """Return a record as the text of a JSON file."""
    return record.model_dump_json(indent=2) + "\n"

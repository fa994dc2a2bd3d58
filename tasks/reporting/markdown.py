"""Report pages as Markdown: for a file beside the runs, and for the artifact in the Prefect UI."""

import re
from pathlib import Path

from tasks.reporting.pages import Page, Table, shown


def page_markdown(page: Page) -> str:
    """The whole page; a blank line between its parts."""
    marks = [f"> **{escaped(mark[0].upper() + mark[1:])}.**" for mark in page.marks]
    parts = [f"# {escaped(page.title)}", "\n>\n".join(marks), *(table_markdown(table) for table in page.tables)]
    return "\n\n".join(part for part in parts if part) + "\n"


def table_markdown(table: Table) -> str:
    """A table under its title; facts have an empty head, as Markdown knows no table without one."""
    head = [escaped(column.name) for column in table.columns]
    rule = ["---:" if column.right else "---" for column in table.columns]
    rows = [
        [escaped(shown(value, column.kind)) for column, value in zip(table.columns, row, strict=True)]
        for row in table.rows
    ]
    lines = [f"| {' | '.join(cells)} |" for cells in (head, rule, *rows)]
    parts = [f"## {escaped(table.title)}", "\n".join(lines), escaped(table.note)]
    return "\n\n".join(part for part in parts if part)


def escaped(text: str) -> str:
    """Text that Markdown shows as it is: no pipe ends a cell, no name turns bold or into HTML."""
    text = re.sub(r"[\\`*\[\]|~]", r"\\\g<0>", text.replace("&", "&amp;").replace("<", "&lt;"))
    return re.sub(r"(?<![^\W_])_|_(?![^\W_])", r"\\_", text)  # an underscore inside a word is safe


def write_page(page: Page, path: Path) -> str:
    """Write the page whole or not at all; return its text."""
    text = page_markdown(page)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8", errors="replace")
    part.replace(path)
    return text

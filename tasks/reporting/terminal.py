"""Report pages on a terminal, of whatever width it is."""

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from tasks.reporting.pages import Column, Page, Table, shown

ROOM = 130  # columns of a terminal that shows a table's wide columns too
NARROWEST = 10  # to which a column of text is folded


def print_page(page: Page, console: Console) -> None:
    """Print a page; names fold where a column is narrow, and nothing is cut."""
    console.print(Text(page.title, style="bold"))
    for mark in page.marks:
        console.print(Text(mark, style="bold yellow"))
    for table in page.tables:
        console.print()
        console.print(Text(table.title, style="bold"))
        console.print(_grid(table, console.width))
        if table.note:
            console.print(Text(table.note, style="dim"))
        if console.width < ROOM and (more := sum(column.wide for column in table.columns)):
            console.print(
                Text(f"{more} more columns are in the file below, or in a terminal of {ROOM}.", style="dim")
            )


def _grid(table: Table, width: int) -> Grid:
    """A table for a terminal: without its wide columns where there is no room, as facts where even that is tight."""
    kept = [n for n, column in enumerate(table.columns) if width >= ROOM or not column.wide]
    columns = [table.columns[n] for n in kept]
    rows = [[shown(row[n], table.columns[n].kind) for n in kept] for row in table.rows]
    cells = [[*column.name.split(), *(row[n] for row in rows)] for n, column in enumerate(columns)]
    least = [max((len(cell) for cell in each), default=0) for each in cells]
    least = [
        min(size, NARROWEST) if column.kind == "text" else size for size, column in zip(least, columns, strict=True)
    ]
    if sum(least) + 2 * len(least) > width and len(columns) > 2:
        names = [column.name for column in columns]
        facts = [fact for row in rows for fact in (("", ""), *zip(names, row, strict=True))]
        columns, rows, least = [Column(""), Column("")], [list(fact) for fact in facts[1:]], [NARROWEST, NARROWEST]
    named = any(column.name for column in columns)
    grid = Grid(box=SIMPLE_HEAD, show_header=named, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for column, size in zip(columns, least, strict=True):
        grid.add_column(
            "\n".join(column.name.split()) if column.right else column.name,
            justify="right" if column.right else "left",
            overflow="fold",
            no_wrap=column.kind != "text",
            min_width=size,
            vertical="top",
        )
    for row in rows:
        grid.add_row(*(Text(value) for value in row))
    return grid

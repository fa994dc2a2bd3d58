"""Simple drawings as SVG: boxes, lines, text that is cut to its room. Well-formed whatever the texts hold."""

import re
from collections.abc import Iterable
from xml.etree import ElementTree

from rich.cells import cell_len, chop_cells

Element = ElementTree.Element

INK, FAINT, PAPER = "#1f2328", "#d0d7de", "#ffffff"
SMALL_TEXT = 12  # points
CELL = 6.5  # points of a Latin letter of that size, on the broad side; a Chinese one takes two

UNFIT = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # what XML may not hold


def drawing(width: float, height: float, title: str) -> Element:
    """Return an empty sheet of white paper; sizes are in points."""
    size = {"width": f"{width:g}", "height": f"{height:g}", "viewBox": f"0 0 {width:g} {height:g}"}
    fonts = "system-ui, -apple-system, 'Segoe UI', 'Noto Sans', 'Noto Sans CJK SC', sans-serif"
    about = {"xmlns": "http://www.w3.org/2000/svg", "role": "img", "font-family": fonts}
    root = ElementTree.Element("svg", {**about, "font-size": str(SMALL_TEXT), "fill": INK, **size})
    named(root, title)
    box(root, 0, 0, width, height, fill=PAPER)
    return root


def named(parent: Element, title: str) -> None:
    """Give a name to a thing, which shows where the mouse rests on it."""
    ElementTree.SubElement(parent, "title").text = fit(title)


def box(
    parent: Element, x: float, y: float, width: float, height: float,
    *, fill: str, stroke: str = "none", thick: float = 1, dashed: bool = False, round: float = 0,
) -> Element:  # fmt: skip
    """Add a rectangle."""
    numbers = {"x": x, "y": y, "width": max(0.0, width), "height": height, "rx": round, "stroke-width": thick}
    attributes = {
        name: f"{value:.2f}".rstrip("0").rstrip(".") for name, value in numbers.items() if value or name in "xy"
    }
    if dashed:
        attributes["stroke-dasharray"] = "4 3"
    return ElementTree.SubElement(parent, "rect", {**attributes, "fill": fill, "stroke": stroke})


def line(parent: Element, points: str, *, stroke: str = INK, thick: float = 1, arrow: bool = False) -> Element:
    """Add a line along a path (`M 0 0 L 10 0`)."""
    attributes = {"d": points, "fill": "none", "stroke": stroke, "stroke-width": f"{thick:g}"}
    if arrow:
        attributes["marker-end"] = "url(#arrow)"
    return ElementTree.SubElement(parent, "path", attributes)


def arrowhead(root: Element) -> None:
    """Define the arrow of lines; it takes the colour of its line."""
    head = {"id": "arrow", "viewBox": "0 0 10 10", "refX": "9", "refY": "5", "orient": "auto-start-reverse"}
    size = {"markerWidth": "9", "markerHeight": "9", "markerUnits": "userSpaceOnUse"}
    marker = ElementTree.SubElement(ElementTree.SubElement(root, "defs"), "marker", {**head, **size})
    ElementTree.SubElement(marker, "path", {"d": "M 0 0 L 10 5 L 0 10 z", "fill": "context-stroke"})


def text(
    parent: Element, x: float, y: float, words: str, *, room: float | None = None, bold: bool = False,
    anchor: str = "start", fill: str = INK,
) -> Element:  # fmt: skip
    """Add a line of text whose foot is at `y`; where there is a `room` it is cut to that."""
    words = wrapped(words, room * (0.9 if bold else 1), 1)[0] if room is not None else one_line(words)
    attributes = {"x": f"{x:g}", "y": f"{y:g}", "text-anchor": anchor, "fill": fill}
    if bold:
        attributes["font-weight"] = "600"
    added = ElementTree.SubElement(parent, "text", attributes)
    added.text = words
    return added


def wrapped(words: str, room: float, lines: int) -> list[str]:
    """Return text as at most so many lines that fit into a room; the last one ends in … where text is left over."""
    cells = max(2, int(room / CELL))
    done, current = list[str](), ""
    for word in _words(one_line(words), cells):
        joined = f"{current} {word}" if current and not word.startswith("\0") else current + word.lstrip("\0")
        if current and cell_len(joined) > cells:
            done.append(current)
            joined = word.lstrip("\0")
        current = joined
    done.append(current)
    if len(done) > lines:
        last = chop_cells(f"{done[lines - 1]} {done[lines]}", cells - 1)[0]
        return [*done[: lines - 1], last.rstrip() + "…"]
    return done


def _words(words: str, cells: int) -> Iterable[str]:
    """Yield the words; one that is too long for a line in pieces, those after the first with a NUL before them."""
    for word in words.split(" "):
        first, *others = chop_cells(word, cells) or [""]
        yield first
        yield from (f"\0{each}" for each in others)


def one_line(words: str) -> str:
    """Return text on one line, without what cannot be shown."""
    return " ".join("".join(char if char.isprintable() else " " for char in fit(words)).split())


def fit(words: str) -> str:
    """Return text without what XML cannot hold."""
    return UNFIT.sub("�", words)


def written(root: Element) -> str:
    """Return the drawing as the text of a file."""
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode") + "\n"

"""The pictures of a plan as SVG: the graph of its steps, and when they should have run beside when they did."""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from blocks.records import StepRow
from tasks.plans.answered import Answered
from tasks.plans.layout import Place, layout
from tasks.plans.theory import Timeline
from tasks.reporting import svg
from tasks.reporting.pages import shown

FILLS: Mapping[str, str] = {"small": "#8ecbf0", "large": "#f6b24d", "other": "#c4c9cf", "refused": "#f1f2f4"}
FAILED = "#b3261e"
GREY, DIM = "#6e7781", "#424a53"

BOX_WIDTH, BOX_HEIGHT = 196.0, 68.0
PITCH_X, PITCH_Y = BOX_WIDTH + 24, BOX_HEIGHT + 46
MARGIN, LEGEND = 16.0, 34.0

GANTT_WIDTH, GUTTER, AFTER = 1040.0, 340.0, 130.0  # AFTER: room behind the longest bar, for its seconds
ROW, BAR, HEAD, AXIS = 22.0, 14.0, 32.0, 26.0
TICKS = 8


class Bar(NamedTuple):
    """What took its time, from `start` to `end` in seconds since the question. `fill` is one of FILLS."""

    label: str
    fill: str
    start: float
    end: float
    critical: bool = False
    note: str = ""


class Panel(NamedTuple):
    """One Gantt."""

    title: str
    bars: Sequence[Bar]


def graph_svg(one: Answered) -> str:
    """Draw the graph of the steps, who did them, and the longest path; edges that others imply are left out."""
    placed = layout(one.plan)
    critical = set(one.answer.critical_path)
    width = max(placed.width * PITCH_X, 560.0) + 2 * MARGIN
    left = (width - placed.width * PITCH_X) / 2
    height = placed.rows * PITCH_Y - (PITCH_Y - BOX_HEIGHT) + 2 * MARGIN + LEGEND
    root = svg.drawing(width, height, f"The steps of question {one.answer.problem_id}")
    svg.arrowhead(root)
    on_path = set(pairwise(one.answer.critical_path))
    for edge, places in sorted(placed.edges.items(), key=lambda item: item[0] in on_path):  # drawn last: on top
        along = edge in on_path
        svg.line(
            root, _curve(places, left), stroke=svg.INK if along else GREY, thick=2.4 if along else 1.2, arrow=True
        )
    for step in one.steps:
        _draw_step(root, step, _middle(placed.steps[step.step], left), step.step in critical)
    _legend(root, MARGIN, height - MARGIN, _kinds(one.steps))
    return svg.written(root)


class _Point(NamedTuple):
    x: float
    y: float


def _middle(place: Place, left: float) -> _Point:
    return _Point(left + place.x * PITCH_X, MARGIN + place.row * PITCH_Y + BOX_HEIGHT / 2)


def _curve(places: Sequence[Place], left: float) -> str:
    """An edge from the foot of a box to the head of another, straight where it passes the boxes between."""
    points = [_middle(place, left) for place in places]
    parts = [f"M {points[0].x:.1f} {points[0].y + BOX_HEIGHT / 2:.1f}"]
    start = points[0]
    for point in points[1:]:
        foot, head = start.y + BOX_HEIGHT / 2, point.y - BOX_HEIGHT / 2
        half = (foot + head) / 2
        parts.append(f"C {start.x:.1f} {half:.1f} {point.x:.1f} {half:.1f} {point.x:.1f} {head:.1f}")
        if point is not points[-1]:
            parts.append(f"L {point.x:.1f} {point.y + BOX_HEIGHT / 2:.1f}")
        start = point
    return " ".join(parts)


def _draw_step(root: svg.Element, step: StepRow, at: _Point, critical: bool) -> None:
    x, y = at.x - BOX_WIDTH / 2, at.y - BOX_HEIGHT / 2
    failed = step.result is None
    stroke = FAILED if failed else svg.INK if critical else GREY
    drawn = svg.box(
        root, x, y, BOX_WIDTH, BOX_HEIGHT, fill=FILLS[step.size], stroke=stroke, thick=2.6 if critical else 1,
        dashed=failed, round=6,
    )  # fmt: skip
    svg.named(drawn, f"{step.step} · {step.task}")
    said = "failed" if failed else "escalated" if step.escalated else step.size
    svg.text(root, x + 10, y + 19, f"{step.step} · {said}", bold=True)
    svg.text(root, x + BOX_WIDTH - 10, y + 19, f"difficulty {step.difficulty}", anchor="end", fill=DIM)
    for number, words in enumerate(svg.wrapped(step.task, BOX_WIDTH - 20, 2)):
        svg.text(root, x + 10, y + 38 + 16 * number, words)


def gantt_svg(one: Answered, theory: Timeline | None) -> str:
    """Draw the Gantt of theory, if there is one, and that of what happened below it, on one scale of time."""
    panels = ([_expected(one, theory)] if theory else []) + [_happened(one)]
    last = max((bar.end for panel in panels for bar in panel.bars), default=0.0) or 1.0
    height = MARGIN * 2 + LEGEND + sum(HEAD + ROW * len(panel.bars) + AXIS for panel in panels)
    root = svg.drawing(GANTT_WIDTH, height, f"The time of question {one.answer.problem_id}")
    top = MARGIN
    for panel in panels:
        top = _draw_panel(root, panel, top, last)
    kinds = _kinds([*one.steps, *one.discarded])
    others = any(bar.fill == "other" for panel in panels for bar in panel.bars)
    _legend(root, MARGIN, height - MARGIN, [*kinds, *(["other"] if others else [])])
    return svg.written(root)


def _expected(one: Answered, theory: Timeline) -> Panel:
    rows = {row.step: row for row in one.steps}
    critical = set(one.answer.critical_path)
    bars = [
        Bar(_label(rows[each.id]), rows[each.id].size, each.start, each.end, each.id in critical)
        for each in theory.steps
        if each.id in rows
    ]
    workers = "" if theory.workers is None else f", {theory.workers} workers"
    title = (
        f"In theory: {_seconds(theory.total)}; one after the other {_seconds(theory.sequential)}, "
        f"speed-up {theory.speed_up:.2f}{workers}"
    )
    return Panel(title, [Bar("planning", "other", 0.0, theory.planning), *bars])


def _happened(one: Answered) -> Panel:
    """What took place when; where an earlier execution had begun the question, that is not known."""
    answer, steps = one.answer, [*one.discarded, *one.steps]
    if answer.wall_seconds is None or any(step.started_seconds is None for step in steps):
        return Panel("What happened: begun by an earlier execution, so that it is not known when steps started", [])
    bars = [*_step_bars(one.discarded, (), "refused"), *_step_bars(one.steps, answer.critical_path, None)]
    first = [] if answer.planning_seconds is None else [Bar("planning", "other", 0.0, answer.planning_seconds)]
    ends = max((bar.end for bar in [*first, *bars]), default=0.0)
    name = "aggregation" if answer.fallback is None else "the large model alone"
    busy = sum(step.seconds for step in one.steps)
    title = f"What happened: {_seconds(answer.wall_seconds)}; " + (
        f"the steps one after the other {_seconds(busy)}, speed-up {busy / (answer.wall_seconds or math.inf):.2f}"
        if one.planned
        else "no plan could be carried out"
    )
    return Panel(title, [*first, *bars, Bar(name, "other", min(ends, answer.wall_seconds), answer.wall_seconds)])


def _step_bars(steps: Sequence[StepRow], critical: Collection[int], fill: str | None) -> Iterator[Bar]:
    for step in steps:
        start = max(0.0, step.started_seconds or 0.0)
        note = "failed" if step.result is None else "escalated" if step.escalated else ""
        note = "refused plan" if fill == "refused" else note
        yield Bar(_label(step), fill or step.size, start, start + step.seconds, step.step in critical, note)


def _draw_panel(root: svg.Element, panel: Panel, top: float, last: float) -> float:
    """Draw a Gantt from `top` on; return where it ends."""
    scale = (GANTT_WIDTH - GUTTER - AFTER - MARGIN) / last
    svg.text(root, MARGIN, top + 18, panel.title, bold=True)
    first = top + HEAD
    foot = first + ROW * len(panel.bars)
    if panel.bars:
        step = _tick(last)
        for number in range(int(last / step + 1e-9) + 1):
            x = GUTTER + number * step * scale
            svg.line(root, f"M {x:.1f} {first - 4:.1f} L {x:.1f} {foot:.1f}", stroke=svg.FAINT)
            svg.text(root, x, foot + 14, f"{number * step:g} s", anchor="middle", fill=GREY)
    for number, bar in enumerate(panel.bars):
        y = first + ROW * number
        svg.text(root, MARGIN, y + 15, bar.label, room=GUTTER - MARGIN - 12, bold=bar.critical)
        stroke = FAILED if bar.note == "failed" else svg.INK if bar.critical else GREY
        x, width = GUTTER + bar.start * scale, max(1.5, (bar.end - bar.start) * scale)
        drawn = svg.box(
            root, x, y + (ROW - BAR) / 2, width, BAR, fill=FILLS[bar.fill], stroke=stroke,
            thick=2.2 if bar.critical else 0.8, dashed=bar.note in ("failed", "refused plan"),
        )  # fmt: skip
        svg.named(drawn, f"{bar.label}: {_seconds(bar.start)} to {_seconds(bar.end)}")
        said = _seconds(bar.end - bar.start) + (f", {bar.note}" if bar.note else "")
        svg.text(root, x + width + 6, y + 15, said, fill=FAILED if bar.note == "failed" else GREY)
    return foot + AXIS


def _tick(last: float) -> float:
    """Return 1, 2 or 5 times a power of ten, so that an axis has at most TICKS of them."""
    power = 10.0 ** math.floor(math.log10(last / TICKS))
    return next(power * factor for factor in (1, 2, 5, 10) if last / (power * factor) <= TICKS)


def _kinds(steps: Sequence[StepRow]) -> list[str]:
    kinds = [size for size in ("small", "large") if any(step.size == size and not step.discarded for step in steps)]
    kinds += ["refused"] if any(step.discarded for step in steps) else []
    kinds += ["failed"] if any(step.result is None for step in steps) else []
    return kinds + (["critical"] if any(not step.discarded for step in steps) else [])


def _legend(root: svg.Element, x: float, y: float, kinds: Sequence[str]) -> None:
    words = {
        "small": "small model", "large": "large model", "refused": "step of a refused plan", "failed": "failed",
        "other": "planning, final answer", "critical": "on the longest path",
    }  # fmt: skip
    for kind in kinds:
        stroke = {"failed": FAILED, "critical": svg.INK}.get(kind, GREY)
        svg.box(
            root, x, y - 11, 18, 12, fill=FILLS.get(kind, svg.PAPER), stroke=stroke,
            thick=2.4 if kind == "critical" else 1, dashed=kind in ("failed", "refused"),
        )  # fmt: skip
        svg.text(root, x + 24, y, words[kind], fill=DIM)
        x += 44 + svg.CELL * len(words[kind])


def _label(step: StepRow) -> str:
    return f"{step.step} · {step.task}"


def _seconds(seconds: float) -> str:
    return f"{shown(seconds, 'seconds')} s"

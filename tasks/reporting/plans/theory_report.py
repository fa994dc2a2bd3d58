"""What theory expects of the plans of a dataset's questions: theoretical_reports/, and the averages."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from blocks.records import StepRow
from tasks.names import file_name, short_hash
from tasks.plans.answered import Answered
from tasks.plans.metrics import mean
from tasks.plans.theory import StepTime, Timeline
from tasks.reporting.markdown import page_markdown
from tasks.reporting.pages import Cell, Column, Kind, Page, Table, shown
from tasks.reporting.plans.charts import gantt_svg
from tasks.reporting.plans.parts import facts_table, recorded_mark, rounded, write_text

FOLDER = "theoretical_reports"


def theory_table(those: Sequence[Answered], theories: Mapping[str, Timeline]) -> Table | None:
    """Return what was to be expected on the average, beside what the same questions took; None without any."""
    both = [(one, theories[one.answer.problem_id]) for one in those if one.answer.problem_id in theories]
    if not both:
        return None
    facts: list[tuple[str, Cell, Kind, str]] = [
        ("questions", len(both), "count", ""),
        ("mean time in theory", mean(theory.total for _, theory in both), "seconds", " s"),
        ("mean time, one step after the other", mean(theory.sequential for _, theory in both), "seconds", " s"),
        ("mean speed-up in theory", rounded(mean(theory.speed_up for _, theory in both), 2), "figure", ""),
        ("mean time as it was", mean(one.answer.wall_seconds for one, _ in both), "seconds", " s"),
    ]
    return facts_table("Theory", facts, f"Each question's is in {FOLDER}/.")


def write_theories(folder: Path, those: Sequence[Answered], theories: Mapping[str, Timeline]) -> None:
    """Write for each question what theory expects of its plan, and the Gantts."""
    with_theory = [one for one in those if one.answer.problem_id in theories and one.steps]
    taken = Counter(file_name(id).casefold() for id in {one.answer.problem_id for one in with_theory})
    for one in with_theory:
        id = one.answer.problem_id
        name = file_name(id)
        if taken[name.casefold()] > 1:
            name = f"{name}-{short_hash(id)}"
        if one.answer.sample:
            name = f"{name}-sample_{one.answer.sample}"
        write_text(folder / f"{name}.svg", gantt_svg(one, theories[id]))
        write_text(folder / f"{name}.md", theory_text(one, theories[id], f"{name}.svg"))


def theory_text(one: Answered, theory: Timeline, picture: str) -> str:
    """Return the report of theory on one question's plan."""
    rows = {row.step: row for row in one.steps}
    facts: list[tuple[str, Cell, Kind, str]] = [
        ("the plan is written after", theory.planning, "seconds", " s"),
        ("total", theory.total, "seconds", " s"),
        ("planning and then one step after the other", theory.sequential, "seconds", " s"),
        ("speed-up", rounded(theory.speed_up, 2), "figure", ""),
        ("parallel efficiency", rounded(theory.parallel_efficiency, 2), "figure", ""),
        ("workers", "as many as it takes" if theory.workers is None else str(theory.workers), "text", ""),
        ("as it was", one.answer.wall_seconds, "seconds", " s, with the aggregation"),
    ]
    columns = (
        Column("step", "figure"),
        Column("model"),
        Column("budget", "count"),
        Column("available", "seconds"),
        Column("start", "seconds"),
        Column("end", "seconds"),
        Column("start as it was", "seconds"),
        Column("end as it was", "seconds"),
    )
    steps = tuple(_step(each, rows[each.id]) for each in theory.steps if each.id in rows)
    mark = recorded_mark(one.calls)
    tables = (facts_table("Theory", facts), Table("Steps", columns, steps, "In seconds since the question."))
    page = Page(shown(f"Theory: question {one.answer.problem_id}", "text"), (mark,) if mark else (), tables)
    return f"{page_markdown(page)}\n![The Gantts of theory and of what happened]({picture})\n"


def _step(each: StepTime, row: StepRow) -> tuple[Cell, ...]:
    start = row.started_seconds
    was = (start, None if start is None else start + row.seconds)
    return (str(each.id), each.model, row.token_budget, each.available, each.start, each.end, *was)

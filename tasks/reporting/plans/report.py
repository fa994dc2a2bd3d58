"""The report of one question: report.md with its pictures, result.json and plan.xml."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from blocks.records import StepRow
from tasks.plans.answered import Answered
from tasks.plans.graph import mermaid
from tasks.plans.metrics import QuestionMetrics, question_metrics
from tasks.plans.records import Step
from tasks.plans.theory import Timeline
from tasks.reporting.markdown import escaped, table_markdown
from tasks.reporting.pages import Cell, Column, Kind, Table, shown
from tasks.reporting.plans.charts import FAILED, FILLS, gantt_svg, graph_svg
from tasks.reporting.plans.entries import result_of
from tasks.reporting.plans.parts import (
    cut,
    facts_table,
    fenced,
    record_json,
    recorded_mark,
    rounded,
    use_table,
    write_text,
)
from tasks.reporting.svg import INK

LONGEST_TASK = 80  # characters of a task in the Mermaid graph
LONGEST_RESULT = 160  # of a result in the table of steps; below it stands whole


def write_single(
    folder: Path,
    one: Answered,
    *,
    roles: Mapping[int, str],
    names: Mapping[str, str],
    theory: Timeline | None = None,
    evaluation: Sequence[Table] = (),
) -> QuestionMetrics:
    """Write the report of one question into a folder, each file whole or not at all; return its metrics.

    `roles` tells what the models of the calls' numbers were asked as, `names` the model of each role as it was given,
    `evaluation` what a judge's scores come to. Works for a question without a plan too, whose report has no pictures.
    """
    metrics = question_metrics(one, roles)
    pictures = bool(one.steps or one.discarded)
    files = {
        "graph.svg": graph_svg(one) if one.steps else None,
        "gantt.svg": gantt_svg(one, theory) if pictures else None,
        "plan.xml": one.answer.plan,
        "result.json": record_json(result_of(one, roles)),
        "report.md": _report(one, metrics, names, evaluation),
    }
    for name, text in files.items():
        if text is None:
            (folder / name).unlink(missing_ok=True)  # of an attempt that came to another end
        else:
            write_text(folder / name, text)
    return metrics


def _report(one: Answered, metrics: QuestionMetrics, names: Mapping[str, str], evaluation: Sequence[Table]) -> str:
    answer, pictures = one.answer, bool(one.steps or one.discarded)
    mark = recorded_mark(one.calls)
    title = "An answer by a plan" if "planner" in names else "An answer by one model"
    parts = [
        f"# {title}",
        f"> **{escaped(mark[0].upper() + mark[1:])}.**" if mark else "",
        *_fallback(one),
        "## Question",
        fenced(answer.question),
        "## Answer",
        fenced(answer.prediction) if answer.prediction else "There is none.",
        escaped(_verdict(one)),
        table_markdown(_facts(one, metrics, names)),
        table_markdown(use_table(metrics.roles, metrics.total)) if one.calls else "",
        *map(table_markdown, evaluation),
        *(_plan(one) if one.steps else []),
        "## When things happened\n\n![The Gantts of theory and of what happened](gantt.svg)" if pictures else "",
        *_listed("Repairs of the plan", answer.repairs),
        table_markdown(_steps_table("Steps of a refused plan", one.discarded)) if one.discarded else "",
        *_results(one.steps),
    ]  # fmt: skip
    return "\n\n".join(part for part in parts if part) + "\n"


def _fallback(one: Answered) -> list[str]:
    if one.answer.fallback is None:
        return []
    why = "no step of the plan had a result" if one.steps else "no plan could be carried out"
    return [f"> **Not answered by a plan: {why}, so the large model answered directly.**"]


def _verdict(one: Answered) -> str:
    answer = one.answer
    if answer.answer is None:
        return "The right answer is not known."
    said = {True: "Right", False: "Wrong", None: "It is unknown whether this is right"}[answer.correct]
    by = f" (decided by: {shown(answer.decided_by, 'text')})" if answer.decided_by else ""
    return f"{said}{by}. The right answer: {shown(answer.answer, 'text')}"


def _facts(one: Answered, metrics: QuestionMetrics, names: Mapping[str, str]) -> Table:
    with_plan = one.planned or one.answer.fallback is not None
    facts: list[tuple[str, Cell, Kind, str]] = [
        *((role, name, "text", "") for role, name in names.items()),
        ("wall time", metrics.wall_seconds, "seconds", " s"),
        ("tokens a second", rounded(metrics.tokens_per_second, 1), "figure", ""),
    ]
    if with_plan:
        facts += [("planning", metrics.planning_seconds, "seconds", " s")]
    if one.steps:
        of_budget = None if metrics.budget_used is None else 100 * metrics.budget_used
        facts += [
            ("steps", metrics.steps, "count", f" ({metrics.small} small, {metrics.large} large)"),
            ("critical path", metrics.depth, "count", f" steps: {', '.join(map(str, one.answer.critical_path))}"),
            ("compression ratio", rounded(metrics.compression_ratio, 3), "figure", ""),
            ("mean token budget", rounded(metrics.mean_token_budget, 1), "figure", " a step"),
            ("tokens of the steps' answers", metrics.tokens_of_steps, "count", ""),
            ("of the budgets", of_budget, "percent", f" % of {metrics.token_budget:,}"),
            ("time of all steps", metrics.step_seconds, "seconds", " s"),
            ("speed-up", rounded(metrics.speed_up, 2), "figure", " (time of all steps / wall time)"),
            ("failed steps", metrics.failed, "count", ""),
            ("escalated steps", metrics.escalated, "count", ""),
        ]
    if with_plan:
        facts += [("discarded steps", metrics.discarded, "count", "")]
    if one.planned and not one.answer.aggregated:
        facts += [("aggregation", "failed; the last step's result stands in", "text", "")]
    return facts_table("Metrics", facts)


def _plan(one: Answered) -> list[str]:
    return [
        table_markdown(_steps_table("Plan", one.steps, one.answer.critical_path)),
        "## Dependencies",
        fenced(_graph(one), "mermaid"),
        "![The graph of the steps](graph.svg)",
    ]


def _steps_table(title: str, steps: tuple[StepRow, ...], critical: list[int] | None = None) -> Table:
    columns = (
        Column("step", "figure"),
        Column("task"),
        Column("needs"),
        Column("difficulty", "count"),
        Column("size"),
        Column("model"),
        Column("budget", "count"),
        Column("tokens", "count"),
        Column("TTFT", "seconds"),
        Column("seconds", "seconds"),
        Column("result"),
    )
    rows = tuple(
        (
            f"{step.step}{' *' if step.step in (critical or ()) else ''}",
            step.task,
            ", ".join(map(str, step.depends_on)) or "nothing",
            step.difficulty,
            step.size + (" (escalated)" if step.escalated else ""),
            step.model,
            step.token_budget,
            step.completion_tokens,
            step.ttft,
            step.seconds,
            f"failed: {step.error or 'no reason is known'}"
            if step.result is None
            else cut(step.result, LONGEST_RESULT),
        )
        for step in steps
    )
    return Table(title, columns, rows, "*: on the critical path." if critical else "")


def _graph(one: Answered) -> str:
    """The Mermaid graph, in the colours of the pictures."""
    rows = {row.step: row for row in one.steps}
    classes = {
        "small": [id for id, row in rows.items() if row.size == "small"],
        "large": [id for id, row in rows.items() if row.size == "large"],
        "failed": [id for id, row in rows.items() if row.result is None],
        "critical": one.answer.critical_path,
    }
    styles = {
        "small": f"fill:{FILLS['small']},color:{INK}",
        "large": f"fill:{FILLS['large']},color:{INK}",
        "failed": f"stroke:{FAILED},stroke-dasharray:4",
        "critical": "stroke-width:3px",
    }

    def label(step: Step) -> str:
        return f"{step.id} · {rows[step.id].size} · {cut(step.task, LONGEST_TASK)}"

    lines = [
        f"  classDef {name} {styles[name]}\n  class {','.join(f's{id}' for id in ids)} {name}"
        for name, ids in classes.items()
        if ids
    ]
    return mermaid(one.plan, label) + "\n".join(lines)


def _listed(title: str, lines: list[str]) -> list[str]:
    return [f"## {title}", "\n".join(f"- {escaped(shown(line, 'text'))}" for line in lines)] if lines else []


def _results(steps: tuple[StepRow, ...]) -> list[str]:
    told = [
        part
        for step in steps
        if step.result is not None
        for part in (f"### Step {step.step}: {escaped(shown(step.task, 'text'))}", fenced(step.result))
    ]
    return ["## Results of the steps", *told] if told else []

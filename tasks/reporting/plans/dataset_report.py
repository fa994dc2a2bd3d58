"""The report of a dataset's questions: dataset_report.md, dataset_results.json, theoretical_reports/."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import orjson

from tasks.plans.answered import Answered
from tasks.plans.dataset_metrics import Accuracy, DatasetMetrics, Share, dataset_metrics
from tasks.plans.metrics import use_of
from tasks.plans.theory import Timeline
from tasks.reporting.markdown import page_markdown
from tasks.reporting.pages import Cell, Column, Kind, Page, Table, shown
from tasks.reporting.plans.baselines import Baselines, beside_table
from tasks.reporting.plans.entries import RESULTS, entry_of
from tasks.reporting.plans.parts import cut, facts_table, recorded_mark, rounded, use_table, write_text
from tasks.reporting.plans.theory_report import FOLDER, theory_table, write_theories

ERRORS = 20  # told in full
LONGEST_ERROR = 200


def write_dataset(
    folder: Path,
    those: Sequence[Answered],
    *,
    dataset: str,
    roles: Mapping[int, str],
    names: Mapping[str, str],
    asked: int,
    errors: Mapping[str, str] | None = None,
    theories: Mapping[str, Timeline] | None = None,
    beside: Baselines | None = None,
    evaluation: Sequence[Table] = (),
) -> DatasetMetrics:
    """Write the report of a dataset into a folder, each file whole or not at all; return its metrics.

    `roles` tells what the models of the calls' numbers were asked as; `names` is the model of each role as it was
    given, and where that holds no planner this is a report of one model, without plans. `asked` questions were to
    be answered, `errors` says by id what kept some from it. `theories` are by the question's id.
    `evaluation` is what a judge's scores come to.
    """
    metrics, theories = dataset_metrics(those, roles), theories or {}
    content = orjson.dumps([entry_of(one).model_dump() for one in those], option=orjson.OPT_INDENT_2)
    write_text(folder / RESULTS, content.decode() + "\n")
    write_theories(folder / FOLDER, those, theories)
    with_plans = "planner" in names
    title = shown(f"{'Plans' if with_plans else 'One model'} on {dataset}", "text")
    tables = [
        _about(metrics, names, dataset, asked, errors or {}),
        _accuracies(metrics),
        *([_plans(metrics), _by_model(metrics), _by_difficulty(metrics)] if with_plans else []),
        use_table(metrics.roles, metrics.total),
        *evaluation,
        _times(metrics, with_plans),
        theory_table(those, theories),
        beside_table(those, beside) if beside is not None else None,
        _questions(those, with_plans),
        _errors(errors or {}),
    ]
    mark = recorded_mark(call for one in those for call in one.calls)
    kept = tuple(table for table in tables if table is not None and (table.rows or table.note))
    write_text(folder / "dataset_report.md", page_markdown(Page(title, (mark,) if mark else (), kept)))
    return metrics


def _about(
    metrics: DatasetMetrics, names: Mapping[str, str], dataset: str, asked: int, errors: Mapping[str, str]
) -> Table:
    facts: list[tuple[str, Cell, Kind, str]] = [
        ("dataset", dataset, "text", ""),
        *((role, name, "text", "") for role, name in names.items()),
        ("questions", metrics.questions, "count", f" answered, of {asked:,} asked"),
        ("errors", len(errors), "count", ""),
        ("correct", metrics.accuracy.correct, "count", f" of {metrics.accuracy.judged:,} that could be judged"),
        ("accuracy", metrics.accuracy.percent, "percent", " %"),
        ("unknown", metrics.accuracy.unknown, "count", " (nothing told right from wrong)"),
        *((f"decided by {what}", count, "count", "") for what, count in metrics.decided_by.items()),
        ("cost (USD)", metrics.total.cost_usd if metrics.total.calls else None, "usd", ""),
    ]
    return facts_table("Summary", facts)


def _accuracies(metrics: DatasetMetrics) -> Table:
    columns = (
        Column("subject"),
        Column("questions", "count"),
        Column("judged", "count"),
        Column("correct", "count"),
        Column("unknown", "count"),
        Column("accuracy %", "percent"),
    )

    def row(subject: str, each: Accuracy) -> tuple[Cell, ...]:
        return (subject, each.questions, each.judged, each.correct, each.unknown, each.percent)

    rows = [row("all", metrics.accuracy)]
    if any(subject is not None for subject, _ in metrics.subjects):
        rows += [row(subject or "without a subject", each) for subject, each in metrics.subjects]
    return Table("Accuracy by subject", columns, tuple(rows), "Of those judged; unknown ones are not among them.")


def _plans(metrics: DatasetMetrics) -> Table:
    of_budgets = None if metrics.budget_used is None else 100 * metrics.budget_used
    facts: list[tuple[str, Cell, Kind, str]] = [
        ("questions answered by a plan", metrics.planned, "count", f" of {metrics.questions:,}"),
        ("average steps", rounded(metrics.average_steps, 2), "figure", ""),
        ("average depth of the critical path", rounded(metrics.average_depth, 2), "figure", " steps"),
        ("average compression ratio", rounded(metrics.average_compression_ratio, 3), "figure", ""),
        ("average token budget per step", rounded(metrics.average_token_budget, 1), "figure", ""),
        ("tokens used of the budgets", of_budgets, "percent", " %"),
        ("fallbacks to the large model alone", metrics.fallbacks, "count", ""),
        ("repaired plans", metrics.repaired, "count", f" (repairs: {metrics.repairs:,})"),
        ("failed steps", metrics.failed_steps, "count", ""),
        ("escalated steps", metrics.escalated_steps, "count", ""),
        ("discarded steps", metrics.discarded_steps, "count", ""),
        ("answers without aggregation", metrics.stood_in, "count", ""),
    ]
    note = "Compression ratio: steps on the longest path / all steps; the lower, the more can run side by side."
    return facts_table("Plans", facts, note)


SHARE_COLUMNS = (
    Column("steps", "count"),
    Column("% of all", "percent"),
    Column("small", "count"),
    Column("large", "count"),
    Column("escalated", "count"),
    Column("failed", "count"),
    Column("mean tokens", "figure"),
    Column("mean seconds", "seconds"),
)


def _by_model(metrics: DatasetMetrics) -> Table:
    rows = tuple((name or "none replied", *_share(each, metrics)) for name, each in metrics.models)
    return Table("Steps by model", (Column("model"), *SHARE_COLUMNS), rows)


def _by_difficulty(metrics: DatasetMetrics) -> Table:
    rows = tuple((str(number), *_share(each, metrics)) for number, each in metrics.difficulties)
    return Table("Steps by difficulty", (Column("difficulty", "figure"), *SHARE_COLUMNS), rows)


def _share(share: Share, metrics: DatasetMetrics) -> tuple[Cell, ...]:
    steps = sum(each.steps for _, each in metrics.difficulties)
    return (
        share.steps,
        100 * share.steps / steps,
        share.small,
        share.large,
        share.escalated,
        share.failed,
        rounded(share.mean_tokens, 1),
        share.mean_seconds,
    )


def _times(metrics: DatasetMetrics, with_plans: bool) -> Table:
    times = metrics.times
    facts: list[tuple[str, Cell, Kind, str]] = [
        ("mean time of a question", times.mean, "seconds", " s"),
        ("median", times.median, "seconds", " s"),
        ("longest", times.longest, "seconds", " s"),
        ("mean tokens a second", rounded(times.mean_tokens_per_second, 1), "figure", ""),
    ]
    if with_plans:
        facts += [
            ("mean planning time", times.mean_planning, "seconds", " s"),
            ("mean time of all steps", times.mean_step_seconds, "seconds", " s"),
            ("mean speed-up", rounded(times.mean_speed_up, 2), "figure", " (time of all steps / wall time)"),
        ]
    left = metrics.questions - times.questions
    note = f"Without {left:,} questions that were begun by one execution and ended by another." if left else ""
    return facts_table("Time", facts, note)


def _questions(those: Sequence[Answered], with_plans: bool) -> Table:
    plan_columns = (
        Column("steps", "count"),
        Column("depth", "count"),
        Column("small", "count"),
        Column("large", "count"),
    )
    columns = (
        Column("question"),
        Column("correct"),
        Column("decided by"),
        *(plan_columns if with_plans else ()),
        Column("seconds", "seconds"),
        Column("cost (USD)", "usd"),
        *((Column("remarks"),) if with_plans else ()),
    )
    return Table("Questions", columns, tuple(_question(one, with_plans) for one in those))


def _question(one: Answered, with_plans: bool) -> tuple[Cell, ...]:
    answer, steps = one.answer, one.steps
    sizes = Counter(step.size for step in steps)
    name = answer.problem_id if answer.sample == 0 else f"{answer.problem_id} sample {answer.sample}"
    plan = (len(steps), len(answer.critical_path) or "", sizes["small"], sizes["large"])
    return (
        name,
        {True: "yes", False: "no", None: None}[answer.correct],
        answer.decided_by or "",
        *(plan if with_plans else ()),
        answer.wall_seconds,
        use_of(one.calls).cost_usd if one.calls else None,
        *((_remarks(one),) if with_plans else ()),
    )


def _remarks(one: Answered) -> str:
    answer = one.answer
    failed = sum(step.result is None for step in one.steps)
    said = [
        f"fallback: {answer.fallback}" if answer.fallback else "",
        f"repairs: {len(answer.repairs)}" if answer.repairs else "",
        f"failed steps: {failed}" if failed else "",
        f"discarded steps: {len(one.discarded)}" if one.discarded else "",
        "no aggregation" if one.planned and not answer.aggregated else "",
    ]
    return ", ".join(part for part in said if part)


def _errors(errors: Mapping[str, str]) -> Table:
    rows = tuple((id, cut(said, LONGEST_ERROR)) for id, said in list(errors.items())[:ERRORS])
    more = len(errors) - len(rows)
    return Table("Errors", (Column("question"), Column("message")), rows, f"{more:,} more." if more else "")

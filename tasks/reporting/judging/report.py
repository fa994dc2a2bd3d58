"""evaluation_reports/: a page for each question, summary.md with the averages, and all of it as JSON."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tasks.judging.dimensions import PLAN, SCORES, Role
from tasks.judging.judged import JudgedRun, Question
from tasks.judging.results import NAME, Average, Evaluation, Judgement, mean_of
from tasks.names import file_name, short_hash
from tasks.reporting.markdown import escaped, page_markdown, table_markdown
from tasks.reporting.pages import Cell, Column, Kind, Page, Table, shown
from tasks.reporting.plans.parts import cut, facts_table, fenced, record_json, rounded, write_text

WHAT: dict[Role, str] = {"planner": "plan", "executor": "step"}
LONGEST_QUESTION = 80  # characters of a question in a table


def write_evaluation(folder: Path, judged: JudgedRun, found: Evaluation) -> None:
    """Write the reports of a run's judgements into a folder, each file whole or not at all."""
    names = _file_names(judged.questions)
    by_question: dict[tuple[str, int], list[Judgement]] = {}
    for each in found.judgements:
        by_question.setdefault((each.problem_id, each.sample), []).append(each)
    for question in judged.questions:
        if mine := by_question.get(question.key):
            write_text(folder / names[question.key], _question_page(question, mine, found))
    lines = _questions(judged.questions, by_question, names)
    errors = _errors(found)
    tables = (*evaluation_tables(found), lines, *([errors] if errors.rows else []))
    title = f"Judgements of {judged.dataset}"
    write_text(folder / "summary.md", page_markdown(Page(title, _marks(found), tables)))
    write_text(folder / NAME, record_json(found))


def evaluation_tables(found: Evaluation) -> tuple[Table, ...]:
    """Return what was judged, the averages per dimension, and per model."""
    planner, executor = "planner" in found.roles, "executor" in found.roles
    all_facts: list[tuple[bool, tuple[str, Cell, Kind, str]]] = [
        (True, ("judge", found.judge + (" (recorded replies)" if found.recorded else ""), "text", "")),
        (True, ("judged run", found.judged_run_id, "text", "")),
        (True, ("questions", found.questions, "count", "")),
        (planner, ("plans judged", found.plans, "count", "")),
        (planner, ("questions without a plan", found.without_plan, "count", "")),
        (executor, ("steps judged", found.steps, "count", "")),
        (executor, ("steps without a result", found.failed_steps, "count", "")),
        (True, ("judged after a second reply", found.repaired, "count", "")),
        (True, ("errors", found.errors, "count", " (no reply of the judge could be used)")),
    ]
    facts = [fact for shown_here, fact in all_facts if shown_here]
    note = "The reasons are on each question's page in evaluation_reports/."
    return facts_table("Evaluation", facts, note), _averages(found.averages), _by_model(found.by_model)


def read_evaluation(folder: Path) -> Evaluation | None:
    """Read back what was written into a folder; None where there is nothing that can be read."""
    try:
        return Evaluation.model_validate_json((folder / NAME).read_bytes())
    except (OSError, ValueError):
        return None


def _marks(found: Evaluation) -> tuple[str, ...]:
    return ("recorded replies: no model was asked to judge",) if found.recorded else ()


def _averages(averages: Sequence[Average]) -> Table:
    columns = (
        Column("role"),
        Column("dimension"),
        Column("scores", "count"),
        Column("mean", "figure"),
        *(Column(str(score), "count") for score in SCORES),
    )
    rows = tuple((each.role, each.dimension or "all", each.scores, each.mean, *each.counts) for each in averages)
    note = "Scores from 1 (useless) to 5 (nothing to improve); the last columns say how often each was given."
    return Table("Scores by dimension", columns, rows, note)


def _by_model(averages: Sequence[Average]) -> Table:
    """The averages of each model; its dimensions are one text, since roles have different ones."""
    columns = (
        Column("role"),
        Column("model"),
        Column("scores", "count"),
        Column("mean", "figure"),
        Column("by dimension"),
    )
    rows = tuple(
        (
            each.role,
            each.model,
            each.scores,
            each.mean,
            ", ".join(
                f"{other.dimension} {_mean(other)}"
                for other in averages
                if (other.role, other.model) == (each.role, each.model) and other.dimension is not None
            ),
        )
        for each in averages
        if each.dimension is None
    )
    return Table("Scores by model", columns, rows)


def _mean(average: Average) -> str:
    return "unknown" if average.mean is None else f"{average.mean:.2f}"


def _questions(
    questions: Sequence[Question],
    by_question: dict[tuple[str, int], list[Judgement]],
    names: dict[tuple[str, int], str],
) -> Table:
    columns = (
        Column("question"),
        Column("plan", "figure"),
        Column("steps", "figure"),
        Column("correct"),
        Column("text"),
        Column("report"),
    )
    rows = tuple(
        (
            question.answer.problem_id,
            mean_of(each.score for each in by_question[question.key] if each.role == "planner"),
            mean_of(each.score for each in by_question[question.key] if each.role == "executor"),
            {True: "yes", False: "no", None: "unknown"}[question.answer.correct],
            cut(question.answer.question, LONGEST_QUESTION),
            names[question.key],
        )
        for question in questions
        if question.key in by_question
    )
    return Table("Questions", columns, rows, "The mean scores of the plan and of the steps; unknown: not judged.")


def _errors(found: Evaluation) -> Table:
    items = {(each.problem_id, each.sample, each.role, each.step): each for each in found.judgements if each.error}
    rows = tuple((each.problem_id, _what(each), each.error) for each in items.values())
    return Table("Errors", (Column("question"), Column("what"), Column("why")), rows)


def _what(each: Judgement) -> str:
    return WHAT[each.role] if each.step == PLAN and each.role == "planner" else f"{WHAT[each.role]} {each.step}"


def _question_page(question: Question, mine: Sequence[Judgement], found: Evaluation) -> str:
    answer = question.answer
    plan = [each for each in mine if each.role == "planner"]
    verdict = {True: "Right.", False: "Wrong.", None: "It is unknown whether this is right."}[answer.correct]
    parts = [
        f"# {escaped(shown(f'Judgement of {answer.problem_id}', 'text'))}",
        *(f"> **{escaped(mark[0].upper() + mark[1:])}.**" for mark in _marks(found)),
        fenced(answer.question),
        f"Answer: {escaped(shown(answer.prediction or 'none', 'text'))}. {verdict}",
    ]
    if plan:
        parts += [table_markdown(_scores("Plan", plan)), fenced(answer.plan or "", "xml")]
    for step in question.answered_steps:
        if scores := [each for each in mine if each.role == "executor" and each.step == step.step]:
            title = f"Step {step.step}: {shown(step.task, 'text')}"
            parts += [table_markdown(_scores(title, scores)), fenced(step.result or "")]
    return "\n\n".join(part for part in parts if part) + "\n"


def _scores(title: str, scores: Sequence[Judgement]) -> Table:
    first = scores[0]
    columns = (Column("dimension"), Column("score", "figure"), Column("reason"))
    rows = tuple((each.dimension, each.score, each.reason or f"error: {each.error}") for each in scores)
    mean = rounded(mean_of(each.score for each in scores), 2)
    again = "; judged after a second reply" if first.repaired and first.error is None else ""
    return Table(
        title, columns, rows, f"By {first.model or 'a model that is not known'}; mean {shown(mean, 'figure')}{again}."
    )


def _file_names(questions: Sequence[Question]) -> dict[tuple[str, int], str]:
    taken = Counter(file_name(id).casefold() for id in {question.answer.problem_id for question in questions})
    taken["summary"] += 1
    names = {}
    for question in questions:
        id, sample = question.key
        name = file_name(id) if taken[file_name(id).casefold()] == 1 else f"{file_name(id)}-{short_hash(id)}"
        names[id, sample] = f"{name}{f'-sample_{sample}' if sample else ''}.md"
    return names

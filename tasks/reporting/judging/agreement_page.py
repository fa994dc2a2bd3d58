"""agreement.md and agreement.json: a judge's agreement with people, per dimension."""

from pathlib import Path

from tasks.judging.agreement import AgreementReport, Measured
from tasks.reporting.markdown import page_markdown
from tasks.reporting.pages import Cell, Column, Page, Table
from tasks.reporting.plans.parts import record_json, rounded, write_text

NOTE = (
    "Exact and within one: share of the pairs in percent. Kappa (Cohen's, weighted by distance) and alpha "
    "(Krippendorff's, ordinal): 1 is perfect, 0 is chance, unknown where no two scores differ. Unpaired scores count "
    "nowhere else."
)


def agreement_page(report: AgreementReport) -> Page:
    """Return the agreement as a page."""
    columns = (
        Column("role"),
        Column("dimension"),
        Column("pairs", "count"),
        Column("exact %", "percent"),
        Column("within one %", "percent"),
        Column("kappa linear", "figure"),
        Column("kappa quadratic", "figure"),
        Column("alpha ordinal", "figure"),
        Column("mean gold", "figure", wide=True),
        Column("mean judge", "figure", wide=True),
        Column("not judged", "count", wide=True),
        Column("not in gold", "count", wide=True),
    )
    rows = tuple(_row(each) for each in report.measured)
    title = f"Agreement of {report.judge} with {Path(report.gold).name}"
    return Page(title, (), (Table("Agreement by dimension", columns, rows, NOTE),))


def write_agreement(folder: Path, report: AgreementReport) -> Path:
    """Write both files; return the path of the page."""
    write_text(folder / "agreement.json", record_json(report))
    write_text(folder / "agreement.md", page_markdown(agreement_page(report)))
    return folder / "agreement.md"


def _row(each: Measured) -> tuple[Cell, ...]:
    return (
        each.role,
        each.dimension or "all",
        each.pairs,
        None if each.exact is None else 100 * each.exact,
        None if each.within_one is None else 100 * each.within_one,
        rounded(each.kappa_linear, 3),
        rounded(each.kappa_quadratic, 3),
        rounded(each.alpha_ordinal, 3),
        rounded(each.mean_gold, 2),
        rounded(each.mean_judge, 2),
        each.without_judgement,
        each.without_gold,
    )

"""The datasheet of training data: where it comes from, what was left out, how to use it. For people, and the Hub."""

from collections import defaultdict
from collections.abc import Sequence

import yaml

from tasks.planner_data.filters import Removed
from tasks.planner_data.jobs import Building
from tasks.planner_data.making import Made
from tasks.reporting.markdown import page_markdown
from tasks.reporting.pages import Cell, Column, Page, Table, shown
from tasks.reporting.plans.parts import facts_table, fenced

Counted = tuple[str, bool, str, str, int]  # format, with thinking, split, file, rows


def datasheet(building: Building, made: Made, files: Sequence[Counted]) -> str:
    """Return it as Markdown. Nothing of it tells of when or how often the run was worked on."""
    name = building.asking.job.configuration.dataset
    mark = made.found.replies.mark
    tables = (_source(building, made), _choices(building), filter_table(made.removed), _files(files))
    page = page_markdown(Page(f"Plans of {shown(name, 'text')}", (mark,) if mark else (), tables))
    return "\n".join([_front_matter(files), page, *_use(building, made, files)]) + "\n"


def filter_table(removed: Sequence[Removed]) -> Table:
    """What each filter removed, in the order in which they act."""
    columns = (Column("filter"), Column("removed", "count"), Column("left", "count"), Column("of"), Column("because"))
    rows: list[tuple[Cell, ...]] = [(each.filter, each.removed, each.left, each.unit, each.why) for each in removed]
    return Table("Filters", columns, tuple(rows))


def _source(building: Building, made: Made) -> Table:
    job, chosen = building.asking.job, building.chosen
    configuration = job.configuration
    executed, guided = configuration.parameters["execute"], configuration.parameters["guided"]
    models = zip(building.asking.roles.values(), configuration.references, strict=True)
    return facts_table(
        "Source",
        [
            ("questions", job.dataset.path.name, "text", f" ({len(chosen):,} of {len(job.dataset.problems):,})"),
            ("SHA-256", configuration.dataset_hash, "text", ""),
            *((role, reference, "text", "") for role, reference in models),
            ("served by", ", ".join(made.found.served) or "nobody yet", "text", ""),
            ("plans of each question", configuration.samples, "count", ""),
            (
                "carried out",
                "yes, and only plans that led to the right answer stay" if executed else "no",
                "text",
                "",
            ),
            ("planner was shown the answer", "yes" if guided else "no", "text", ""),
            ("temperature", _given(configuration.temperature), "text", ""),
            ("top_p", _given(configuration.top_p), "text", ""),
        ],
    )


def _given(number: float | None) -> str:
    return "the server's own" if number is None else f"{number:g}"


def _choices(building: Building) -> Table:
    recipe = building.recipe
    return facts_table(
        "Choices",
        [
            ("repaired plans", "kept" if recipe.keep_repaired else "left out", "text", ""),
            ("longest row", recipe.longest, "count", " characters"),
            (
                "splits",
                ", ".join(f"{name} {part:g}" for name, part in recipe.fractions._asdict().items()),
                "text",
                "",
            ),
            ("seed", recipe.seed, "count", ""),
        ],
        "A question is in one split alone, together with those that are nearly like it. Near duplicates are found by "
        "RapidFuzz's similarity of texts.",
    )


def _files(files: Sequence[Counted]) -> Table:
    rows = tuple((file, split, rows) for _, _, split, file, rows in files)
    note = "A file without rows is not written."
    return Table("Files", (Column("file"), Column("split"), Column("rows", "count")), rows, note)


def _use(building: Building, made: Made, files: Sequence[Counted]) -> list[str]:
    names = [file.removesuffix(".json") for _, _, split, file, rows in files if rows and split == "train"]
    said = f"dataset_dir: this folder\ndataset: {names[0]}" if names else "no rows are left"
    return [
        "## Use",
        "",
        "With LLaMA-Factory, by the descriptions in `dataset_info.json`:",
        "",
        fenced(said, "yaml"),
        "",
        "The instruction is the question as it stands in its file, the output the plan as XML, and the system the "
        "planner's prompt without the question:",
        "",
        fenced(made.system),
    ]


def _front_matter(files: Sequence[Counted]) -> str:
    """What the `datasets` library reads: a configuration for each format, with and without thinking."""
    found: dict[str, list[dict[str, str]]] = defaultdict(list)
    for format, thinking, split, file, rows in files:
        if rows:
            found[f"{format}_{'w' if thinking else 'wo'}_thinking"].append({"split": split, "path": file})
    configs = [{"config_name": name, "data_files": those} for name, those in found.items()]
    return f"---\n{yaml.safe_dump({'configs': configs}, sort_keys=False)}---\n"

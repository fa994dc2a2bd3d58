"""Writes training data into a run's folder: the rows, dataset_info.json, filters.json and the datasheet."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import orjson

from blocks.records import Record
from tasks.names import file_name
from tasks.planner_data.datasheet import datasheet
from tasks.planner_data.filters import Removed
from tasks.planner_data.formats import description
from tasks.planner_data.jobs import Building
from tasks.planner_data.making import File, Made, make
from tasks.planner_data.recipe import FORMATS, Format
from tasks.reporting.plans.parts import record_json, write_text

FILTERS_FILE, INFO_FILE, DATASHEET_FILE = "filters.json", "dataset_info.json", "README.md"


class Rows(Record):
    """A file of rows by name, and how many it has; one without rows is not written."""

    format: Format
    thinking: bool
    split: str
    file: str
    rows: int


class Filtered(Record):
    """filters.json: what was removed, and what is left. `replies` counts all, `recorded` those of a recording."""

    dataset: str
    questions: int
    samples: int
    replies: int
    recorded: int
    filters: tuple[Removed, ...]
    files: tuple[Rows, ...]


class Written(NamedTuple):
    made: Made
    filtered: Filtered


def write(building: Building, folder: Path, spool_folder: Path) -> Written:
    """Write the data of a run; each file whole or not at all.

    What an earlier command wrote there in another format, or with thinking, is written again, so that all of it is
    of the same plans and splits.
    """
    before = _before(folder / FILTERS_FILE)
    formats = [
        each for each in FORMATS if each == building.recipe.format or any(each == one.format for one in before)
    ]
    thinking = building.recipe.thinking or any(one.thinking for one in before)
    made = make(building, spool_folder, formats, thinking)
    configuration = building.asking.job.configuration
    stem = file_name(configuration.dataset)
    files = [
        Rows(
            format=each.format, thinking=each.thinking, split=each.split, file=_name(stem, each), rows=len(each.rows)
        )
        for each in made.files
    ]
    for each, file in zip(made.files, files, strict=True):
        if each.rows:
            content = orjson.dumps(each.rows, option=orjson.OPT_INDENT_2).decode()
            write_text(folder / file.file, content + "\n")
        else:
            (folder / file.file).unlink(missing_ok=True)
    filled = [file for file in files if file.rows]
    info = {file.file.removesuffix(".json"): description(file.format, file.file) for file in filled}
    write_text(folder / INFO_FILE, orjson.dumps(info, option=orjson.OPT_INDENT_2).decode() + "\n")
    filtered = Filtered(
        dataset=configuration.dataset,
        questions=len(building.chosen),
        samples=configuration.samples,
        replies=made.found.replies.all,
        recorded=made.found.replies.recorded,
        filters=made.removed,
        files=tuple(files),
    )
    write_text(folder / DATASHEET_FILE, datasheet(building, made, _counts(files)))
    write_text(folder / FILTERS_FILE, record_json(filtered))
    return Written(made, filtered)


def _name(stem: str, file: File) -> str:
    return f"{stem}_{file.format}_{file.split}_{'w' if file.thinking else 'wo'}_thinking.json"


def _before(path: Path) -> Sequence[Rows]:
    """The files that an earlier command wrote."""
    try:
        return Filtered.model_validate_json(path.read_bytes()).files
    except (OSError, ValueError):
        return ()


def _counts(files: Sequence[Rows]) -> list[tuple[str, bool, str, str, int]]:
    return [(file.format, file.thinking, file.split, file.file, file.rows) for file in files]

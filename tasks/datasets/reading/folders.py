"""The rows of a folder: files of rows, the release of APPS, or that of xCodeEval.

xCodeEval keeps tests in a file of their own, `unittest_db.json`. In a folder with it the rows are those of
`problem_descriptions.jsonl`, or without that (as MapCoder cut it) those of the other files of lines; one such file
that is named by its path has its tests beside it too.
"""

import mmap
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

from tasks.datasets.fields import Row
from tasks.datasets.reading.files import SUFFIXES, rows_of_file
from tasks.datasets.reading.rows import DatasetError, Found, Stored, digest_of_all

DESCRIPTIONS, TESTS = "problem_descriptions.jsonl", "unittest_db.json"  # of xCodeEval
KEY = re.compile(rb'"([0-9a-f]{32})"\s*:\s*(?=\[)')  # of a problem's tests; within a text its quotes are escaped
# Of APPS: a folder a problem, and what its files are called in the published table.
QUESTION = "question.txt"
COLUMNS = {
    QUESTION: "question",
    "input_output.json": "input_output",
    "solutions.json": "solutions",
    "starter_code.py": "starter_code",
}


class Folder(NamedTuple):
    """What a folder of rows holds: its rows in order, and the SHA-256 of names and contents."""

    rows: Iterator[Found]
    digest: Callable[[], str]


def folder_of(path: Path) -> Folder | None:
    """Return what a folder holds, None where it is no dataset; raises DatasetError, then or with the rows."""
    files = [each for each in _visible(path) if each.name.endswith(SUFFIXES) and each.is_file()]
    lines = [each for each in files if each.suffix == ".jsonl"]
    if lines and (path / TESTS) in files:
        described = [path / DESCRIPTIONS] if path / DESCRIPTIONS in lines else lines
        return beside_tests(described, named=len(described) > 1)
    if files:
        return Folder(_files(files), partial(digest_of_all, path, files))
    problems = [each for each in _visible(path) if (each / QUESTION).is_file()]
    if problems:
        columns = [each / name for each in problems for name in COLUMNS if (each / name).is_file()]
        return Folder(_apps(problems), partial(digest_of_all, path, columns))
    parts = [each.name for each in _visible(path) if each.is_dir() and any(each.glob(f"*/{QUESTION}"))]
    if parts:
        raise DatasetError(f"{path} holds several parts of APPS; give one of its folders: {', '.join(parts)}")
    return None


def beside_tests(files: list[Path], *, named: bool = False) -> Folder | None:
    """Return the rows of xCodeEval's descriptions joined with the tests beside them; None where none are there."""
    folder = files[0].parent
    tests = folder / TESTS
    if not tests.is_file() or tests in files:
        return None
    return Folder(_xcodeeval(files, tests, named=named), partial(digest_of_all, folder, [*files, tests]))


def _visible(path: Path) -> list[Path]:
    return sorted(each for each in path.iterdir() if not each.name.startswith("."))


def _files(files: list[Path]) -> Iterator[Found]:
    for path in files:
        yield from rows_of_file(path, before=f"{path.name}, ")


def _apps(problems: list[Path]) -> Iterator[Found]:
    for path in problems:
        try:
            yield Found(f"{path.name}", _apps_row(path), partial(_apps_row, path))
        except (OSError, ValueError) as problem:
            raise DatasetError(f"{path} cannot be read ({problem})") from None


def _apps_row(path: Path) -> Row:
    name = str(int(path.name)) if path.name.isdecimal() else path.name
    texts = {
        column: (path / file).read_text(encoding="utf-8") if (path / file).is_file() else ""
        for file, column in COLUMNS.items()
    }
    return {"problem_id": name, **texts}


def _xcodeeval(files: list[Path], path: Path, *, named: bool) -> Iterator[Found]:
    """Yield the problems' descriptions, each with its tests: those alone are read that a problem has."""
    with path.open("rb") as file:
        tests, places = Stored(file), _places(path)
    nowhere = Place(0, 0)
    for each in files:
        for found in rows_of_file(each, before=f"{each.name}, " if named else ""):
            place = places.get(str(found.row.get("src_uid")), nowhere)
            again = partial(_joined, found.again, tests, place)
            yield Found(found.where, _with_tests(found.row, tests, place), again)


class Place(NamedTuple):
    """Where in a file a value is."""

    offset: int
    length: int


def _places(path: Path) -> dict[str, Place]:
    """Return where a problem's tests are: the file holds gigabytes, which are looked through and not read."""
    if not path.stat().st_size:
        return {}
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        keys = [(found[1].decode(), found.start(), found.end()) for found in KEY.finditer(content)]
        ends = [*(start for _, start, _ in keys[1:]), len(content)]
    return {name: Place(begin, end - begin) for (name, _, begin), end in zip(keys, ends, strict=True)}


def _joined(again: Callable[[], Row], tests: Stored, place: Place) -> Row:
    return _with_tests(again(), tests, place)


def _with_tests(row: Row, tests: Stored, place: Place) -> Row:
    """Return a row with its tests, up to the comma or the brace behind them; with its own where none are there."""
    if not place.length:
        return row
    text = tests.part(*place).decode("utf-8", "replace").rstrip("\t\n\r ,}")
    return {**row, "hidden_unit_tests": text}

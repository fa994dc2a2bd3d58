"""Find a dataset by path or name and read its problems; the loader is the file here that knows its fields."""

import hashlib
import importlib
import json
import os
import pkgutil
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import tasks.datasets
from blocks.errors import UsageError
from tasks.datasets.fields import Note, Row, Unusable
from tasks.records import Problem

BUNDLED = Path(__file__).resolve().parents[2] / "data"
NAMED = 5  # of the rows that are not used, in a warning


class DatasetError(UsageError):
    """A dataset that cannot be read; the message names the file, the line and the field."""


class Dataset(NamedTuple):
    """A dataset's problems in file order, its name (the file's stem) and the SHA-256 of its file.

    `skipped` names the rows that no problem could be made of, `notes` the parts of rows that were left out (a sample
    that is no Python), each with its line, id and reason.
    """

    name: str
    path: Path
    hash: str
    problems: tuple[Problem, ...]
    skipped: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def warnings(self) -> tuple[str, ...]:
        """Return what a run over this dataset is to be told: how many rows cannot be used, and the first of them."""
        return tuple(
            f"{self.path.name}: {what}: {len(said)} ({'; '.join(said[:NAMED])}{'; …' if len(said) > NAMED else ''})"
            for what, said in (("rows that are not used", self.skipped), ("parts that are not used", self.notes))
            if said
        )


def load(reference: str) -> Dataset:
    """Load a dataset by path, or by its name in any case from `data/` or the folder that CONSORT_DATA names.

    A row that repeats an earlier one, or cannot be graded, is skipped and named. Raises DatasetError for a row that
    is malformed, and where no row is left.
    """
    path = find(reference)
    rows = _rows(path)
    loader = _loader(path, rows[0][1])
    problems: list[Problem] = []
    skipped: list[str] = []
    notes: list[str] = []
    seen: dict[str, tuple[int, dict[str, object]]] = {}
    for number, row in rows:
        said: list[str] = []
        try:
            problem = _problem(path, number, row, loader, said.append)
        except Unusable as reason:
            skipped.append(f"line {number}: {reason}")
            continue
        first, same = seen.setdefault(problem.id, (number, row))
        if first == number:
            problems.append(problem)
            notes += [f"line {number}, {problem.id}: {each}" for each in said]
        elif same == row:
            skipped.append(f"line {number}: {problem.id} repeats line {first}")
        else:
            raise DatasetError(f"{path}, line {number}: the id {problem.id!r} is that of line {first} too")
    if not problems:
        raise DatasetError(f"{path}: no row can be used; {skipped[0]}")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Dataset(path.stem, path, digest, tuple(problems), tuple(skipped), tuple(notes))


def find(reference: str) -> Path:
    """Return the file of a dataset; raises DatasetError with what can be done."""
    path = Path(reference)
    if path.is_file():
        return path
    folders = [BUNDLED, *(Path(folder) for folder in [os.environ.get("CONSORT_DATA")] if folder)]
    files = [file for folder in folders if folder.is_dir() for file in sorted(folder.glob("*.jsonl"))]
    named = [file for file in files if file.stem.casefold() == reference.casefold()]
    if named:
        return named[0]
    known = ", ".join(sorted({file.stem for file in files})) or "none"
    raise DatasetError(
        f"dataset {reference!r}: no such file, and no dataset of that name (known: {known}); give the path of a "
        "JSONL file, or name the folder it is in with CONSORT_DATA"
    )


def loaders() -> dict[str, ModuleType]:
    """Return every loader by name: the files of tasks/datasets/ that recognise rows."""
    modules = {
        found.name: importlib.import_module(f"tasks.datasets.{found.name}")
        for found in pkgutil.iter_modules(tasks.datasets.__path__)
        if found.name != "load"
    }
    return {name: module for name, module in modules.items() if hasattr(module, "recognises")}


def _rows(path: Path) -> list[tuple[int, dict[str, object]]]:
    rows = []
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as problem:
        raise DatasetError(f"{path} cannot be read ({problem.strerror})") from None
    except UnicodeDecodeError:
        raise DatasetError(f"{path} is not UTF-8 text; give a JSONL file") from None
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            if "\\ud" in line:
                json.dumps(row, ensure_ascii=False).encode()  # half a surrogate pair can be neither sent nor stored
        except (ValueError, RecursionError) as problem:
            raise DatasetError(f"{path}, line {number}: not JSON ({problem})") from None
        if not isinstance(row, dict):
            raise DatasetError(f"{path}, line {number}: not a JSON object")
        rows.append((number, row))
    if not rows:
        raise DatasetError(f"{path} holds no rows")
    return rows


def _loader(path: Path, row: dict[str, object]) -> ModuleType:
    known = loaders()
    fitting = [module for module in known.values() if module.recognises(row)]
    if not fitting:
        # The loader whose fields the row has most of can say best what is missing.
        fitting = sorted(known.values(), key=lambda module: -len(row.keys() & module.FIELDS.keys()))
    return fitting[0]


def _problem(path: Path, number: int, row: Row, loader: ModuleType, note: Note) -> Problem:
    for field, kind in loader.FIELDS.items():
        value = row.get(field)
        if not isinstance(value, kind) or value in ("", []):
            fault = "is missing" if field not in row else f"is not a non-empty {getattr(kind, '__name__', kind)}"
            name = loader.__name__.rpartition(".")[2]
            raise DatasetError(f"{path}, line {number}: field {field!r} {fault} (read as {name})")
    try:
        problem: Problem = loader.problem_of(row, note)
    except ValueError as fault:
        raise DatasetError(f"{path}, line {number}: {' '.join(str(fault).split())}") from None
    return problem

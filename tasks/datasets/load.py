"""Find a dataset by path or name and read its problems; the loader is the file here that knows its fields."""

import hashlib
import importlib
import json
import os
import pkgutil
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import tasks.datasets
from blocks.errors import UsageError
from tasks.records import Problem

BUNDLED = Path(__file__).resolve().parents[2] / "data"


class DatasetError(UsageError):
    """A dataset that cannot be read; the message names the file, the line and the field."""


class Dataset(NamedTuple):
    """A dataset's problems in file order, its name (the file's stem) and the SHA-256 of its file."""

    name: str
    path: Path
    hash: str
    problems: tuple[Problem, ...]


def load(reference: str) -> Dataset:
    """Load a dataset by path, or by its name in any case from `data/` or the folder that CONSORT_DATA names."""
    path = find(reference)
    rows = _rows(path)
    loader = _loader(path, rows[0][1])
    problems = tuple(_problem(path, number, row, loader) for number, row in rows)
    seen: dict[str, int] = {}
    for (number, _), problem in zip(rows, problems, strict=True):
        first = seen.setdefault(problem.id, number)
        if first != number:
            raise DatasetError(f"{path}, line {number}: the id {problem.id!r} is that of line {first} too")
    return Dataset(path.stem, path, hashlib.sha256(path.read_bytes()).hexdigest(), problems)


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


def _problem(path: Path, number: int, row: Mapping[str, object], loader: ModuleType) -> Problem:
    for field, kind in loader.FIELDS.items():
        if not isinstance(row.get(field), kind) or not row[field]:
            fault = "is missing" if field not in row else f"is not a non-empty {kind.__name__}"
            name = loader.__name__.rpartition(".")[2]
            raise DatasetError(f"{path}, line {number}: field {field!r} {fault} (read as {name})")
    try:
        problem: Problem = loader.problem_of(row)
    except ValueError as fault:
        raise DatasetError(f"{path}, line {number}: {fault}") from None
    return problem

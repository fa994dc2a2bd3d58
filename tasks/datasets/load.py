"""Find a dataset by path, name or hub reference and read its problems; the loader is the file that knows its rows.

A dataset is a file (JSON lines, plain or gzipped, JSON, parquet), a folder of such files, the release of APPS (a
folder a problem) or of xCodeEval, or `hub:OWNER/NAME[:CONFIG][@SPLIT]`. Every row is checked when it is loaded; then
its problem is forgotten, and made again when it is asked for. So a run holds no tests but those of the problems that
it is at.
"""

import functools
import importlib
import os
import pkgutil
import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import tasks.datasets
from tasks.datasets.fields import Missing, Note, Refused, Row, Unusable
from tasks.datasets.reading import rows
from tasks.datasets.reading.files import IDS, rows_of_file, stem_of
from tasks.datasets.reading.folders import TESTS, beside_tests, folder_of
from tasks.datasets.reading.hub import PREFIX, source_of_hub
from tasks.datasets.reading.problems import Listed, Problems, listed, made_again
from tasks.datasets.reading.rows import Found, Source, digest_of
from tasks.records import Problem

BUNDLED = Path(__file__).resolve().parents[2] / "data"
KNOWN = ("*.jsonl", "*.jsonl.gz", "*.parquet")  # what is found by its name, in BUNDLED and in CONSORT_DATA
NAMED = 5  # of the rows that are not used, in a warning

DatasetError = rows.DatasetError


class Dataset(NamedTuple):
    """A dataset's problems in the order of its rows, its name (the file's stem) and the SHA-256 of its file.

    `problems` are made when they are asked for (`Problems`), or a tuple of such as are made already. `skipped` names
    the rows that no problem could be made of, `notes` the parts of rows that were left out (a sample that is no
    Python), each with its line, id and reason.
    """

    name: str
    path: Path
    hash: str
    problems: Sequence[Problem]
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
    """Load a dataset by path, by its name in any case from `data/` or the folder that CONSORT_DATA names, or by hub.

    A row that repeats an earlier one or its id, that cannot be graded or that is broken, is skipped and named. Raises
    DatasetError for a line that is no row of the dataset or must not be read, and where no row is left. The last one
    loaded is kept while its files are as they were: a command checks its dataset before its flow loads it.
    """
    if reference.startswith(PREFIX):
        return _loaded(reference, ())
    path = find(reference)
    files = sorted(path.rglob("*")) if path.is_dir() else [path, path.with_name(TESTS)]
    there = ((file, file.stat()) for file in files if file.exists())
    return _loaded(str(path), tuple((file, found.st_size, found.st_mtime_ns) for file, found in there))


@functools.lru_cache(maxsize=1)
def _loaded(reference: str, _as_it_is: tuple[tuple[Path, int, int], ...]) -> Dataset:
    source = source_of_hub(reference) if reference.startswith(PREFIX) else _local(Path(reference))
    path, loader, broken = source.path, None, list[str]()
    problems: list[Listed] = []
    skipped: list[str] = []
    notes: list[str] = []
    seen: dict[str, Found] = {}
    for found in source.rows:
        loader = loader or _loader(found.row)
        said: list[str] = []
        try:
            problem = _problem(path, found, loader, said.append)
        except Unusable as reason:
            broken += [f"{path}, {found.where}: {reason}"] if isinstance(reason, _Broken) else []
            skipped.append(f"{found.where}: {_named(found.row, str(reason))}")
            continue
        first = seen.setdefault(problem.id, found._replace(row={}))
        if first.where == found.where:
            make = partial(made_again, path, found.where, found.again, loader, problem.id)
            problems.append(listed(problem, make))
            notes += [f"{found.where}, {problem.id}: {each}" for each in said]
        elif first.again() == found.row:
            skipped.append(f"{found.where}: {problem.id} repeats {first.where}")
        else:
            skipped.append(f"{found.where}: the id {problem.id!r} is that of {first.where} too")
    if not problems:
        none = f"{path}: no row can be used; {skipped[0]}" if skipped else f"{path} holds no rows"
        raise DatasetError(broken[0] if broken else none)
    return Dataset(source.name, path, source.digest(), Problems(problems), tuple(skipped), tuple(notes))


def find(reference: str) -> Path:
    """Return the file or the folder of a dataset; raises DatasetError with what can be done."""
    path = Path(reference)
    if path.is_file() or (reference.strip() and path.is_dir() and folder_of(path) is not None):
        return path
    folders = [BUNDLED, *(Path(folder) for folder in [os.environ.get("CONSORT_DATA")] if folder)]
    files = [file for each in folders if each.is_dir() for kind in KNOWN for file in sorted(each.glob(kind))]
    named = [file for file in files if stem_of(file).casefold() == reference.casefold()]
    if named:
        return named[0]
    known = ", ".join(sorted({stem_of(file) for file in files})) or "none"
    hub = hub_reference(reference)
    raise DatasetError(
        f"dataset {reference!r}: no such file, and no dataset of that name (known: {known}); give the path of a "
        "JSONL file, or name the folder it is in with CONSORT_DATA"
        + (f", or take it from the hub: --dataset {hub} (pip install 'consort[hub]')" if hub else "")
    )


def hub_reference(name: str) -> str | None:
    """Return where on the hub a dataset of this name is, as its loader says in `HUB`; None where none says so."""
    plain = re.sub(r"[^a-z0-9]", "", name.casefold().replace("+", "plus"))
    for loader in loaders().values():
        known: dict[str, str] = getattr(loader, "HUB", {})
        if plain in known:
            return PREFIX + known[plain]
    return None


def loaders() -> dict[str, ModuleType]:
    """Return every loader by name: the files of tasks/datasets/ that recognise rows."""
    modules = {
        found.name: importlib.import_module(f"tasks.datasets.{found.name}")
        for found in pkgutil.iter_modules(tasks.datasets.__path__)
        if found.name != "load"
    }
    return {name: module for name, module in modules.items() if hasattr(module, "recognises")}


def _local(path: Path) -> Source:
    if path.is_dir():
        folder, name = folder_of(path), path.resolve().name
    else:
        folder, name = beside_tests([path]) if path.suffix == ".jsonl" else None, stem_of(path)
    if folder is None:
        return Source(name, path, rows_of_file(path), partial(digest_of, path))
    return Source(name, path, folder.rows, folder.digest)


def _loader(row: Row) -> ModuleType:
    known = loaders()
    fitting = [module for module in known.values() if module.recognises(row)]
    if not fitting:
        # The loader whose fields the row has most of can say best what is missing.
        fitting = sorted(known.values(), key=lambda module: -len(row.keys() & module.FIELDS.keys()))
    return fitting[0]


def _named(row: Row, reason: str) -> str:
    """Return a reason with the row's name before it, where it has not begun with that."""
    names = [f"{row[field]}: " for field in IDS if row.get(field) is not None]
    return reason if not names or reason.startswith(tuple(names)) else names[0] + reason


class _Broken(Unusable):
    """A row whose fields are there, but empty or not what they must be."""


def _problem(path: Path, found: Found, loader: ModuleType, note: Note) -> Problem:
    row = found.row
    for field, kind in loader.FIELDS.items():
        value = row.get(field)
        if isinstance(value, kind) and value not in ("", []):
            continue
        fault = "is missing" if field not in row else f"is not a non-empty {getattr(kind, '__name__', kind)}"
        said = f"field {field!r} {fault} (read as {loader.__name__.rpartition('.')[2]})"
        if field in row and value in (None, "", []):
            raise _Broken(said)
        raise DatasetError(f"{path}, {found.where}: {said}")
    try:
        problem: Problem = loader.problem_of(row, note)
    except (Refused, Missing) as fault:
        raise DatasetError(f"{path}, {found.where}: {fault}") from None
    except ValueError as fault:
        raise _Broken(" ".join(str(fault).split())) from None
    return problem

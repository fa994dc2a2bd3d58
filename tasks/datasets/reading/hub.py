"""The rows of a dataset on the Hugging Face hub, by the `datasets` library; a folder in the hub's layout will do.

    hub:OWNER/NAME[:CONFIG][@SPLIT]

Covered: what the hub holds as data. Where a program of its own makes a dataset, that is never run: the hub's own copy
in parquet, which it keeps of most of them, is read in its place.
"""

import contextlib
import hashlib
import importlib
import json
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from tasks.datasets.reading.rows import DatasetError, Found, Source

PREFIX = "hub:"
CONVERTED = "refs/convert/parquet"  # the revision with the hub's copy, a folder a configuration
SCRIPTS = "scripts are no longer supported"
USUAL = "test"  # the split, where none is named and the dataset has it
HOW = f"give {PREFIX}OWNER/NAME[:CONFIG][@SPLIT]"


class Reference(NamedTuple):
    """What is to be loaded; `config` and `split` are None where they are not named."""

    path: str
    config: str | None
    split: str | None


def source_of_hub(said: str) -> Source:
    """Return the rows that `hub:…` names; raises DatasetError where the library, the dataset or the split is missing.

    `digest` is over the rows.
    """
    reference, digest = reference_of(said), hashlib.sha256()
    library = _library(said)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            table = _table(library, reference)
    except Exception as problem:  # noqa: BLE001 - the library, its readers and the network raise anything
        raise DatasetError(f"dataset {said!r}: {_told(problem)}") from None

    def rows() -> Iterator[Found]:
        for number in range(len(table)):
            row = table[number]
            digest.update(json.dumps(row, sort_keys=True, default=str).encode() + b"\n")
            yield Found(f"row {number + 1}", row, partial(table.__getitem__, number))

    name = Path(reference.path).name + (f"-{reference.config}" if reference.config else "")
    return Source(name, Path(said), rows(), digest.hexdigest)


def reference_of(said: str) -> Reference:
    """Return the parts of a reference; raises DatasetError where it names nothing."""
    path, config, split = said.removeprefix(PREFIX), "", ""
    if not Path(path).is_dir():
        before, at, split = path.rpartition("@")
        path, split = (before, split) if at else (path, "")
        path, _, config = path.partition(":")
    if not path.strip("/ "):
        raise DatasetError(f"dataset {said!r} names no dataset; {HOW}")
    return Reference(path, config or None, split or None)


def _library(said: str) -> ModuleType:
    try:
        library = importlib.import_module("datasets")
    except ImportError:
        raise DatasetError(
            f"dataset {said!r}: the hub is read with the library datasets; pip install 'consort[hub]'"
        ) from None
    if not sys.stderr.isatty():
        library.disable_progress_bars()
    return library


def _table(library: ModuleType, reference: Reference) -> Any:
    """Return a table of rows by number, which the library keeps on the disk."""
    try:
        return _loaded(library, reference)
    except Exception as problem:
        if Path(reference.path).exists():
            raise
        # Its configurations are folders there, and no longer configurations. Whether a program is what is wrong the
        # library does not say once it has rows of this dataset in its cache: it then offers those.
        given = {"data_dir": reference.config, "revision": CONVERTED}
        try:
            return _loaded(library, reference._replace(config=None), **given)
        except Exception:  # noqa: BLE001 - there is no such copy, or the hub cannot be reached
            raise problem from None


def _loaded(library: ModuleType, reference: Reference, **given: Any) -> Any:
    path, config, split = reference
    if split is None:
        splits = library.get_dataset_split_names(path, config, **given)
        split = USUAL if USUAL in splits or len(splits) != 1 else splits[0]
    return library.load_dataset(path, config, split=split, **given)


def _told(problem: Exception) -> str:
    """Return the library's complaint as one line, with a remedy."""
    said = " ".join(str(problem).split()) or type(problem).__name__
    if SCRIPTS in said:
        return "a program of its own makes its rows, which is never run; download its files, and give one of them"
    return f"{said[:300]}; {HOW}, or download its files and give their folder"

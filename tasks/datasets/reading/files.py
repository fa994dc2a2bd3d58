"""The rows of one file: JSON lines, plain or gzipped, JSON, or parquet."""

import gzip
import importlib
import json
import zlib
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

from tasks.datasets.fields import Row
from tasks.datasets.reading.rows import DatasetError, Found, Stored, checked, row_of, stored

SUFFIXES = (".jsonl", ".jsonl.gz", ".json", ".parquet")
IDS = ("task_id", "name", "id", "problem_id", "src_uid", "question_id")
AT_ONCE = 16  # rows of a parquet file in memory


def rows_of_file(path: Path, before: str = "") -> Iterator[Found]:
    """Yield a file's rows in order; what is not named as one of SUFFIXES is read as JSON lines.

    `before` is put before "line 7". JSON is a list of rows, or an object of rows by id, or one that has the list as
    `data` or `rows`; it is read as a whole, and the rest row by row. Raises DatasetError.
    """
    try:
        if path.name.endswith(".parquet"):
            yield from stored(_named(before, "row", _parquet(path)))
        elif path.name.endswith(".json") and (rows := _json(path)) is not None:
            yield from stored(_named(before, "row", rows))
        elif path.name.endswith(".gz"):
            yield from _unzipped(path, before)
        else:
            yield from _lines(path, before)
    except (OSError, EOFError, zlib.error) as problem:
        raise DatasetError(f"{path} cannot be read ({getattr(problem, 'strerror', None) or problem})") from None


def stem_of(path: Path) -> str:
    """Return a file's name without what says its format; a folder's name as it is."""
    for suffix in SUFFIXES:
        if path.name.casefold().endswith(suffix) and not path.is_dir():
            return path.name[: -len(suffix)]
    return path.name if path.is_dir() else path.stem


def _named(before: str, unit: str, rows: Iterable[Row]) -> Iterator[tuple[str, Row]]:
    return ((f"{before}{unit} {number}", row) for number, row in enumerate(rows, start=1))


def _lines(path: Path, before: str) -> Iterator[Found]:
    with path.open("rb") as file:
        kept, offset = Stored(file), 0
        for number, line in enumerate(file, start=1):
            row = _line(path, before, number, line)
            if row is not None:
                yield Found(f"{before}line {number}", row, partial(kept.row, offset, len(line)))
            offset += len(line)


def _unzipped(path: Path, before: str) -> Iterator[Found]:
    """Yield the rows from a temporary file: what is zipped cannot be read from the middle."""

    def rows() -> Iterator[tuple[str, Row]]:
        with gzip.open(path, "rb") as file:
            for number, line in enumerate(file, start=1):
                row = _line(path, before, number, line)
                if row is not None:
                    yield f"{before}line {number}", row

    return stored(rows())


def _line(path: Path, before: str, number: int, line: bytes) -> Row | None:
    """Return the row of a line, None for a blank one."""
    try:
        text = line.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError:
        raise DatasetError(f"{path} is not UTF-8 text; give a JSONL file") from None
    if not text.strip():
        return None
    try:
        return row_of(text)
    except ValueError as fault:
        raise DatasetError(f"{path}, line {number}: {fault}") from None


def _json(path: Path) -> list[Row] | None:
    """Return the rows of a JSON file; None for one that is JSON lines all the same."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        found = json.loads(text)
        if "\\ud" in text.lower():
            checked(found)
    except UnicodeDecodeError:
        raise DatasetError(f"{path} is not UTF-8 text; give JSON, JSONL or parquet") from None
    except json.JSONDecodeError as fault:
        if fault.msg == "Extra data" and text.lstrip().startswith("{"):
            return None
        raise DatasetError(f"{path}: not JSON ({fault})") from None
    except (ValueError, RecursionError) as fault:
        raise DatasetError(f"{path}: not JSON ({fault})") from None
    if isinstance(found, dict):
        found = next((found[name] for name in ("data", "rows") if isinstance(found.get(name), list)), found)
    if isinstance(found, dict) and all(isinstance(each, dict) for each in found.values()):
        return [row if row.keys() & {*IDS} else {"task_id": name, **row} for name, row in found.items()]
    if isinstance(found, dict):
        return None
    if not (isinstance(found, list) and all(isinstance(each, dict) for each in found)):
        raise DatasetError(f"{path}: neither a list of JSON objects nor an object of them by id")
    return [each["row"] if isinstance(each.get("row"), dict) else each for each in found]


def _parquet(path: Path) -> Iterator[Row]:
    try:
        arrow, parquet = importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise DatasetError(f"{path}: reading parquet takes pyarrow; pip install 'consort[hub]'") from None
    try:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=AT_ONCE):
                yield from batch.to_pylist()
    except arrow.ArrowException as fault:
        raise DatasetError(f"{path}: not parquet ({' '.join(str(fault).split())})") from None

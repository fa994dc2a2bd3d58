"""Rows of a dataset, each with a way to read it again: none of them has to stay in memory."""

import hashlib
import json
import os
import tempfile
import weakref
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO, NamedTuple

from blocks.errors import UsageError
from tasks.datasets.fields import Row


class DatasetError(UsageError):
    """A dataset that cannot be read; the message names the file, the line and the field."""


class Found(NamedTuple):
    """A row, where it is ("line 7"), and what reads it once more."""

    where: str
    row: Row
    again: Callable[[], Row]


class Source(NamedTuple):
    """A dataset before its rows are looked at. `digest` is its SHA-256, to be asked for behind the last row."""

    name: str
    path: Path
    rows: Iterator[Found]
    digest: Callable[[], str]


class Stored:
    """A file whose parts are read by their place, by any thread; it is closed with the last that refers to it."""

    def __init__(self, file: BinaryIO) -> None:
        self._descriptor = os.dup(file.fileno())
        weakref.finalize(self, os.close, self._descriptor)

    def part(self, offset: int, length: int) -> bytes:
        return os.pread(self._descriptor, length, offset)

    def row(self, offset: int, length: int) -> Row:
        return row_of(self.part(offset, length).decode("utf-8-sig"))


def row_of(text: str) -> Row:
    """Return the object that a text is; raises ValueError where it is none."""
    try:
        row = json.loads(text)
        if "\\ud" in text.lower():
            checked(row)
    except (ValueError, RecursionError) as fault:
        raise ValueError(f"not JSON ({fault})") from None
    if not isinstance(row, dict):
        raise ValueError("not a JSON object")
    return row


def checked(value: object) -> None:
    """Raise ValueError for a value that holds half a surrogate pair: it can be neither sent nor stored."""
    json.dumps(value, ensure_ascii=False, default=str).encode()


def stored(rows: Iterable[tuple[str, Row]]) -> Iterator[Found]:
    """Yield rows that are nowhere a line of their own; they are kept in a temporary file, one line each."""
    with tempfile.TemporaryFile() as file:
        kept, offset = Stored(file), 0
        for where, row in rows:
            line = json.dumps(row, default=str).encode()
            file.write(line)
            file.flush()
            yield Found(where, row, partial(kept.row, offset, len(line)))
            offset += len(line)


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_of_all(folder: Path, files: Iterable[Path]) -> str:
    """Return the SHA-256 of the names and contents of a folder's files."""
    digest = hashlib.sha256()
    for path in files:
        digest.update(f"{path.relative_to(folder).as_posix()}\0{digest_of(path)}\n".encode())
    return digest.hexdigest()

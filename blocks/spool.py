"""The spool: every row of a run as a line of JSON, appended by the process that made it and never lost.

Layout: `<output>/.consort/spool/<run id>/<table>/<execution id>-<segment>.jsonl`. One `write` a row on a descriptor
opened for appending: a process killed at any moment leaves whole lines and at most one torn last one, which
readers skip. A segment is closed at SEGMENT_BYTES, so that an ingest on a timer reads no line many times.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from blocks.records import Row

SEGMENT_BYTES = 4 * 1024 * 1024


class Position(NamedTuple):
    """Where a line stands: file, first byte, length in bytes."""

    path: Path
    offset: int
    length: int


def spool_folder(output: Path, run_id: str | None = None) -> Path:
    """The folder of all spools below an output folder, or of one run's."""
    folder = output / ".consort" / "spool"
    return folder / run_id if run_id else folder


def store_file(output: Path) -> Path:
    """The DuckDB file of an output folder."""
    return output / "consort.duckdb"


class SpoolFull(OSError):
    """A row that could not be written; everything written before it is whole."""


class Spool:
    """The rows that one execution appends; to be closed."""

    def __init__(self, output: Path, run_id: str, execution_id: str) -> None:
        self.folder = spool_folder(output, run_id)
        self.execution_id = execution_id
        self._open: dict[str, _Segment] = {}

    def append(self, row: Row) -> Position:
        """Write a row; it is in the file when this returns. Raises SpoolFull where the disk takes no more."""
        try:
            return self._append(row)
        except SpoolFull:
            raise
        except OSError as problem:
            raise SpoolFull(f"{self.folder} takes no more rows ({problem.strerror})") from None

    def _append(self, row: Row) -> Position:
        segment = self._open.get(row.table)
        if segment is None or segment.size >= SEGMENT_BYTES:
            number = 0
            if segment is not None:
                segment.close()
                number = segment.number + 1
            segment = self._open[row.table] = _Segment(self.folder / row.table, self.execution_id, number)
        return segment.append(row.model_dump_json().encode() + b"\n")

    def close(self) -> None:
        """Bring every line to the disk and close the files."""
        for segment in self._open.values():
            segment.close()
        self._open.clear()


class _Segment:
    def __init__(self, folder: Path, execution_id: str, number: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.number = number
        self.path = folder / f"{execution_id}-{number:04}.jsonl"
        self.file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self.size = os.fstat(self.file).st_size

    def append(self, line: bytes) -> Position:
        position = Position(self.path, self.size, len(line))
        written = os.write(self.file, line)
        if written != len(line):  # a full disk takes a part, which would spoil the next line
            os.ftruncate(self.file, self.size)
            raise SpoolFull(f"{self.path}: wrote {written} of {len(line)} bytes; is the disk full?")
        self.size += written
        return position

    def close(self) -> None:
        os.fsync(self.file)
        os.close(self.file)


def read_lines(folder: Path) -> Iterator[tuple[Position, bytes]]:
    """Yield every whole line of the files in a folder, with its place, file by file."""
    for path in sorted(folder.glob("*.jsonl")):
        offset = 0
        with path.open("rb") as file:
            for line in file:
                if line.endswith(b"\n"):
                    yield Position(path, offset, len(line)), line
                offset += len(line)


def read_line(position: Position) -> bytes:
    """Read one line again."""
    with position.path.open("rb") as file:
        file.seek(position.offset)
        return file.read(position.length)

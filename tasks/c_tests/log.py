"""`logs/generation_log_<timestamp>.csv`: a line for each file as it ends, so that `tail -f` follows a run."""

import contextlib
import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from blocks.records import AttemptRow, CallRow, now
from tasks.c_tests.files import append
from tasks.c_tests.findings import first_error
from tasks.c_tests.making import Maker
from tasks.c_tests.sources import Unusable
from tasks.runs import OpenRun

COLUMNS = (
    "timestamp", "problem_dir", "c_file", "c_file_path", "success", "processing_time", "test_count", "success_rate",
    "error", "model", "line_coverage",
)  # fmt: skip


class Ended(NamedTuple):
    """How a file ended, in a word, and what there is to say of it."""

    outcome: str
    said: str


class GenerationLog:
    """The log of one execution. `errors` has what kept files from an end; `started` is when it began."""

    def __init__(self, folder: Path, maker: Maker, run: OpenRun) -> None:
        self.started = now()
        self.errors: dict[str, str] = {}
        self._path = folder / f"generation_log_{datetime.now():%Y%m%d_%H%M%S}.csv"
        self._maker = maker
        self._run = run
        self._heard: dict[str, tuple[AttemptRow, list[str]]] = {}
        if not self._path.exists():
            self._write(COLUMNS)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Hear of the run's attempts while the context lasts, after whoever hears of them already."""
        others = self._run.tell
        asked = {each.endpoint: each.model for model in self._run.models for each in model.standing()}

        def tell(row: AttemptRow, calls: list[CallRow]) -> None:
            self._heard[row.problem_id] = row, list(dict.fromkeys(asked.get(c.endpoint, c.model) for c in calls))
            if others is not None:
                others(row, calls)

        self._run.tell = tell
        try:
            yield
        finally:
            self._run.tell = others

    def ended(self, path: str, end: str, said: str) -> Ended:
        """Write the line of a file that ended; `end` and `said` are what `tasks.attempt_tasks` tells of it."""
        row, models = self._heard.pop(path, (None, []))
        made = self._maker.made.get(path) if end != "error" else None
        if made is None:
            self.errors[path] = said
        seconds = round((row.finished_at - row.started_at).total_seconds(), 3) if row is not None else None
        error = said if made is None else made.error or ""
        if made is not None and made.outcome == "short":
            error = f"short: {error}"
        self._line(
            path,
            success=made is not None and made.outcome == "complete",
            processing_time=seconds,
            test_count=made.tests if made else 0,
            success_rate=round(100 * made.tests / made.tried, 1) if made and made.tried else None,
            error=" ".join(error.split()),
            model="+".join(models),
            line_coverage=made.line_coverage if made else None,
        )
        if made is None:
            return Ended("error", said)
        if made.outcome != "complete":
            return Ended(made.outcome, first_error(made.error or ""))
        counted = (
            f"{made.tests} test{'s' if made.tests != 1 else ''}, {made.rounds} round{'s' if made.rounds != 1 else ''}"
        )
        return Ended("complete", ", ".join([counted, *models]))

    def unusable(self, file: Unusable) -> None:
        """Write the line of a file that no tests are made for."""
        self._line(file.path, success=False, test_count=0, error=f"unusable: {file.reason}")

    def _line(self, path: str, **fields: object) -> None:
        file = PurePosixPath(path)
        folder = file.parent.parent if file.parent.name == "C" else file.parent
        known = {"timestamp": datetime.now().isoformat(timespec="seconds"), "problem_dir": str(folder)}
        known |= {"c_file": file.name, "c_file_path": path}
        values = {**known, **fields}
        self._write(tuple(values.get(column) for column in COLUMNS))

    def _write(self, values: tuple[object, ...]) -> None:
        line = io.StringIO()
        csv.writer(line, lineterminator="\n").writerow(values)
        with contextlib.suppress(OSError):  # a disk that is full is met where it matters
            append(self._path, line.getvalue())

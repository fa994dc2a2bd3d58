"""What earlier rounds and executions of a run found out of inputs: an attempt that resumes sees what it saw before.

A program near its time limit may pass it the second time; the next round's prompt would differ, and its reply be paid
for again. Rows are read back from the run's spool; only their places are kept in memory.
"""

import hashlib

from pydantic import ValidationError

from blocks.records import TestInputRow
from blocks.spool import Position, Spool, read_line, read_lines
from tasks.c_tests.trying import Tried


class KnownInputs:
    """Inputs that were tried, by problem, source text and input."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._places: dict[tuple[str, str, str], Position] = {}
        for place, line in read_lines(spool.folder / TestInputRow.table):
            try:
                row = TestInputRow.model_validate_json(line)
            except ValidationError:
                continue  # a line that somebody touched
            self._places[_key(row.problem_id, row.source, row.input)] = place

    def find(self, problem_id: str, source: str, text: str) -> Tried | None:
        """Return what became of an input, None where it has not been tried."""
        place = self._places.get(_key(problem_id, source, text))
        if place is None:
            return None
        row = TestInputRow.model_validate_json(read_line(place))
        return Tried.model_validate({name: getattr(row, name) for name in Tried.model_fields})

    def add(self, row: TestInputRow) -> None:
        """Record an input that was tried."""
        self._places[_key(row.problem_id, row.source, row.input)] = self._spool.append(row)


def _key(problem_id: str, source: str, text: str) -> tuple[str, str, str]:
    return problem_id, source, hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

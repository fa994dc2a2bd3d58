"""The sample reports of a run: an attempt that resumes, or is tried again, sees what it saw before.

A program that looks at the clock or at random numbers may do otherwise in the samples the second time; its debugging
prompt would differ, and its reply be paid for again.
"""

from blocks.records import ProgramRow
from blocks.spool import Position, Spool, read_line, read_lines


class ReportCache:
    """Reports by problem, sample and round, found where the program is the same. Only places are kept in memory."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._places: dict[tuple[str, int, int], Position] = {}
        for place, line in read_lines(spool.folder / ProgramRow.table):
            try:
                row = ProgramRow.model_validate_json(line)
            except ValueError:
                continue  # not a row: a disk that was full, a line that somebody touched
            self._places[row.problem_id, row.sample, row.round] = place

    def add(self, row: ProgramRow) -> None:
        """Record a round's program and report."""
        self._places[row.problem_id, row.sample, row.round] = self._spool.append(row)

    def forget(self, problem_id: str, sample: int, rounds: int) -> None:
        """Drop the rounds of an attempt that is finished: nobody will ask for them again in this execution."""
        for number in range(rounds):
            self._places.pop((problem_id, sample, number), None)

    def find(self, problem_id: str, sample: int, round: int, program: str) -> ProgramRow | None:
        """Return the row of that round where it was about this program."""
        place = self._places.get((problem_id, sample, round))
        row = ProgramRow.model_validate_json(read_line(place)) if place else None
        return row if row is not None and row.program == program else None

"""Results.jsonl: a row a problem, or of graded solutions a row a program; rows that nothing has changed are kept."""

import json
from array import array
from collections import defaultdict
from pathlib import Path
from types import TracebackType
from typing import Any

from blocks.records import CallRow
from tasks.reporting.queries import AttemptUse
from tasks.reporting.spooled_rows import ProblemRows

TEST_FIELDS = (
    "suite", "test", "outcome", "cpu_seconds", "wall_seconds", "peak_memory", "detail", "comparison", "isolation",
)  # fmt: skip
CALL_FIELDS = (
    "stage", "ordinal", "model_number", "model", "prompt_tokens", "completion_tokens", "seconds", "ttft",
    "finish_reason",
)  # fmt: skip
HEAD = b'{"task_id": '


class OldResults:
    """The lines of a Results.jsonl by problem; only their places are in memory. It reads on where the file is gone.

    Of a file that is not there, it has none.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb") if path.exists() else None
        self._spans: dict[str, array[int]] = defaultdict(lambda: array("q"))
        offset = 0
        for line in self._file or ():
            problem_id = _problem_of(line)
            if problem_id is not None:
                self._spans[problem_id].extend((offset, len(line)))
            offset += len(line)

    def __enter__(self) -> "OldResults":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def problems(self) -> set[str]:
        """Return the ids of the problems that have lines."""
        return set(self._spans)

    def lines(self, problem_id: str) -> list[bytes]:
        """Return the lines of a problem."""
        spans, lines = self._spans.get(problem_id, array("q")), []
        for at in range(0, len(spans), 2):
            assert self._file is not None
            self._file.seek(spans[at])
            lines.append(self._file.read(spans[at + 1]))
        return lines


def problem_lines(attempts: list[AttemptUse], rows: ProblemRows, language: str, models: int) -> list[bytes]:
    """Return the line of a problem: its programs, and what each attempt took of the run's models."""
    programs = [rows.attempts.get(attempt.sample) for attempt in attempts]
    return [
        _line(
            {
                "task_id": attempts[0].problem_id,
                "language": language,
                "source_codes": [row.program if row else None for row in programs],
                "run_details": [
                    _run_details(attempt, rows.calls.get(attempt.sample, []), models) for attempt in attempts
                ],
                "no_of_try": len(attempts),
                "is_solved": any(attempt.solved for attempt in attempts),
            }
        )
    ]


def graded_lines(attempts: list[AttemptUse], rows: ProblemRows) -> list[bytes]:
    """Return the lines of a problem's graded solutions: one a program."""
    return [
        _line(
            {
                "task_id": attempt.problem_id,
                "sample": attempt.sample,
                "is_solved": attempt.solved,
                "outcome": attempt.outcome,
                "tests": [
                    {name: getattr(test, name) for name in TEST_FIELDS} for test in rows.tests.get(attempt.sample, [])
                ],
            }
        )
        for attempt in attempts
    ]


def call_details(call: CallRow) -> dict[str, Any]:
    """Return what files for people tell of a call: its texts where the run keeps them."""
    told = {name: getattr(call, name) for name in CALL_FIELDS}
    if call.keep_text:
        told["messages"] = None if call.messages is None else [message.model_dump() for message in call.messages]
        told["reply"] = call.reply
    return told


def _run_details(attempt: AttemptUse, calls: list[CallRow], models: int) -> dict[str, Any]:
    details: dict[str, Any] = {
        "api_calls": attempt.api_calls,
        "taken_time": attempt.seconds,
        "prompt_tokens": attempt.prompt_tokens,
        "completion_tokens": attempt.completion_tokens,
        "outcome": attempt.outcome,
        "error_kind": attempt.error_kind,
        "served_by": attempt.served_by,
    }
    for number in range(1, models + 1):
        mine = [call for call in calls if call.model_number == number]
        details[f"model{number}_calls"] = len(mine)
        details[f"model{number}_prompt_tokens"] = _sum([call.prompt_tokens for call in mine])
        details[f"model{number}_completion_tokens"] = _sum([call.completion_tokens for call in mine])
    if all(call.keep_text for call in calls):
        details["details"] = [call_details(call) for call in calls]
    return details


def _sum(counts: list[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None


def _line(row: dict[str, Any]) -> bytes:
    return json.dumps(row, ensure_ascii=False).encode("utf-8", "replace") + b"\n"


def _problem_of(line: bytes) -> str | None:
    """Read the id at the beginning of a line, which may hold megabytes; None where it is no whole line."""
    if not line.startswith(HEAD) or not line.endswith(b"\n"):
        return None
    end = line.find(b'", "', len(HEAD))
    try:
        said = json.loads(line[len(HEAD) : end + 1])
    except ValueError:
        return None
    return said if isinstance(said, str) else None

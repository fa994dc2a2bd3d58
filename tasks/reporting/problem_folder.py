"""A problem's folder: its statement, every round's program and report, the last program, and the whole history."""

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson

from blocks.records import AttemptRow, CallRow, ProgramRow
from tasks.names import file_name, short_hash
from tasks.reporting.queries import AttemptUse
from tasks.reporting.results_file import call_details
from tasks.reporting.spooled_rows import ProblemRows
from tasks.sandbox.languages import named


class Folders:
    """Where the folder of each attempt is; problems whose ids make one file name have a hash behind it."""

    def __init__(self, folder: Path, problems: Iterable[str], samples: int) -> None:
        self._folder = folder / "problems"
        self._samples = samples
        self._taken = Counter(file_name(problem_id).casefold() for problem_id in problems)

    def of(self, problem_id: str, sample: int) -> Path:
        """Return the folder of an attempt."""
        name = file_name(problem_id)
        if self._taken[name.casefold()] > 1:
            name = f"{name}-{short_hash(problem_id)}"
        return self._folder / name if self._samples == 1 else self._folder / name / f"sample_{sample}"


def written_by(folder: Path) -> str | None:
    """Return the execution whose attempt a folder tells of; None where it is not whole."""
    try:
        with (folder / "session_history.json").open(encoding="utf-8") as file:
            head = file.read(200)
    except OSError:
        return None
    said = re.search(r'"execution_id": "([^"]*)"', head)
    return said[1] if said else None


def write_problem(where: Path, attempt: AttemptUse, rows: ProblemRows, language: str, statement: str) -> None:
    """Write the folder of an attempt; `language` is the run's."""
    calls = rows.calls.get(attempt.sample, [])
    last = rows.attempts.get(attempt.sample)
    rounds = rows.rounds.get(attempt.sample) or _only_round(last, calls)
    found = named(attempt.language or language)
    extension = found.extension if found else "txt"
    where.mkdir(parents=True, exist_ok=True)
    _write(where / "problem_statement.txt", statement)
    for each in rounds:
        folder = where / f"round_{each.round}"
        folder.mkdir(exist_ok=True)
        _write(folder / f"code_iteration.{extension}", each.program)
        if each.report:
            _write(folder / "report_iteration.txt", each.report)
    if last is not None and last.program is not None:
        _write(where / f"final_solution.{extension}", last.program)
    history = {
        "execution_id": attempt.execution_id,
        "problem_id": attempt.problem_id,
        "sample": attempt.sample,
        "solved": attempt.solved,
        "outcome": attempt.outcome,
        **_rounds(rounds),
        "calls": [call_details(call) for call in calls],
    }
    # Written last: a folder that has it is whole.
    text = orjson.dumps(history, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    write_whole(where / "session_history.json", text.decode())


def write_whole(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    part = path.with_name(path.name + ".part")
    _write(part, text)
    part.replace(path)


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", errors="replace")


def _only_round(last: AttemptRow | None, calls: list[CallRow]) -> list[ProgramRow]:
    """The round of a strategy that runs nothing on the way: its program. One that no model wrote has none."""
    if last is None or last.program is None or not calls:
        return []
    said = {name: getattr(last, name) for name in ("run_id", "written_at", "problem_id", "sample", "program")}
    return [ProgramRow(**said, round=0, stage=calls[-1].stage, samples=0, samples_passed=0, report="")]


def _rounds(rounds: list[ProgramRow]) -> dict[str, Any]:
    """The rounds as the history tells them: the last plan, and of each round what there is; another plan with it."""
    plan = next((each.plan for each in reversed(rounds) if each.plan), None)
    told: dict[str, Any] = {"plan": plan} if plan else {}
    for each in rounds:
        parts = {"code": each.program, "report": each.report, "tests": each.tests}
        if each.plan != plan:
            parts = {"plan": each.plan, **parts}
        told[f"Round_{each.round}"] = {name: text for name, text in parts.items() if text}
    return told

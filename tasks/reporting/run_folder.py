"""The run folder: summaries, results and a folder a problem, written from the run's own spool."""

import json
from collections.abc import Callable, Iterable
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import duckdb

from blocks.database import load_run
from blocks.records import AttemptRow, CallRow, ExecutionRow, ProgramRow, RunRow, TestRow
from tasks.reporting import queries
from tasks.reporting.problem_folder import Folders, write_problem, write_whole, written_by
from tasks.reporting.queries import AttemptUse
from tasks.reporting.report_text import Parameters, Worked, report_text
from tasks.reporting.results_file import OldResults, graded_lines, problem_lines
from tasks.reporting.spooled_rows import Places, ProblemRows, find_rows, read_rows
from tasks.reporting.summary import Summary
from tasks.reporting.texts import summary_text

RESULTS = "Results.jsonl"

Statements = Callable[[str], str]  # the text of a problem by its id


class About(NamedTuple):
    """What the shape of a run folder depends on, and how the run was worked on."""

    models: list[str]
    references: tuple[str, ...]
    language: str
    suite: str
    worked: Worked


def write_run_folder(output: Path, folder: Path, run_id: str, statement_of: Statements) -> Summary:
    """Write everything in a run's folder but Log.txt and config.json; return the summary.

    A problem's own folder and its results are left as they are where no execution has touched its attempts since
    they were written. Texts are in memory for one problem at a time.
    """
    with load_run(output, run_id, tables=(RunRow, ExecutionRow, AttemptRow, CallRow)) as run:
        summary = queries.summary(run, run_id)
        attempts = queries.attempt_use(run, run_id)
        about = _about(run, run_id)
    write_whole(folder / "summary.json", summary.model_dump_json(indent=2) + "\n")
    text = summary_text(summary, attempts, about.references, about.suite)
    for path in _summary_paths(folder, summary.flow, about):
        write_whole(path, text)
    write_whole(folder / "REPORT.txt", report_text(summary, attempts, about.worked))
    folders = Folders(folder, {attempt.problem_id for attempt in attempts}, about.worked.samples)
    stale = {
        (attempt.problem_id, attempt.sample)
        for attempt in attempts
        if written_by(folders.of(attempt.problem_id, attempt.sample)) != attempt.execution_id
    }
    if stale or not (folder / RESULTS).exists():
        _write_texts(output, folder, summary, attempts, stale, folders, about, statement_of)
    return summary


def _about(run: duckdb.DuckDBPyConnection, run_id: str) -> About:
    found = queries.row(run, "SELECT models, language, samples, configuration FROM runs WHERE run_id = ?", run_id)
    workers = queries.row(
        run,
        """SELECT arg_max(workers, started_at) AS workers, arg_max(eval_workers, started_at) AS eval_workers
           FROM executions WHERE run_id = ?""",
        run_id,
    )
    configuration = json.loads(found["configuration"])
    parameters: Parameters = configuration.get("parameters") or {}
    return About(
        models=found["models"],
        references=tuple(configuration.get("references") or found["models"]),
        language=found["language"],
        suite=configuration.get("suite", "hidden"),
        worked=Worked(samples=found["samples"], parameters=parameters, **workers),
    )


def _summary_paths(folder: Path, flow: str, about: About) -> list[Path]:
    """Where the summary for people goes: what the extended tests said of a run's programs is told there as well."""
    if about.suite == "hidden":
        return [folder / "Summary.txt"]
    graded = [Path(reference) for reference in about.references if flow == "grade"]
    return [each / "Summary-ET.txt" for each in (folder, *graded) if (each / "config.json").is_file()]


def _write_texts(
    output: Path,
    folder: Path,
    summary: Summary,
    attempts: Iterable[AttemptUse],
    stale: set[tuple[str, int]],
    folders: Folders,
    about: About,
    statement_of: Statements,
) -> None:
    """Write Results.jsonl and the stale problem folders; problems without a stale attempt keep their lines."""
    problems = [(name, list(those)) for name, those in groupby(attempts, key=lambda attempt: attempt.problem_id)]
    part = folder / f"{RESULTS}.part"
    with OldResults(folder / RESULTS) as old, part.open("wb") as results:
        (folder / RESULTS).unlink(missing_ok=True)  # until it is whole again: then a next execution writes it
        touched = {problem_id for problem_id, _ in stale}
        kept = old.problems() - touched
        places = _places(output, summary, [name for name, _ in problems if name not in kept])
        for problem_id, tried in problems:
            if problem_id in kept:
                results.writelines(old.lines(problem_id))
                continue
            rows = read_rows(places, problem_id)
            results.writelines(_lines(summary.flow, tried, rows, about))
            fresh = [attempt for attempt in tried if (problem_id, attempt.sample) in stale]
            statement = statement_of(problem_id) if fresh else ""
            for attempt in fresh:
                where = folders.of(problem_id, attempt.sample)
                write_problem(where, attempt, rows, about.language, statement)
    part.replace(folder / RESULTS)


def _places(output: Path, summary: Summary, problems: list[str]) -> Places:
    tests = (TestRow,) if summary.flow == "grade" else ()
    return find_rows(output, summary.run_id, problems, (AttemptRow, CallRow, ProgramRow, *tests))


def _lines(flow: str, attempts: list[AttemptUse], rows: ProblemRows, about: About) -> list[bytes]:
    if flow == "grade":
        return graded_lines(attempts, rows)
    return problem_lines(attempts, rows, about.language, len(about.models))

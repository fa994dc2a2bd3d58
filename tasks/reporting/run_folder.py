"""The run folder: summaries, results and a folder a problem, written from the run's own spool."""

import json
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import duckdb

from blocks.store import load_run
from tasks.reporting import queries
from tasks.reporting.log import model_configuration
from tasks.reporting.queries import Summary
from tasks.runs import file_name

EXTENSIONS = {"Python3": "py"}
BATCH = 200  # attempts whose texts are held in memory at once


def write_run_folder(output: Path, folder: Path, run_id: str, statements: dict[str, str]) -> Summary:
    """Write everything in a run's folder but Log.txt and config.json; return the summary.

    A problem's own folder is written where it is missing or the latest execution finished the attempt.
    `statements` gives the text of each problem.
    """
    with load_run(output, run_id) as run:
        summary = queries.summary(run, run_id)
        attempts = queries.calls_by_problem(run, run_id)
        about = queries.row(run, "SELECT models, language, samples, configuration FROM runs WHERE run_id = ?", run_id)
        latest = queries.row(
            run,
            "SELECT arg_max(execution_id, started_at) AS execution_id FROM executions WHERE run_id = ?",
            run_id,
        )["execution_id"]
    _write(folder / "summary.json", summary.model_dump_json(indent=2) + "\n")
    _write(folder / "Summary.txt", summary_text(summary, attempts, tuple(about["models"])))
    _write(folder / "REPORT.txt", report_text(summary, attempts))
    extension = EXTENSIONS.get(about["language"], "txt")
    stale = [
        attempt
        for attempt in attempts
        if attempt["execution_id"] == latest
        or not (_attempt_folder(folder, attempt, about["samples"]) / "session_history.json").exists()
    ]
    if stale or not (folder / "Results.jsonl").exists():
        with load_run(output, run_id, texts=True) as run:
            _write_results(run, folder / "Results.jsonl", run_id, attempts, about)
            for first in range(0, len(stale), BATCH):
                _write_problems(
                    run, folder, run_id, stale[first : first + BATCH], about["samples"], statements, extension
                )
    return summary


def summary_text(summary: Summary, attempts: list[dict[str, Any]], models: tuple[str, ...]) -> str:
    """Summary.txt: totals, averages, and how many calls the solved and the unsolved took."""
    calls = [attempt["api_calls"] for attempt in attempts]
    seconds = [attempt["seconds"] or 0.0 for attempt in attempts]
    count = max(1, len(attempts))
    two = len(models) > 1
    lines = [
        *([model_configuration(models)] if two else []),
        *(["Replies of this run were recorded, no model was asked.", ""] if summary.recorded else []),
        _line("Accuracy", summary.accuracy),
        _line("Solved", summary.solved),
        _line("Unsolved", summary.unsolved),
        _line("Errors", summary.errors),
        *[_line(f"pass@{k}", value) for k, value in summary.pass_at_k.items() if len(summary.pass_at_k) > 1],
        "",
        _line("Total Prompt Tokens", summary.prompt_tokens),
        _line("Average Prompt Tokens", _average(summary.prompt_tokens, count)),
        _line("Total Completion Tokens", summary.completion_tokens),
        _line("Average Completion Tokens", _average(summary.completion_tokens, count)),
        *([_line("Calls Without Usage", summary.calls_without_usage)] if summary.calls_without_usage else []),
        _line("Total Cost (USD)", summary.cost_usd),
        "",
        _line("Total Time (s)", round(sum(seconds), 2)),
        _line("Average Time (s)", round(sum(seconds) / count, 2)),
        "",
        _line("Total Api Calls", summary.api_calls),
        _line("Max Api Calls", max(calls, default=0)),
        _line("Min Api Calls", min(calls, default=0)),
        _line("Average Api Calls", round(summary.api_calls / count, 1)),
        "",
        *_histogram("Solved", [a["api_calls"] for a in attempts if a["solved"]]),
        "",
        *_histogram("Unsolved", [a["api_calls"] for a in attempts if a["solved"] is False]),
    ]
    if two:
        lines += ["", "=" * 70, "=== Model-wise Statistics ===", *_model_statistics(summary)]
    return "\n".join(lines) + "\n"


def report_text(summary: Summary, attempts: list[dict[str, Any]]) -> str:
    """REPORT.txt: the run at a glance, then a line a problem."""
    marks = {True: "PASS ", False: "FAIL ", None: "ERROR"}
    wall = summary.wall_seconds
    return "\n".join(
        [
            f"{summary.strategy} on {summary.dataset}, {' + '.join(summary.models)}",
            *(["Replies of this run were recorded, no model was asked."] if summary.recorded else []),
            "",
            f"Solved      {summary.solved} of {summary.problems} ({summary.accuracy} %), errors {summary.errors}",
            f"Calls       {summary.api_calls}, of which {summary.cached_calls} had been paid for before",
            f"Tokens      {summary.prompt_tokens} prompt, {summary.completion_tokens} completion",
            f"Time        {'unknown' if wall is None else f'{wall:.1f} s'} in the last execution",
            f"Isolation   {summary.isolation}",
            "",
            *(
                f"{marks[attempt['solved']]}  {attempt['problem_id']}"
                + (f", sample {attempt['sample']}" if attempt["sample"] else "")
                + f"  {attempt['outcome']}, {attempt['api_calls']} calls"
                for attempt in attempts
            ),
            "",
        ]
    )


def _write_results(
    run: duckdb.DuckDBPyConnection,
    path: Path,
    run_id: str,
    attempts: list[dict[str, Any]],
    about: dict[str, Any],
) -> None:
    """Results.jsonl: a row a problem; prompts and replies only where the run keeps them."""
    problems: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for attempt in attempts:
        problems[attempt["problem_id"]].append(attempt)
    lines = []
    for problem_id, tried in problems.items():
        programs = dict(
            run.execute(
                "SELECT sample, program FROM attempts WHERE run_id = ? AND problem_id = ?",
                [run_id, problem_id],
            ).fetchall()
        )
        result = {
            "task_id": problem_id,
            "language": about["language"],
            "source_codes": [programs.get(attempt["sample"]) for attempt in tried],
            "run_details": [_run_details(run, run_id, attempt, len(about["models"])) for attempt in tried],
            "no_of_try": len(tried),
            "is_solved": any(attempt["solved"] for attempt in tried),
        }
        lines.append(json.dumps(result, ensure_ascii=False))
    _write(path, "".join(line + "\n" for line in lines))


def _run_details(run: duckdb.DuckDBPyConnection, run_id: str, attempt: dict[str, Any], models: int) -> dict[str, Any]:
    calls = _calls(run, run_id, [attempt])
    details: dict[str, Any] = {
        "api_calls": attempt["api_calls"],
        "taken_time": attempt["seconds"],
        "prompt_tokens": attempt["prompt_tokens"],
        "completion_tokens": attempt["completion_tokens"],
        "outcome": attempt["outcome"],
        "error_kind": attempt["error_kind"],
    }
    for number in range(1, models + 1):
        mine = [call for call in calls if call["model_number"] == number]
        details[f"model{number}_calls"] = len(mine)
        details[f"model{number}_prompt_tokens"] = sum(call["prompt_tokens"] or 0 for call in mine)
        details[f"model{number}_completion_tokens"] = sum(call["completion_tokens"] or 0 for call in mine)
    if all(call["keep_text"] for call in calls):
        details["details"] = [_told(call) for call in calls]
    return details


def _write_problems(
    run: duckdb.DuckDBPyConnection,
    folder: Path,
    run_id: str,
    attempts: list[dict[str, Any]],
    samples: int,
    statements: dict[str, str],
    extension: str,
) -> None:
    for attempt in attempts:
        where = _attempt_folder(folder, attempt, samples)
        where.mkdir(parents=True, exist_ok=True)
        problem_id, sample = attempt["problem_id"], attempt["sample"]
        _write(where / "problem_statement.txt", statements.get(problem_id, ""))
        rounds = queries.table(
            run,
            """SELECT round, stage, program, report, samples, samples_passed FROM programs
               WHERE run_id = ? AND problem_id = ? AND sample = ? ORDER BY round""",
            run_id,
            problem_id,
            sample,
        )
        for each in rounds:
            (where / f"round_{each['round']}").mkdir(exist_ok=True)
            _write(where / f"round_{each['round']}" / f"code_iteration.{extension}", each["program"])
            _write(where / f"round_{each['round']}" / "report_iteration.txt", each["report"])
        program = queries.row(
            run,
            "SELECT program FROM attempts WHERE run_id = ? AND problem_id = ? AND sample = ?",
            run_id,
            problem_id,
            sample,
        )["program"]
        if program is not None:
            _write(where / f"final_solution.{extension}", program)
        history = {
            "problem_id": problem_id,
            "sample": sample,
            "solved": attempt["solved"],
            "outcome": attempt["outcome"],
            "calls": [_told(call) for call in _calls(run, run_id, [attempt])],
        }
        # Written last: a folder that has it is whole.
        _write(where / "session_history.json", json.dumps(history, indent=2, ensure_ascii=False) + "\n")


def _calls(run: duckdb.DuckDBPyConnection, run_id: str, attempts: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        call
        for attempt in attempts
        for call in queries.table(
            run,
            """SELECT * FROM calls WHERE run_id = ? AND problem_id = ? AND sample = ? AND error_kind IS NULL
               ORDER BY started_at, stage, ordinal""",
            run_id,
            attempt["problem_id"],
            attempt["sample"],
        )
    ]


def _told(call: dict[str, Any]) -> dict[str, Any]:
    told = {
        name: call[name]
        for name in (
            "stage", "ordinal", "model_number", "model", "prompt_tokens", "completion_tokens", "seconds",
            "ttft", "finish_reason",
        )
    }  # fmt: skip
    if call["keep_text"]:
        told["messages"] = json.loads(call["messages"]) if call["messages"] else None
        told["reply"] = call["reply"]
    return told


def _attempt_folder(folder: Path, attempt: dict[str, Any], samples: int) -> Path:
    problem = folder / "problems" / file_name(attempt["problem_id"])
    return problem if samples == 1 else problem / f"sample_{attempt['sample']}"


def _histogram(what: str, calls: list[int]) -> list[str]:
    counts = {number: calls.count(number) for number in sorted(set(calls))}
    lines = [f"  {number:>3} calls: {count}" for number, count in counts.items()]
    return [f"Api Calls -> {what}", *(lines or ["  none"])]


def _model_statistics(summary: Summary) -> list[str]:
    lines = []
    for number, use in enumerate(summary.models.values(), start=1):
        lines += [
            "",
            f"Model {number} Statistics:",
            _line("  Total Api Calls", use.api_calls),
            _line("  Total Prompt Tokens", use.prompt_tokens),
            _line("  Total Completion Tokens", use.completion_tokens),
            _line("  Total Cost (USD)", use.cost_usd),
        ]
    return lines


def _line(name: str, value: object) -> str:
    return f"{name + ':':<34}{'unknown' if value is None else value:>12}"


def _average(total: int | None, count: int) -> float | None:
    return None if total is None else round(total / count, 1)


def _write(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8", errors="replace")
    part.replace(path)

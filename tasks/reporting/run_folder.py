"""The run folder: summaries, results and a folder a problem, written from the run's own spool."""

import json
import re
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any, NamedTuple

import duckdb

from blocks.database import load_run
from tasks.names import file_name, short_hash
from tasks.reporting import queries
from tasks.reporting.summary import Summary
from tasks.reporting.texts import report_text, summary_text
from tasks.sandbox.languages import named

BATCH = 100  # problems whose texts are held in memory at once
TEST_FIELDS = (
    "suite", "test", "outcome", "cpu_seconds", "wall_seconds", "peak_memory", "detail", "comparison", "isolation",
)  # fmt: skip


def write_run_folder(output: Path, folder: Path, run_id: str, statements: dict[str, str]) -> Summary:
    """Write everything in a run's folder but Log.txt and config.json; return the summary.

    `statements` gives the text of each problem. A problem's own folder is left as it is where no execution has
    touched the attempt since it was written.
    """
    with load_run(output, run_id) as run:
        summary = queries.summary(run, run_id)
        attempts = queries.calls_by_problem(run, run_id)
        about = _about(run, run_id)
    _place(folder, attempts, about.samples)
    _write(folder / "summary.json", summary.model_dump_json(indent=2) + "\n")
    text = summary_text(summary, attempts, about.references, about.suite)
    for path in _summary_paths(folder, summary.flow, about):
        _write(path, text)
    _write(folder / "REPORT.txt", report_text(summary, attempts))
    stale = {
        (attempt["problem_id"], attempt["sample"])
        for attempt in attempts
        if _written_by(attempt["folder"]) != attempt["execution_id"]
    }
    if stale or not (folder / "Results.jsonl").exists():
        _write_texts(output, folder, run_id, summary.flow, attempts, stale, about, statements)
    return summary


class About(NamedTuple):
    """What the shape of a run folder depends on."""

    models: list[str]
    references: tuple[str, ...]
    language: str
    samples: int
    suite: str


def _about(run: duckdb.DuckDBPyConnection, run_id: str) -> About:
    found = queries.row(run, "SELECT models, language, samples, configuration FROM runs WHERE run_id = ?", run_id)
    configuration = json.loads(found.pop("configuration"))
    references = configuration.get("references") or found["models"]
    return About(references=tuple(references), suite=configuration.get("suite", "hidden"), **found)


def _summary_paths(folder: Path, flow: str, about: About) -> list[Path]:
    """Where the summary for people goes: what the extended tests said of a run's programs is told there as well."""
    if about.suite == "hidden":
        return [folder / "Summary.txt"]
    graded = [Path(reference) for reference in about.references if flow == "grade"]
    return [each / "Summary-ET.txt" for each in (folder, *graded) if (each / "config.json").is_file()]


def _write_texts(
    output: Path,
    folder: Path,
    run_id: str,
    flow: str,
    attempts: list[dict[str, Any]],
    stale: set[tuple[str, int]],
    about: About,
    statements: dict[str, str],
) -> None:
    """Write Results.jsonl and the stale problem folders, a batch of problems in memory at a time."""
    problems: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for attempt in attempts:
        problems[attempt["problem_id"]].append(attempt)
    part = folder / "Results.jsonl.part"
    (folder / "Results.jsonl").unlink(missing_ok=True)  # until it is whole again: then a next execution writes it
    with load_run(output, run_id, texts=True) as run, part.open("w", encoding="utf-8", errors="replace") as results:
        names = list(problems)
        for first in range(0, len(names), BATCH):
            batch = names[first : first + BATCH]
            texts = _texts(run, run_id, batch)
            for problem_id in batch:
                tried = problems[problem_id]
                lines = _graded(tried, texts) if flow == "grade" else [_result(problem_id, tried, texts, about)]
                results.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
                for attempt in tried:
                    if (problem_id, attempt["sample"]) in stale:
                        _write_problem(attempt, texts, about, statements.get(problem_id, ""))
    part.replace(folder / "Results.jsonl")


class Texts(NamedTuple):
    """Calls, rounds, tests and last programs of a batch of problems, by problem and sample."""

    calls: dict[tuple[str, int], list[dict[str, Any]]]
    rounds: dict[tuple[str, int], list[dict[str, Any]]]
    tests: dict[tuple[str, int], list[dict[str, Any]]]
    programs: dict[tuple[str, int], str | None]


def _texts(run: duckdb.DuckDBPyConnection, run_id: str, problems: list[str]) -> Texts:
    def rows(query: str) -> dict[tuple[str, int], list[dict[str, Any]]]:
        by_attempt: dict[tuple[str, int], list[dict[str, Any]]] = defaultdict(list)
        for each in queries.table(run, query, run_id, problems):
            by_attempt[each["problem_id"], each["sample"]].append(each)
        return by_attempt

    mine = "WHERE run_id = ? AND problem_id IN (SELECT unnest(?))"
    attempts = rows(f"SELECT problem_id, sample, program FROM attempts {mine}")
    return Texts(
        calls=rows(f"SELECT * FROM calls {mine} AND error_kind IS NULL ORDER BY started_at, stage, ordinal"),
        rounds=rows(f"SELECT * FROM programs {mine} ORDER BY round"),
        tests=rows(f"SELECT * FROM tests {mine} ORDER BY suite, test"),
        programs={key: found[0]["program"] for key, found in attempts.items()},
    )


def _graded(tried: list[dict[str, Any]], texts: Texts) -> list[dict[str, Any]]:
    """The rows of graded solutions: one a program."""
    return [
        {
            "task_id": attempt["problem_id"],
            "sample": attempt["sample"],
            "is_solved": attempt["solved"],
            "outcome": attempt["outcome"],
            "tests": [
                {name: test[name] for name in TEST_FIELDS}
                for test in texts.tests[attempt["problem_id"], attempt["sample"]]
            ],
        }
        for attempt in tried
    ]


def _result(problem_id: str, tried: list[dict[str, Any]], texts: Texts, about: About) -> dict[str, Any]:
    """The row of a problem: its programs, and what each attempt took."""
    return {
        "task_id": problem_id,
        "language": about.language,
        "source_codes": [texts.programs.get((problem_id, attempt["sample"])) for attempt in tried],
        "run_details": [
            _run_details(attempt, texts.calls[problem_id, attempt["sample"]], len(about.models)) for attempt in tried
        ],
        "no_of_try": len(tried),
        "is_solved": any(attempt["solved"] for attempt in tried),
    }


def _run_details(attempt: dict[str, Any], calls: list[dict[str, Any]], models: int) -> dict[str, Any]:
    details: dict[str, Any] = {
        "api_calls": attempt["api_calls"],
        "taken_time": attempt["seconds"],
        "prompt_tokens": attempt["prompt_tokens"],
        "completion_tokens": attempt["completion_tokens"],
        "outcome": attempt["outcome"],
        "error_kind": attempt["error_kind"],
        "served_by": attempt["served_by"],
    }
    for number in range(1, models + 1):
        mine = [call for call in calls if call["model_number"] == number]
        details[f"model{number}_calls"] = len(mine)
        for what in ("prompt_tokens", "completion_tokens"):
            counts = [call[what] for call in mine]
            details[f"model{number}_{what}"] = None if None in counts else sum(counts)
    if all(call["keep_text"] for call in calls):
        details["details"] = [_told(call) for call in calls]
    return details


def _write_problem(attempt: dict[str, Any], texts: Texts, about: About, statement: str) -> None:
    where: Path = attempt["folder"]
    key = attempt["problem_id"], attempt["sample"]
    language = named(attempt["language"] or about.language)
    extension = language.extension if language else "txt"
    where.mkdir(parents=True, exist_ok=True)
    _write(where / "problem_statement.txt", statement)
    for each in texts.rounds[key]:
        (where / f"round_{each['round']}").mkdir(exist_ok=True)
        _write(where / f"round_{each['round']}" / f"code_iteration.{extension}", each["program"])
        _write(where / f"round_{each['round']}" / "report_iteration.txt", each["report"])
    program = texts.programs.get(key)
    if program is not None:
        _write(where / f"final_solution.{extension}", program)
    history = {
        "execution_id": attempt["execution_id"],
        "problem_id": attempt["problem_id"],
        "sample": attempt["sample"],
        "solved": attempt["solved"],
        "outcome": attempt["outcome"],
        "calls": [_told(call) for call in texts.calls[key]],
    }
    # Written last: a folder that has it is whole.
    _write(where / "session_history.json", json.dumps(history, indent=2, ensure_ascii=False) + "\n")


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


def _place(folder: Path, attempts: list[dict[str, Any]], samples: int) -> None:
    """Give each attempt its folder; problems whose ids make one file name have a hash behind it."""
    ids = {attempt["problem_id"] for attempt in attempts}
    taken = Counter(file_name(problem_id).casefold() for problem_id in ids)
    for attempt in attempts:
        name = file_name(attempt["problem_id"])
        if taken[name.casefold()] > 1:
            name = f"{name}-{short_hash(attempt['problem_id'])}"
        problem = folder / "problems" / name
        attempt["folder"] = problem if samples == 1 else problem / f"sample_{attempt['sample']}"


def _written_by(folder: Path) -> str | None:
    """Return the execution whose attempt a folder tells of; None where it is not whole."""
    try:
        with (folder / "session_history.json").open(encoding="utf-8") as file:
            head = file.read(200)
    except OSError:
        return None
    said = re.search(r'"execution_id": "([^"]*)"', head)
    return said[1] if said else None


def _write(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8", errors="replace")
    part.replace(path)

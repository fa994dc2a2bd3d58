"""Programs that exist already: files of solutions, and the job of grading them.

A file is JSONL with `task_id` and `completion`, as HumanEval's own tools write it; several rows of one `task_id` are
samples. A completion is a whole program, or the body that goes on where the problem's prompt ends.
"""

import ast
import hashlib
import json
import os
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from blocks.errors import UsageError
from tasks.datasets.load import load
from tasks.python_source import syntax_tree
from tasks.records import Problem
from tasks.runs import Configuration
from tasks.solving import Job, Options, check_numbers, chosen, sandbox_of

REFERENCE = "reference"  # in place of a file: the dataset's own reference programs


class Grading(NamedTuple):
    """A job of grading, and the programs by problem, in the order of their samples."""

    job: Job
    programs: dict[str, list[str]]


async def prepare_grading(options: Options, solutions: str) -> Grading:
    """Check options and solutions into a job; raises UsageError that names file, line and field."""
    check_numbers(options)
    dataset = load(options.dataset)
    problems = chosen(dataset, options)
    if solutions == REFERENCE:
        programs = {problem.id: [problem.reference] for problem in problems if problem.reference is not None}
        name, digest = REFERENCE, dataset.hash
    else:
        path = Path(solutions)
        if not path.is_file():
            raise UsageError(f"--solutions {solutions!r}: there is no such file; give JSONL, or {REFERENCE!r}")
        programs = read_solutions(path, {problem.id: problem for problem in dataset.problems})
        name, digest = path.stem, hashlib.sha256(path.read_bytes()).hexdigest()
    missing = [problem.id for problem in problems if problem.id not in programs]
    problems = tuple(problem for problem in problems if problem.id in programs)
    if not problems:
        raise UsageError(f"--solutions {solutions!r}: none of the chosen problems of {dataset.path} has a program")
    configuration = Configuration(
        flow="grade",
        dataset=dataset.name,
        dataset_hash=dataset.hash,
        strategy="grade",
        strategy_hash="",
        prompts={},
        models=(name,),
        references=(solutions,),
        pools=(f"{solutions}@{digest}",),
        stages={},
        language="Python3",
        temperature=None,
        top_p=None,
        max_tokens=None,
        samples=max(len(each) for each in programs.values()),
    )
    # Generating costs nothing here: enough attempts are let in to keep the graders busy.
    graders = options.eval_workers or os.cpu_count() or 1
    options = options.model_copy(update={"workers": graders, "eval_workers": graders})
    named = ", ".join(missing[:5]) + (", …" if len(missing) > 5 else "")
    warnings = (f"problems without a program, not graded: {len(missing)} ({named})",) if missing else ()
    job = Job(options, configuration, (), dataset, problems, await sandbox_of(options), warnings)
    return Grading(job, programs)


def read_solutions(path: Path, problems: dict[str, Problem]) -> dict[str, list[str]]:
    """Return the programs of a file by problem."""
    programs: dict[str, list[str]] = defaultdict(list)
    for number, row in _rows(path):
        where = f"{path}, line {number}"
        for field in ("task_id", "completion"):
            value = row.get(field)
            if not _is_text(value):
                raise UsageError(f"{where}: field {field!r} is missing or not text")
        problem = problems.get(str(row["task_id"]))
        if problem is None:
            raise UsageError(f"{where}: field 'task_id': the dataset has no problem {row['task_id']!r}")
        programs[problem.id].append(whole_program(problem, str(row["completion"])))
    if not programs:
        raise UsageError(f"{path} holds no solutions")
    return dict(programs)


def whole_program(problem: Problem, completion: str) -> str:
    """Return the completion, behind the problem's prompt where it is the body that goes on there."""
    if _defines(completion, problem.entry_point):
        return completion
    continued = problem.statement + completion
    return continued if _defines(continued, problem.entry_point) else completion


def _is_text(value: object) -> bool:
    """Tell whether a value is text that can be written; JSON can hold half a character."""
    try:
        return isinstance(value, str) and bool(value.encode() or True)
    except UnicodeEncodeError:
        return False


def _defines(program: str, name: str) -> bool:
    try:
        body = syntax_tree(program).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return any(
        (isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and node.name == name)
        or (isinstance(node, ast.Assign) and any(isinstance(at, ast.Name) and at.id == name for at in node.targets))
        for node in body
    )


def _rows(path: Path) -> Iterator[tuple[int, dict[str, object]]]:
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not UTF-8 text; give a JSONL file") from None
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as problem:
            raise UsageError(f"{path}, line {number}: not JSON ({problem})") from None
        if not isinstance(row, dict):
            raise UsageError(f"{path}, line {number}: not a JSON object")
        yield number, row

"""Programs that exist already: files of solutions, and the job of grading them.

A file is JSONL with `task_id` and `completion`, as HumanEval's own tools write it; several rows of one `task_id` are
samples, and a row may name its `language`. A completion is a whole program, or, for a function, the body that goes on
where the problem's prompt ends. The folder of a run of `flows/solve.py` is read as well: its Results.jsonl has
`source_codes`, one for each sample.
"""

import ast
import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, Protocol

from blocks.errors import UsageError
from blocks.sandbox import Sandbox
from tasks.datasets.load import Dataset, load
from tasks.datasets.reading.problems import Listed, Problems
from tasks.python_source import syntax_tree
from tasks.runs import Configuration
from tasks.sandbox.grader import at_once
from tasks.solving import Job, Options, check_language, check_numbers, chosen, language_of, sandbox_of

REFERENCE = "reference"  # in place of a file: the dataset's own reference programs
RESULTS, RUN_PROGRAMS = "Results.jsonl", "source_codes"
UNFINISHED = "error"  # the outcome of an attempt that has no end yet, and no program


class Program(NamedTuple):
    """A program that exists, and the language that its row names, None where it names none: then it is the run's."""

    source: str
    language: str | None = None


class Grading(NamedTuple):
    """A job of grading, and the programs by problem, in the order of their samples."""

    job: Job
    programs: dict[str, list[Program]]


class Solutions(NamedTuple):
    """The programs of a file by problem; the problems of a run with an attempt that has no end yet; those unknown."""

    programs: dict[str, list[Program]]
    unfinished: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


class _Given(NamedTuple):
    """What --solutions names, under what name the run's folder has it, and a hash of the file."""

    programs: dict[str, list[Program]]
    unfinished: tuple[str, ...]
    unknown: tuple[str, ...]
    name: str
    digest: str


async def prepare_grading(options: Options, solutions: str) -> Grading:
    """Check options and solutions into a job; raises UsageError that names file, line and field."""
    check_numbers(options)
    language = language_of(options)
    dataset = load(options.dataset)
    given = _given(solutions, dataset)
    asked = chosen(dataset, options)
    listed = asked.listed
    graded = asked.only(each.id for each in listed if each.id in given.programs and _tests(each, options))
    untested = [each.id for each in listed if not _tests(each, options)]
    failed = [each.id for each in listed if each.id in given.unfinished]
    missing = [each.id for each in listed if each.id not in given.programs and each.id not in failed]
    warnings = (
        *dataset.warnings(),
        *_left_out("problems without a program, not graded", missing),
        *_left_out("programs of problems that the dataset does not have, not graded", list(given.unknown)),
        *_left_out("problems with an attempt that ended in an error, which is not graded", failed),
        *_left_out(f"problems without {options.suite} tests, not graded", untested),
    )
    if not any(_tests(each, options) for each in listed):
        other = "extended" if options.suite == "hidden" else "hidden"
        raise UsageError(f"--suite {options.suite}: {dataset.path} has no such tests; it has --suite {other}")
    if not graded:
        raise UsageError(f"--solutions {solutions!r}: none of the chosen problems of {dataset.path} has a program")
    programs = {name: given.programs[name] for name in graded.ids}
    sandbox = await sandbox_of(options)
    _check_languages(language, graded, programs, dataset, sandbox)
    configuration = Configuration(
        flow="grade",
        dataset=dataset.name,
        dataset_hash=dataset.hash,
        strategy="grade",
        strategy_hash="",
        prompts={},
        models=(given.name,),
        references=(solutions,),
        pools=(f"{solutions}@{given.digest}",),
        stages={},
        language=language,
        temperature=None,
        top_p=None,
        max_tokens=None,
        samples=max(len(each) for each in given.programs.values()),
        suite=options.suite,
        limits=sandbox.limits().unusual(),
    )
    # Generating costs nothing here: enough attempts are let in to keep the graders busy.
    graders = options.eval_workers or at_once()
    options = options.model_copy(update={"workers": graders, "eval_workers": graders})
    return Grading(Job(options, configuration, (), dataset, graded, sandbox, warnings), programs)


def _tests(problem: Listed, options: Options) -> int:
    return problem.extended if options.suite == "extended" else problem.hidden


def _left_out(what: str, names: list[str]) -> tuple[str, ...]:
    said = ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
    return (f"{what}: {len(names)} ({said})",) if names else ()


def _check_languages(
    language: str,
    problems: Problems,
    programs: dict[str, list[Program]],
    dataset: Dataset,
    sandbox: Sandbox,
) -> None:
    """Raise UsageError where a program's language cannot be graded by its problem's tests, or not on this machine."""
    spoken: dict[str, list[str]] = defaultdict(list)
    for name in problems.ids:
        for each in {program.language or language for program in programs[name]}:
            spoken[each].append(name)
    for each, its in spoken.items():
        check_language(each, problems.only(its), dataset, sandbox)


def _given(solutions: str, dataset: Dataset) -> _Given:
    """Return the programs that --solutions names; raises UsageError."""
    if solutions == REFERENCE:
        return _Given(
            {
                problem.id: [Program(problem.reference, problem.reference_language)]
                for problem in dataset.problems
                if problem.reference is not None
            },
            (),
            (),
            REFERENCE,
            dataset.hash,
        )
    path = Path(solutions)
    name = path.stem
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise UsageError(
                f"--solutions {solutions!r} has no config.json: give the Run-n folder of a run of flows/solve.py"
            )
        parts = path.resolve().parts[1:]
        name, path = "-".join([*parts[-4:-2], parts[-1]]), path / RESULTS  # strategy, models and Run-n
    if not path.is_file():
        raise UsageError(f"--solutions {solutions!r}: there is no such file; give JSONL, a Run-n, or {REFERENCE!r}")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    listed = {each.id: each for each in Problems.of(dataset.problems).listed}
    return _Given(*read_solutions(path, listed), name, digest)


class Stated(Protocol):
    """What a solution is read by: a problem, or what stays of one."""

    @property
    def id(self) -> str: ...
    @property
    def entry_point(self) -> str: ...
    @property
    def statement(self) -> str: ...


def read_solutions(path: Path, problems: Mapping[str, Stated]) -> Solutions:
    """Return the programs of a file by problem; raises UsageError that names file, line and field.

    A `task_id` is a problem's id in any case, or the number after its slash (`MBPP/1`, `Mbpp/1`, `1` or 1), or the
    name that MultiPL-E gives a problem of MBPP (`mbpp_1_min_cost`). Programs of problems that are not there are
    unknown; where all are, that is an error.
    """
    known: dict[str, Stated] = {
        **_by_number(problems.values()),
        **{_plain(name): problem for name, problem in problems.items()},
    }
    programs: dict[str, list[Program]] = defaultdict(list)
    unfinished, unknown, first = list[str](), list[str](), ""
    for number, row in _rows(path):
        where = f"{path}, line {number}"
        named = row.get("task_id")
        if not _is_text(named) and (not isinstance(named, int) or isinstance(named, bool)):
            raise UsageError(f"{where}: field 'task_id' is missing or not text")
        problem = problems.get(str(named)) or known.get(_plain(str(named)))
        if problem is None:
            unknown.append(str(named))
            first = first or f"{where}: field 'task_id': the dataset has no problem {named!r}"
            continue
        language = _language(row, where)
        if RUN_PROGRAMS not in row:
            programs[problem.id].append(Program(whole_program(problem, _completion(row, where)), language))
            continue
        sources = _programs(row, where)
        unfinished += [problem.id] if None in sources else []
        for source in sources:
            if source is not None:
                programs[problem.id].append(Program(source, language))
    if not programs:
        raise UsageError(first or f"{path} holds no solutions")
    return Solutions(dict(programs), tuple(unfinished), tuple(unknown))


def _by_number(problems: Iterable[Stated]) -> dict[str, Stated]:
    """Return the problems whose id ends in a slash and something that no other's ends in, by that."""
    ends: dict[str, list[Stated]] = defaultdict(list)
    for problem in problems:
        before, _, end = _plain(problem.id).rpartition("/")
        if before:
            ends[end].append(problem)
    return {end: found[0] for end, found in ends.items() if len(found) == 1}


def _plain(name: str) -> str:
    """Return an id without case, and MultiPL-E's names as MBPP's own ids."""
    return re.sub(r"^mbpp_(\d+)_.*", r"mbpp/\1", name.casefold(), flags=re.DOTALL)


def _language(row: dict[str, object], where: str) -> str | None:
    from tasks.sandbox import languages

    said = row.get("language")
    if said is None:
        return None
    language = languages.named(said) if isinstance(said, str) else None
    if language is None:
        raise UsageError(f"{where}: field 'language': {said!r} is none of {', '.join(languages.LANGUAGES)}")
    return language.name


def _completion(row: dict[str, object], where: str) -> str:
    if not _is_text(row.get("completion")):
        raise UsageError(f"{where}: field 'completion' is missing or not text")
    return str(row["completion"])


def _programs(row: dict[str, object], where: str) -> list[str | None]:
    """Return the programs of a run's results, whole as they are.

    Empty is one that the replies did not hold: the attempt counts, as a failure. None is one of an attempt that ended
    in an error, and is to be tried again.
    """
    codes, details = row[RUN_PROGRAMS], row.get("run_details")
    if not (isinstance(codes, list) and all(code is None or _is_text(code) for code in codes)):
        raise UsageError(f"{where}: field {RUN_PROGRAMS!r} is not a list of texts")
    told = details if isinstance(details, list) and len(details) == len(codes) else [{}] * len(codes)
    ended = [not isinstance(each, dict) or each.get("outcome") != UNFINISHED for each in told]
    return [code if code is not None else "" if whole else None for code, whole in zip(codes, ended, strict=True)]


def whole_program(problem: Stated, completion: str) -> str:
    """Return the completion, behind the problem's prompt where it is the body of a function that goes on there."""
    if not problem.entry_point or _defines(completion, problem.entry_point):
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

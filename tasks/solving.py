"""The parameters of a solving flow, checked into a job that can be run."""

import asyncio
import hashlib
import inspect
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple, cast

from pydantic import ValidationError, field_validator

from blocks.assignment import Assignment, assign
from blocks.bubblewrap import detect_isolation
from blocks.errors import UsageError
from blocks.limits import LARGEST_KB, LARGEST_MB, LONGEST_SECONDS
from blocks.records import Record
from blocks.sandbox import Sandbox, no_bubblewrap
from blocks.server import load_environment
from blocks.team import Team
from tasks import prompts
from tasks.attempts import Solver, strategy
from tasks.datasets.load import Dataset, load
from tasks.datasets.reading.problems import Problems
from tasks.models.references import Model, resolve
from tasks.records import Problem
from tasks.runs import Configuration, OpenRun, SuiteName, open_run, probe_models
from tasks.sandbox.grader import at_once
from tasks.sandbox.languages import LANGUAGES, missing, named
from tasks.strategy_parameters import chosen_parameters

YesNo = Literal["yes", "no"]
Isolation = Literal["auto", "bubblewrap", "process"]
PYTHON = "Python3"
_ALIKE = "several samples at --temperature 0: most of a problem's replies will be the same; raise it, to 0.8 say"


class Options(Record):
    """The parameters of a solving flow, as given; see `flows/solve.py` for what each one means."""

    flow: str
    dataset: str
    strategy: str = "codesim"
    model_provider: str = "openai"
    model: str | None = None
    model1: str | None = None
    model2: str | None = None
    team: str | None = None
    assign: dict[str, str] | None = None
    param: dict[str, str] | None = None
    temperature: float | None = 0.0
    top_p: float | None = 0.95
    max_tokens: int | None = None
    pass_at_k: int = 1
    until_solved: bool = False
    language: str = "Python3"
    cont: YesNo = "yes"
    result_log: Literal["full", "partial"] = "full"
    verbose: Literal[0, 1, 2] = 1
    store_log_in_file: YesNo = "yes"
    workers: int = 16
    eval_workers: int | None = None
    parallel: bool = True
    sequential: bool = False
    limit: int | None = None
    problems: str | None = None
    suite: SuiteName = "hidden"
    time_limit: float | None = None
    memory_limit: int | None = None
    output_limit: int | None = None
    sandbox: str | None = None
    isolation: Isolation = "auto"
    output: Path = Path("results")

    @field_validator("assign", "param", mode="before")
    @classmethod
    def _as_text(cls, given: object) -> object:
        return {name: str(said) for name, said in given.items()} if isinstance(given, dict) else given

    @field_validator("suite", mode="before")
    @classmethod
    def _in_any_case(cls, suite: object) -> object:
        return suite.casefold() if isinstance(suite, str) else suite


def options_of(**parameters: object) -> Options:
    """Return a flow's parameters as options; raises UsageError for one that is not of its kind."""
    try:
        return Options.model_validate(parameters)
    except ValidationError as problem:
        first = problem.errors(include_url=False)[0]
        name = "-".join(str(part) for part in first["loc"][:1]).replace("_", "-")
        raise UsageError(f"--{name} {first['input']!r}: {first['msg']}") from None


class Job(NamedTuple):
    """Options that can be run: everything they name is there."""

    options: Options
    configuration: Configuration
    models: tuple[Model, ...]
    dataset: Dataset
    problems: Sequence[Problem]  # those that are chosen; see `Problems`
    sandbox: Sandbox | None  # of a job that runs programs
    warnings: tuple[str, ...] = ()

    @property
    def solver(self) -> Solver:
        """The run's strategy with its parameters."""
        solver: Solver = strategy(self.configuration.strategy).solve
        return partial(solver, **self.configuration.parameters)

    def open(self) -> AbstractAsyncContextManager[OpenRun]:
        """Open the run; see `open_run`."""
        options = self.options
        sequential = options.sequential or not options.parallel
        return open_run(
            self.configuration,
            self.models,
            output=options.output,
            cont=options.cont == "yes",
            limits=self.sandbox.limits() if self.sandbox else None,
            workers=1 if sequential else options.workers,
            eval_workers=1 if sequential else options.eval_workers or at_once(),
            sequential=sequential,
            keep_text=options.result_log == "full",
        )


async def prepare(options: Options) -> Job:
    """Check options into a job; raises UsageError. Writes nothing, asks no model, needs Prefect for blocks alone."""
    load_environment()
    check_numbers(options)
    language = language_of(options)
    module = strategy(options.strategy)
    name = module.__name__.rpartition(".")[2]
    dataset = load(options.dataset)
    asked = chosen(dataset, options)
    problems = _tested(asked, dataset)
    sandbox = await sandbox_of(options)
    check_language(language, problems, dataset, sandbox)
    unknown = sorted((options.assign or {}).keys() - set(module.STAGES)) if options.team is None else []
    if unknown:
        raise UsageError(f"strategy {name} has no stage {unknown[0]!r}; its stages are {', '.join(module.STAGES)}")
    assignment = await _assignment(options, module.STAGES)
    idle = set(range(2, len(assignment.models) + 1)) - {n for numbers in assignment.stages.values() for n in numbers}
    untested = len(asked) - len(problems)
    warnings = (
        *dataset.warnings(),
        *([f"problems without hidden tests, left out: {untested}"] if untested else []),
        *([_ALIKE] if options.pass_at_k > 1 and options.temperature == 0 else []),
        *(f"model {n} serves no stage; give it one, as in --assign.{module.STAGES[-1]} {n}" for n in idle),
    )
    provider = "auto" if options.model_provider == "openai" else options.model_provider
    models = tuple(
        [
            await resolve(reference, number=number, provider=provider)
            for number, reference in enumerate(assignment.models, start=1)
        ]
    )
    configuration = Configuration(
        flow=options.flow,
        dataset=dataset.name,
        dataset_hash=dataset.hash,
        strategy=name,
        strategy_hash=_hash(inspect.getsource(module)),
        prompts={stage: _hash(text) for stage, text in prompts.texts_of(name).items()},
        models=tuple(model.name for model in models),
        references=tuple(model.reference for model in models),
        pools=tuple(model.pool for model in models),
        stages=assignment.stages,
        language=language,
        temperature=options.temperature,
        top_p=options.top_p,
        max_tokens=options.max_tokens,
        samples=options.pass_at_k,
        until_solved=options.until_solved,
        problem=options.problems if options.flow == "solve-problem" else None,
        parameters=chosen_parameters(module, options.param or {}),
        limits=sandbox.limits().unusual(),
    )
    return Job(options, configuration, models, dataset, problems, sandbox, warnings)


def check_numbers(options: Options) -> None:
    """Raise UsageError for a number that is out of its range."""
    for flag, number in (
        ("workers", options.workers),
        ("eval-workers", options.eval_workers),
        ("limit", options.limit),
        ("pass-at-k", options.pass_at_k),
        ("max-tokens", options.max_tokens),
    ):
        if number is not None and number < 1:
            raise UsageError(f"--{flag} {number}: give a number of 1 or more")
    if options.temperature is not None and not 0 <= options.temperature <= 2:
        raise UsageError(f"--temperature {options.temperature}: give a number from 0 to 2")
    if options.top_p is not None and not 0 < options.top_p <= 1:
        raise UsageError(f"--top-p {options.top_p}: give a number above 0 and up to 1")
    if options.time_limit is not None and not 0 < options.time_limit <= LONGEST_SECONDS:
        raise UsageError(f"--time-limit {options.time_limit}: give seconds, above 0 and up to {LONGEST_SECONDS:.0f}")
    if options.memory_limit is not None and not 64 <= options.memory_limit <= LARGEST_MB:
        raise UsageError(f"--memory-limit {options.memory_limit}: give MiB, from 64 to {LARGEST_MB}")
    if options.output_limit is not None and not 1 <= options.output_limit <= LARGEST_KB:
        raise UsageError(f"--output-limit {options.output_limit}: give KiB, from 1 to {LARGEST_KB}")


def language_of(options: Options) -> str:
    """Return the name of the language that --language names, in any case and by any of its names."""
    language = named(options.language)
    if language is None:
        raise UsageError(f"--language {options.language!r}: choose from {', '.join(LANGUAGES)}")
    return language.name


def check_language(language: str, problems: Problems, dataset: Dataset, sandbox: Sandbox) -> None:
    """Raise UsageError where programs of a language cannot be graded by these problems' tests, or not here."""
    function = next((problem for problem in problems.listed if problem.entry_point), None)
    if language != PYTHON and function is not None:
        raise UsageError(
            f"--language {language}: problem {function.id!r} of {dataset.path} asks for a function, which its tests "
            f"call in {PYTHON}; leave --language out, or choose problems of whole programs"
        )
    lacking = missing(LANGUAGES[language], sandbox.limits().isolation)
    if lacking:
        raise UsageError(f"--language {language}: {lacking}")


async def check(job: Job) -> None:
    """Ask the job's endpoints whether they are up; raises UsageError where one is not."""
    await probe_models(job.models)


def chosen(dataset: Dataset, options: Options) -> Problems:
    """Return the problems that --problems and --limit leave."""
    problems = Problems.of(dataset.problems)
    if options.problems is not None:
        wanted = dict.fromkeys(name.strip() for name in options.problems.split(",") if name.strip())
        missing = [name for name in wanted if name not in problems.by_id]
        if missing:
            raise UsageError(f"problem {missing[0]!r}: {dataset.path} has none of that id")
        problems = problems.only(wanted)
    return problems[: options.limit]


def _tested(problems: Problems, dataset: Dataset) -> Problems:
    """Return the problems that have hidden tests; raises UsageError where there is none."""
    tested = problems.only(each.id for each in problems.listed if each.hidden)
    if not tested:
        raise UsageError(f"none of the chosen problems of {dataset.path} has hidden tests; give a dataset with them")
    return tested


async def _assignment(options: Options, stages: tuple[str, ...]) -> Assignment:
    if options.model and options.model1:
        raise UsageError("--model and --model1 are one thing; give one of them")
    if options.team is None:
        return assign(options.model or options.model1, options.model2, options.assign or {})
    try:
        team = cast("Team", await Team.aload(options.team))
    except ValueError:
        raise UsageError(
            f"team {options.team!r}: no saved Team of that name; register it (python -m blocks.register FILE.toml)"
        ) from None
    return team.assignment(stages)


async def sandbox_of(options: Options) -> Sandbox:
    """Return the saved Sandbox that the options name, or the usual one, with the limits that flags set.

    Raises UsageError where it asks for bubblewrap and the machine does not grant it.
    """
    sandbox = (await _saved_sandbox(options.sandbox)).model_copy(update=_flags(options))
    granted = "process" if sandbox.isolation == "process" else await asyncio.to_thread(detect_isolation)
    if sandbox.isolation == "bubblewrap" and granted != "bubblewrap":
        raise UsageError(f"isolation bubblewrap: {no_bubblewrap()}, or take --isolation auto")
    return sandbox


async def _saved_sandbox(name: str | None) -> Sandbox:
    if name is None:
        return Sandbox()
    try:
        return cast("Sandbox", await Sandbox.aload(name))
    except ValueError:
        raise UsageError(f"sandbox {name!r}: no saved Sandbox of that name; register it first") from None


def _flags(options: Options) -> dict[str, object]:
    """The fields of a Sandbox that flags set: a limit that was given goes before a problem's own."""
    given: dict[str, object] = {}
    if options.isolation != "auto":
        given["isolation"] = options.isolation
    if options.time_limit is not None:
        given |= {"cpu_seconds": options.time_limit, "wall_seconds": None, "time_by_problem": False}
    if options.memory_limit is not None:
        given |= {"memory_mb": options.memory_limit, "memory_by_problem": False}
    if options.output_limit is not None:
        given["output_kb"] = options.output_limit
    return given


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()

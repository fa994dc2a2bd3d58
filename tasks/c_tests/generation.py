"""The job of generating tests: checked options, the programs that are left to do, and the work on them."""

import asyncio
import contextlib
import hashlib
import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from blocks.errors import UsageError
from blocks.server import load_environment
from tasks import prompts
from tasks.attempt_tasks import Item, attempt_all, finished, not_worth_a_run
from tasks.c_tests.building import DoesNotCompile, Program, build, missing
from tasks.c_tests.files import TestsFolder
from tasks.c_tests.known import KnownInputs
from tasks.c_tests.log import GenerationLog
from tasks.c_tests.making import STAGE, Maker, Wanted
from tasks.c_tests.sources import Source, Sources, Unusable, read_sources
from tasks.c_tests.summing_up import write_results
from tasks.c_tests.trying import Feed
from tasks.datasets.load import Dataset
from tasks.models.references import Model, resolve
from tasks.records import Problem, Suite
from tasks.reporting.live import Usage
from tasks.reporting.progress import Bar
from tasks.runs import Configuration, OpenRun
from tasks.sandbox.languages import LANGUAGES
from tasks.sandbox.languages import missing as missing_tools
from tasks.solving import Job, Options, check_numbers, sandbox_of

FLOW = "generate_tests"
LANGUAGE = "C"
MOST_TESTS = 1000
NAMED = 20  # of the files that cannot be used, on the terminal


class Generation(NamedTuple):
    """A job, the programs in groups of which the first that compiles is taken, and what is wanted of each.

    `complete` are the programs whose tests are there already.
    """

    job: Job
    groups: tuple[tuple[Source, ...], ...]
    complete: tuple[Source, ...]
    unusable: tuple[Unusable, ...]
    wanted: Wanted
    folder: TestsFolder


async def prepare_generation(
    options: Options, *, tests: Path, num_tests: int, feed: Feed, coverage: bool, cflags: str, timeout: float,
    first_per_folder: bool,
) -> Generation:  # fmt: skip
    """Check options into a job; raises UsageError. Writes nothing, asks no model, needs Prefect for blocks alone."""
    load_environment()
    check_numbers(options)
    if not 1 <= num_tests <= MOST_TESTS:
        raise UsageError(f"--num-tests {num_tests}: give a number from 1 to {MOST_TESTS}")
    if not timeout > 0:
        raise UsageError(f"--timeout {timeout}: give seconds, above 0")
    if tests.exists() and not tests.is_dir():
        raise UsageError(f"--tests {tests}: that is no folder; give another")
    wanted = Wanted(num_tests, feed, coverage, _split(cflags))
    sandbox = await sandbox_of(options)
    lacking = missing_tools(LANGUAGES[LANGUAGE], sandbox.limits().isolation)
    if lacking:
        raise UsageError(lacking)
    found = read_sources(options.dataset, first_per_folder=first_per_folder)
    folder = TestsFolder(tests)
    chosen = found.groups[: options.limit]
    _refuse_other_feeds(folder, chosen, feed)
    done = {group: source for group in chosen for source in group if _complete(folder, source, wanted)}
    left = tuple(group for group in chosen if group not in done)
    model = _timed(await resolve(options.model1 or ""), timeout)
    dataset = _dataset(Path(options.dataset), found)
    configuration = Configuration(
        flow=FLOW,
        dataset=dataset.name,
        dataset_hash=dataset.hash,
        strategy=FLOW,
        strategy_hash="",
        prompts={stage: hashlib.sha256(text.encode()).hexdigest() for stage, text in prompts.texts_of(FLOW).items()},
        models=(model.name,),
        references=(model.reference,),
        pools=(model.pool,),
        stages={STAGE: (1,)},
        language=LANGUAGE,
        temperature=options.temperature,
        top_p=options.top_p,
        max_tokens=options.max_tokens,
        samples=1,
        limits=sandbox.limits().unusual(),
        parameters={"num_tests": num_tests, "feed": feed, "coverage": coverage, "cflags": cflags},
    )
    problems = {problem.id: problem for problem in dataset.problems}
    job = Job(options, configuration, (model,), dataset, tuple(problems[group[0].path] for group in left), sandbox)
    return Generation(job, left, tuple(done.values()), found.unusable, wanted, folder)


async def generate(generation: Generation, job: Job, run: OpenRun, console: Console) -> list[Exception]:
    """Make the tests that are not there yet; return what failed. See `tasks.executions.Work`."""
    complaint = await missing(run.limits) if generation.groups else None
    if complaint:
        raise UsageError(complaint)
    sources, unfit = await _chosen(generation, run)
    unusable = (*generation.unusable, *unfit)
    todo = _todo(generation, job, run, sources)
    skipped = _skipped(generation, sources, todo)
    quiet = job.options.verbose == 0
    if not quiet:
        _introduce(generation, skipped, unusable, console)
    _make_folder(generation.folder.path)
    known = KnownInputs(run.spool)
    maker = Maker(generation.wanted, {source.path: source for source in sources}, generation.folder, known)
    log = GenerationLog(generation.folder.path / "logs", maker, run)
    for each in unusable:
        log.unusable(each)
    usage = Usage(run)
    total, done = len(sources), len(sources) - len(todo)
    try:
        with Bar(FLOW, total, done, console=console, quiet=quiet, status=usage.text) as bar, log.listening():

            def tell(path: str, end: str, said: str) -> None:
                bar.item(path, *log.ended(path, end, said))

            problems = {problem.id: problem for problem in job.dataset.problems}
            return await attempt_all(run, todo, problems, maker.work, tell)
    finally:
        with not_worth_a_run("the results"):
            results = write_results(
                run,
                generation.folder,
                generation.wanted,
                sources=(*generation.complete, *sources),
                skipped=skipped,
                unusable=unusable,
                errors=log.errors,
                started=log.started,
            )
            for line in [] if quiet else results.lines():
                console.print(line, markup=False, highlight=False, soft_wrap=True)


def _make_folder(path: Path) -> None:
    """Make the folder of tests before anything is paid for."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise UsageError(f"--tests {path}: cannot be made ({problem.strerror}); give another") from None
    if not os.access(path, os.W_OK | os.X_OK):
        raise UsageError(f"--tests {path}: nothing can be written there; give another")


def _complete(folder: TestsFolder, source: Source, wanted: Wanted) -> bool:
    """Whether nothing is left to do for a program; what its tests reach is measured once in a run."""
    return not wanted.coverage and _has_all(folder, source, wanted)


def _has_all(folder: TestsFolder, source: Source, wanted: Wanted) -> bool:
    return len(folder.kept(source, wanted.feed, wanted.cflags)) >= wanted.tests


def _refuse_other_feeds(folder: TestsFolder, groups: Sequence[tuple[Source, ...]], feed: Feed) -> None:
    """Refuse to put tests in the place of those that feed the same program otherwise."""
    for source in (source for group in groups for source in group):
        other: Feed = "args" if feed == "stdin" else "stdin"
        if folder.near(source, other):
            raise UsageError(
                f"--tests {folder.path}: the tests of {source.path} there are for --feed {other}; name another folder"
            )


def _split(cflags: str) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(cflags))
    except ValueError as problem:
        raise UsageError(f"--cflags {cflags!r}: {problem}") from None


def _timed(model: Model, timeout: float) -> Model:
    """The model with its endpoints' time limit set."""
    limit = {"timeout": timeout, "reply_timeout": timeout}
    endpoint = model.endpoint.model_copy(update=limit) if model.endpoint else None
    return model._replace(endpoint=endpoint, members=tuple(_timed(member, timeout) for member in model.members))


def _dataset(path: Path, found: Sources) -> Dataset:
    """The programs as problems. A run is known by where its sources are: every text is in the keys of its calls."""
    problems = tuple(
        Problem(id=source.path, statement=source.text, hidden=Suite()) for group in found.groups for source in group
    )
    where = path.resolve()
    digest = hashlib.sha256(str(where).encode("utf-8", "surrogateescape")).hexdigest()
    return Dataset((where.stem if where.is_file() else where.name) or "sources", path, digest, problems)


async def _chosen(generation: Generation, run: OpenRun) -> tuple[list[Source], list[Unusable]]:
    """The first program of every group that compiles, the last whether it does or not; and those before it."""

    async def first(group: tuple[Source, ...]) -> int:
        for number, source in enumerate(group[:-1]):
            program = Program(text=source.text, path=source.path, cflags=generation.wanted.cflags)
            with contextlib.suppress(DoesNotCompile):
                async with run.grading:
                    await build(program, run.limits)
                return number
        return len(group) - 1

    numbers = await asyncio.gather(*map(first, generation.groups))
    found = list(zip(generation.groups, numbers, strict=True))
    unfit = [Unusable(source.path, "does not compile") for group, number in found for source in group[:number]]
    return [group[number] for group, number in found], unfit


def _todo(generation: Generation, job: Job, run: OpenRun, sources: Sequence[Source]) -> list[Item]:
    """What is to be attempted: all but what came to an end in this run with some tests that are still there.

    The persisted result of an attempt that is to be made again goes first, or Prefect would find it.
    """
    ends = finished(run)
    todo = []
    for source in sources:
        key = run.result_key(source.path, 0)
        if key in ends and _kept(generation, source):
            continue
        with contextlib.suppress(FileNotFoundError):
            (run.results / key).unlink()
        todo.append(Item(source.path))
    return todo


def _skipped(generation: Generation, sources: Sequence[Source], todo: Sequence[Item]) -> int:
    """How many programs have all their tests, and nothing left to be done."""
    left = {item.problem_id for item in todo}
    rest = (source for source in sources if source.path not in left)
    return len(generation.complete) + sum(_has_all(generation.folder, each, generation.wanted) for each in rest)


def _kept(generation: Generation, source: Source) -> bool:
    return bool(generation.folder.kept(source, generation.wanted.feed, generation.wanted.cflags))


def _introduce(generation: Generation, skipped: int, unusable: Sequence[Unusable], console: Console) -> None:
    lines = [f"tests: {generation.folder.path}"]
    if skipped:
        lines.append(f"complete already, skipped: {skipped}")
    if unusable:
        lines.append(f"unusable files: {len(unusable)}")
        lines += [f"  {each.path}: {each.reason}" for each in unusable[:NAMED]]
        if len(unusable) > NAMED:
            lines.append("  … (all of them: logs/generation_results.json)")
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)

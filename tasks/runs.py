"""A run: its configuration, its Run-n folder, and all that is open while an execution works on it."""

import asyncio
import contextlib
import fcntl
import hashlib
import json
import os
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple

from prefect.events import emit_event
from pydantic import BaseModel, Field, ValidationError

from blocks.assignment import Assignment
from blocks.errors import PoolExhausted, Transient, UsageError
from blocks.limits import Limits
from blocks.records import AttemptRow, CallRow, ModelEventRow, Record, now
from blocks.spool import Spool, SpoolFull
from tasks import grading
from tasks.models.call_cache import CallCache
from tasks.models.complete import OpenEndpoint
from tasks.models.members import Switch
from tasks.models.open_pool import OpenPool, open_pool
from tasks.models.references import Model, grown
from tasks.names import file_name, short_hash
from tasks.report_cache import ReportCache

ENGINE = 1  # raised when equal inputs would no longer give equal calls

SuiteName = Literal["hidden", "extended"]


class Configuration(Record):
    """All that makes two runs the same run; workers, the kind of isolation and the choice of problems do not.

    `limits` are those that were set to other than the usual values (see `Limits.unusual`): they decide verdicts.
    """

    engine: int = ENGINE
    flow: str
    dataset: str
    dataset_hash: str
    strategy: str
    strategy_hash: str
    prompts: dict[str, str]
    models: tuple[str, ...]
    references: tuple[str, ...]
    pools: tuple[str, ...]
    stages: dict[str, tuple[int, ...]]
    language: str
    temperature: float | None
    top_p: float | None
    max_tokens: int | None
    samples: int
    until_solved: bool = False
    problem: str | None = None  # of a run of one problem
    suite: SuiteName = "hidden"
    limits: dict[str, bool | int | float] = Field(default_factory=dict)
    parameters: dict[str, bool | int | float | str] = Field(default_factory=dict)  # of a flow's own
    place: str = ""  # of its folder, where that is not <dataset>/<strategy>

    def digest(self) -> str:
        """The SHA-256 by which a Run-n is found again; what is newer than a run's folder counts where it is set."""
        usual = {"suite": "hidden", "limits": {}, "parameters": {}, "place": "", "until_solved": False}
        newer = {name for name, value in usual.items() if getattr(self, name) == value}
        what = self.model_dump(exclude={"references", *newer})
        return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()

    def folder(self) -> Path:
        """Where its Run-n folders are, relative to the output folder."""
        if self.place:
            return Path(self.place) / "+".join(file_name(name) for name in dict.fromkeys(self.models))
        models = "+".join(file_name(name) for name in self.models)
        parts = (self.language, self.temperature, self.top_p, self.samples)
        said = "-".join(str(part) for part in parts if part is not None)
        return Path(file_name(self.dataset)) / self.strategy / models / said


class RunFolder(NamedTuple):
    """A Run-n folder and the run it belongs to; `pools` are as they were written when it was made."""

    path: Path
    run_id: str
    pools: tuple[str, ...]
    created_at: datetime
    new: bool


class RunBusy(UsageError):
    """Another process is at work on the same run."""


class OpenRun:
    """What an execution works with: open models, spool, call cache, limits. Made by `open_run`.

    `tell` hears of each attempt that ends, with its calls.
    """

    def __init__(
        self,
        *,
        configuration: Configuration,
        folder: RunFolder,
        output: Path,
        models: tuple[OpenPool, ...],
        limits: Limits | None,
        workers: int,
        eval_workers: int,
        sequential: bool,
        keep_text: bool,
        warnings: list[str],
    ) -> None:
        self.warnings = warnings
        self.configuration = configuration
        self.folder = folder
        self.output = output
        self.run_id = folder.run_id
        self.execution_id = uuid.uuid4().hex[:12]
        self.strategy = configuration.strategy
        self.language = configuration.language
        self.suite = configuration.suite
        self.temperature = configuration.temperature
        self.top_p = configuration.top_p
        self.max_tokens = configuration.max_tokens
        self.keep_text = keep_text
        self.assignment = Assignment(models=configuration.models, stages=configuration.stages)
        self.pools = folder.pools
        self.models = models
        self.isolation = limits.isolation if limits else None
        self._limits = limits
        self.workers = workers
        self.eval_workers = eval_workers
        self.sequential = sequential
        self.spool = Spool(output, self.run_id, self.execution_id)
        self.calls = CallCache(self.spool)
        self.reports = ReportCache(self.spool)
        self.generating = asyncio.Semaphore(workers)
        self.grading = asyncio.Semaphore(eval_workers)
        self.tell: Callable[[AttemptRow, list[CallRow]], None] | None = None
        for model in models:
            model.tell = self._record_switch

    @property
    def limits(self) -> Limits:
        """What programs may use, in a run that has any."""
        if self._limits is None:
            raise AssertionError("a run that was opened without limits runs no programs")
        return self._limits

    @property
    def exhausted(self) -> bool:
        """Whether none of the models that serve a stage has an endpoint left, so that nothing more can be done."""
        serving = {1, *(number for numbers in self.assignment.stages.values() for number in numbers)}
        used = [model for number, model in enumerate(self.models, start=1) if number in serving]
        return bool(used) and all(model.exhausted for model in used)

    def nothing_left(self) -> PoolExhausted:
        """What keeps an exhausted run from going on."""
        return next(model.nothing_left() for model in self.models if model.exhausted)

    @property
    def results(self) -> Path:
        """Where Prefect persists the finished attempts of this output folder."""
        return (self.output / ".consort" / "results").resolve()

    def result_key(self, problem_id: str, sample: int) -> str:
        """The cache key of an attempt, and its file below `results`: run, problem, sample."""
        return f"{self.run_id}/{file_name(problem_id)}-{sample}-{short_hash(problem_id)}"

    def _record_switch(self, switch: Switch) -> None:
        """Write a switch as a row, and emit it as an event that Prefect's automations can act on."""
        fields = switch._asdict()
        with contextlib.suppress(SpoolFull):  # the next row that counts meets it too
            self.spool.append(ModelEventRow(run_id=self.run_id, execution_id=self.execution_id, **fields))
        emit_event(
            f"consort.model.{switch.event}",
            resource={
                "prefect.resource.id": f"consort.model.{switch.pool}.{switch.endpoint}",
                "prefect.resource.name": f"{switch.endpoint} of {switch.pool}",
            },
            payload={name: str(value) for name, value in fields.items() if value is not None}
            | {"run_id": self.run_id, "execution_id": self.execution_id},
        )


@asynccontextmanager
async def open_run(
    configuration: Configuration,
    models: tuple[Model, ...],
    *,
    output: Path,
    cont: bool,
    limits: Limits | None,
    workers: int,
    eval_workers: int,
    sequential: bool = False,
    keep_text: bool = True,
) -> AsyncIterator[OpenRun]:
    """Open the models, ask each endpoint whether it is up, prepare the grader, then open or make the Run-n folder.

    A run without `limits` runs no programs. In one that is `sequential` no attempt begins before the last has ended.

    Raises UsageError before anything is written where an endpoint does not answer, and RunBusy where another
    process works on the run. The open run's limits are `limits` as this machine can keep them.
    """
    async with AsyncExitStack() as stack:
        pools = tuple([await stack.enter_async_context(open_pool(model)) for model in models])
        warnings = await probe(pools)
        limits = await grading.prepare(limits) if limits else None
        with _one_at_a_time(output / configuration.folder()):
            folder = open_folder(output, configuration, cont=cont)
            lock = _lock(folder.path)
        stack.callback(os.close, lock)
        run = OpenRun(
            configuration=configuration,
            folder=folder,
            output=output,
            models=pools,
            limits=limits,
            workers=workers,
            eval_workers=eval_workers,
            sequential=sequential,
            keep_text=keep_text,
            warnings=warnings,
        )
        stack.callback(run.spool.close)
        yield run


async def probe_models(models: tuple[Model, ...]) -> None:
    """Ask each model's endpoints whether they are up, and close them again; raises UsageError as `probe` does."""
    async with AsyncExitStack() as stack:
        served = [model for model in models if model.recording is None]
        await probe(tuple([await stack.enter_async_context(open_pool(model, shared=False)) for model in served]))


async def probe(pools: tuple[OpenPool, ...]) -> list[str]:
    """Ask each endpoint for its models; return warnings. Raises UsageError where nobody answers in a whole pool."""
    warnings = []
    for pool in pools:
        said = await asyncio.gather(*(_probe(endpoint) for endpoint in pool.endpoints))
        silent = [answer for answer in said if isinstance(answer, Transient)]
        if len(silent) == len(said):
            first = pool.endpoints[0].name
            raise UsageError(f"endpoint {first}: {silent[0].message}; start the server or mend its URL")
        for endpoint, answer in zip(pool.endpoints, said, strict=True):
            if isinstance(answer, Transient):
                pool.set_down(endpoint, answer)
            warnings += [answer.message] if isinstance(answer, Transient) else answer
    return warnings


async def _probe(endpoint: OpenEndpoint) -> list[str] | Transient:
    """Return warnings about an endpoint, or that it does not answer."""
    try:
        listed = await endpoint.models()
    except Transient as problem:
        return problem
    warnings = []
    if endpoint.listing == 404:
        warnings.append(f"{endpoint.block.base_url} answers 404 to GET /models; does its URL lack /v1?")
    if listed and endpoint.block.model not in listed and not endpoint.recorded:
        known = ", ".join(listed[:5])
        warnings.append(f"{endpoint.block.base_url} does not list {endpoint.block.model!r} (it has {known})")
    return warnings


def open_folder(output: Path, configuration: Configuration, *, cont: bool) -> RunFolder:
    """Reopen the latest Run-n of an equal configuration, or make the next one.

    A pool that has more members than it had is no other: that is how a run goes on in which no model is left.
    """
    parent = output / configuration.folder()
    numbers = sorted((int(path.name[4:]) for path in parent.glob("Run-*") if path.name[4:].isdigit()), reverse=True)
    paths = [parent / f"Run-{number}" for number in numbers] if cont else []
    runs = [(path, known) for path in paths if (known := _read_config(path)) is not None]
    for same in (_equal, _grown):
        for path, known in runs:
            if (pools := same(known, configuration)) is not None:
                return RunFolder(path, known.run_id, pools, known.created_at, new=False)
    return _new_folder(parent, configuration, first=max(numbers, default=0) + 1)


def _new_folder(parent: Path, configuration: Configuration, *, first: int) -> RunFolder:
    """Make Run-n with its config.json already in it, so that a folder without one never exists."""
    run_id, created = str(uuid.uuid4()), now()
    content = {
        "run_id": run_id,
        "digest": configuration.digest(),
        "created_at": created.isoformat(),
        "configuration": configuration.model_dump(mode="json"),
    }
    made = parent / f".{run_id}"
    made.mkdir(parents=True)
    (made / "config.json").write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")
    for number in range(first, first + 10_000):
        path = parent / f"Run-{number}"
        try:
            made.rename(path)  # fails where the folder exists: another process was faster
        except OSError:
            if not path.exists():
                raise
            continue
        return RunFolder(path, run_id, configuration.pools, created, new=True)
    raise UsageError(f"{parent} holds too many runs; give another --output")


class _Known(BaseModel):
    """What config.json says; `configuration` may be an older Consort's."""

    run_id: str
    digest: str
    created_at: datetime
    configuration: dict[str, Any] = {}


def _read_config(path: Path) -> _Known | None:
    try:
        return _Known.model_validate_json((path / "config.json").read_bytes())
    except (OSError, ValidationError):
        return None


def _equal(known: _Known, configuration: Configuration) -> tuple[str, ...] | None:
    """Return a known run's pools where its configuration is equal."""
    return configuration.pools if known.digest == configuration.digest() else None


def _grown(known: _Known, configuration: Configuration) -> tuple[str, ...] | None:
    """Return a known run's pools where its configuration is equal but for these, which have more members now."""
    old = tuple(known.configuration.get("pools", ()))
    if len(old) != len(configuration.pools) or not all(map(grown, old, configuration.pools)):
        return None
    return old if configuration.model_copy(update={"pools": old}).digest() == known.digest else None


@contextmanager
def _one_at_a_time(parent: Path) -> Iterator[None]:
    """Keep other processes from finding or making a run here until this one has its own, and locked it."""
    try:
        parent.mkdir(parents=True, exist_ok=True)
        folder = os.open(parent, os.O_RDONLY)
    except OSError as problem:
        raise UsageError(f"{parent} cannot be made ({problem.strerror}); give another --output") from None
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _lock(path: Path) -> int:
    """Lock a run's config.json for this process; the lock goes with the process, however it ends."""
    file = os.open(path / "config.json", os.O_RDONLY)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        raise RunBusy(f"{path} is being worked on by another process; wait for it, or use --cont no") from None
    return file

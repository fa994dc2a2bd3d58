"""One attempt's voice: a strategy asks its models and runs its samples through it."""

import asyncio
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Protocol, TypeVar

from blocks.assignment import Assignment
from blocks.errors import CallError, PoolExhausted
from blocks.limits import Limits
from blocks.records import CallRow, Message, ProgramRow, Request, now
from blocks.spool import Spool
from tasks import checks as written
from tasks import grading, prompts
from tasks.models.call_cache import CallCache, call_key
from tasks.models.open_pool import OpenPool
from tasks.models.reading import OnText
from tasks.models.rotation import complete
from tasks.parsing import BadReply, answer_of
from tasks.records import Checks, Problem, SampleReport, Suite
from tasks.report_cache import ReportCache

T = TypeVar("T")

ASKED_AGAIN = 2  # times that a stage is asked again after a bad reply


class Voices(Protocol):
    """What a session needs of its run."""

    run_id: str
    execution_id: str
    strategy: str
    language: str
    temperature: float | None
    top_p: float | None
    max_tokens: int | None
    keep_text: bool
    assignment: Assignment
    pools: tuple[str, ...]
    models: tuple[OpenPool, ...]
    spool: Spool
    calls: CallCache
    reports: ReportCache

    @property
    def limits(self) -> Limits: ...


class Around(Protocol):
    """Runs one stage; a flow of one problem makes a task run of it, named `name`, `after` others so named."""

    async def __call__(
        self, stage: str, work: Callable[[], Awaitable[T]], *, name: str = "", after: Sequence[str] = ()
    ) -> T: ...


async def unwrapped(stage: str, work: Callable[[], Awaitable[T]], *, name: str = "", after: Sequence[str] = ()) -> T:
    """Run a stage as it is."""
    return await work()


class Session:
    """The calls and programs of one (problem, sample), in order."""

    def __init__(self, run: Voices, problem: Problem, sample: int, around: Around = unwrapped) -> None:
        self.run = run
        self.problem = problem
        self.sample = sample
        self.around = around
        self.language = run.language  # of the program; one that exists already may have another than its run
        self.asked: Counter[str] = Counter()
        self.calls: list[CallRow] = []
        self.programs = 0
        self.samples_checked = 0

    async def ask(
        self,
        stage: str,
        *,
        parse: Callable[[str], T] = str,  # type: ignore[assignment]
        try_number: int = 1,
        history: list[Message] | None = None,
        **values: object,
    ) -> T:
        """Ask the model that serves `stage` and return what `parse` makes of the reply (its text without one).

        The prompt is `prompts/<strategy>/<stage>.jinja` with the problem, the language and `values`. The messages of
        a `history` go before it; prompt and answer are added to them once `parse` takes the reply. One that it
        refuses with BadReply is asked again, up to twice; the third refusal is raised. Raises CallError where no
        reply could be had.
        """
        text = prompts.render(self.run.strategy, stage, problem=self.problem, language=self.language, **values)
        before = tuple(history or ())

        async def work() -> T:
            for left in range(ASKED_AGAIN, -1, -1):
                call = await self.call(stage, text, before=before, try_number=try_number)
                try:
                    parsed = parse(call.reply or "")
                except BadReply:
                    if not left:
                        raise
                else:
                    if history is not None:
                        answer = Message(role="assistant", content=answer_of(call.reply or ""))
                        history[:] = (*before, Message(role="user", content=text), answer)
                    return parsed
            raise AssertionError("the last refusal is raised")

        return await self.around(stage, work)

    async def run_samples(
        self, program: str, *, stage: str = "coding", plan: str = "", samples: Suite | None = None
    ) -> SampleReport:
        """Run the public samples (or `samples`) on a program in the sandbox, as one more round of this attempt.

        A problem without samples passes unchecked. Raises HarnessError where the sandbox itself fails.
        """
        problem = self.problem if samples is None else self.problem.model_copy(update={"samples": samples})

        async def work() -> SampleReport:
            return await grading.run_samples(problem, program, self.run.limits, language=self.language)

        report = await self._round(work, program, stage, plan, self._added(samples))
        self.samples_checked = report.samples
        return report

    def _added(self, samples: Suite | None) -> str | None:
        """Return the text of the samples that are not the problem's own: a model wrote them."""
        if samples is None:
            return None
        public = self.problem.samples
        pairs = Checks(pairs=tuple(pair for pair in samples.pairs if pair not in public.pairs))
        source = "\n".join(each for each in samples.assertions if each not in public.assertions)
        return source or pairs.text or None

    async def run_checks(
        self, program: str, checks: Checks, *, stage: str = "coding", plan: str = ""
    ) -> SampleReport:
        """Run tests that a model wrote on a program in the sandbox, as one more round; raises HarnessError."""

        async def work() -> SampleReport:
            return await written.run_checks(self.problem, program, checks, self.run.limits, language=self.language)

        return await self._round(work, program, stage, plan, checks.text)

    def keep(self, program: str, *, stage: str = "coding", plan: str = "", report: str = "") -> None:
        """Keep a program on which nothing is run as one more round, with what a model says of it, if one does."""
        said = report if self.run.keep_text else ""
        self._keep(program, stage, plan, None, SampleReport(passed=True, samples=0, samples_passed=0, text=said))

    async def _round(
        self, work: Callable[[], Awaitable[SampleReport]], program: str, stage: str, plan: str, tests: str | None
    ) -> SampleReport:
        """Return what the tests of a round say, as they said it the first time."""
        known = self.run.reports.find(self.problem.id, self.sample, self.programs, program)

        async def again() -> SampleReport:
            if known is None:
                return await work()
            passed = known.samples_passed == known.samples
            said = {"samples": known.samples, "samples_passed": known.samples_passed, "text": known.report}
            return SampleReport.model_validate({"passed": passed, **said})

        report = await self.around("tests", again)
        if known is None:
            self._keep(program, stage, plan, tests, report)
        else:
            self.programs += 1
        return report

    def _keep(self, program: str, stage: str, plan: str, tests: str | None, report: SampleReport) -> None:
        self.run.reports.add(
            ProgramRow(
                run_id=self.run.run_id,
                problem_id=self.problem.id,
                sample=self.sample,
                round=self.programs,
                stage=stage,
                plan=(plan or None) if self.run.keep_text else None,
                program=program,
                tests=tests if self.run.keep_text else None,
                samples=report.samples,
                samples_passed=report.samples_passed,
                report=report.text,
                isolation=self.run.limits.isolation,
            )
        )
        self.programs += 1

    async def call(
        self,
        stage: str,
        text: str,
        *,
        before: Sequence[Message] = (),
        try_number: int = 1,
        ordinal: int | None = None,
        max_tokens: int | None = None,
        on_text: OnText | None = None,
    ) -> CallRow:
        """Make one call of a stage, or replay it where it has been paid for; raises CallError.

        The messages `before` go before the text. Without an `ordinal` calls of a stage are counted. `on_text` hears
        the reply as it is written; a replayed one is heard whole.
        """
        number = self.run.assignment.model_number(stage, try_number)
        counted = ordinal is None
        self.asked[stage] += counted
        request = Request(
            messages=(*before, Message(role="user", content=text)),
            temperature=self.run.temperature,
            top_p=self.run.top_p,
            max_tokens=max_tokens or self.run.max_tokens,
            problem_id=self.problem.id,
            sample=self.sample,
            stage=stage,
            ordinal=self.asked[stage] if ordinal is None else ordinal,
        )
        key = call_key(self.run.run_id, self.run.pools[number - 1], request)
        row = self.run.calls.find(key)
        if row is None:
            try:
                row = await self._pay(key, number, request, on_text)
            except CallError:
                self.asked[stage] -= counted  # a stage that is tried again asks for the same reply
                raise
            self.run.calls.add(row)
        elif on_text is not None:
            on_text(row.reply or "")
        self.calls.append(row)
        return row

    async def within(self, seconds: float, call: Awaitable[CallRow]) -> CallRow:
        """Await one of this session's calls for so many seconds; raises TimeoutError where it takes longer.

        Where it waits for a server that is away, that is nobody's fault who was asked: raises PoolExhausted.
        """
        try:
            async with asyncio.timeout(seconds):
                return await call
        except TimeoutError:
            away = next((pool for pool in self.run.models if pool.away), None)
            if away is None:
                raise
            raise away.missed(seconds) from None

    async def _pay(self, key: str, number: int, request: Request, on_text: OnText | None) -> CallRow:
        started = now()
        try:
            reply = await complete(self.run.models[number - 1], request, on_text)
        except CallError as error:
            failed = error.__cause__ if isinstance(error, PoolExhausted) else error
            if isinstance(failed, CallError):  # no call was made where the pool had been exhausted before
                self.run.calls.add(self._failed(failed, number, request, started))
            raise
        return self._row(key, number, request, started, reply.endpoint, reply.model).model_copy(
            update={
                **reply.model_dump(exclude={"text", "from_cache", "seconds"}),
                "reply": reply.text,
                "seconds": reply.seconds,
            }
        )

    def _failed(self, error: CallError, number: int, request: Request, started: datetime) -> CallRow:
        asked = error.endpoint or "", error.model or ""
        return self._row(uuid.uuid4().hex, number, request, started, *asked).model_copy(
            update={"error_kind": error.kind, "status": error.status, "error": error.message}
        )

    def _row(self, key: str, number: int, request: Request, started: datetime, endpoint: str, model: str) -> CallRow:
        finished = now()
        return CallRow(
            run_id=self.run.run_id,
            call_key=key,
            problem_id=self.problem.id,
            sample=self.sample,
            stage=request.stage,
            ordinal=request.ordinal,
            execution_id=self.run.execution_id,
            pool=self.run.pools[number - 1],
            model_number=number,
            endpoint=endpoint,
            model=model,
            seconds=(finished - started).total_seconds(),
            started_at=started,
            finished_at=finished,
            keep_text=self.run.keep_text,
            messages=list(request.messages) if self.run.keep_text else None,
        )

"""Make the tests of one C program: ask for inputs, try them, show the model what became of them, ask for the rest."""

import errno
import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from blocks.records import AttemptRow, CallRow, TestFileRow, TestInputRow, now
from blocks.spool import SpoolFull
from tasks.c_tests.building import Builds, DoesNotCompile, Program, build
from tasks.c_tests.coverage import Coverage, coverage
from tasks.c_tests.files import Test, TestsFolder
from tasks.c_tests.known import KnownInputs
from tasks.c_tests.replies import inputs_of
from tasks.c_tests.sources import Source
from tasks.c_tests.trying import Feed, Given, Tried, fed, try_inputs
from tasks.runs import OpenRun
from tasks.session import Session

STAGE = "test_inputs"
ROUNDS = 6
MOST_SHOWN = 10  # inputs of a kind that a prompt shows
UNREAD = 5  # replies of an endpoint in which no input was found, and none before, after which another is asked
LONGEST_SHOWN = 1500  # characters of one
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)  # what stops a run, because every other file would meet it
MOST_LINES = 60  # lines of a program that a prompt shows as not reached


class Wanted(NamedTuple):
    """What is to be made of every program."""

    tests: int
    feed: Feed
    coverage: bool
    cflags: tuple[str, ...]


class Maker:
    """Makes tests in one execution of a run. `made` has the row of every program that came to an end in it."""

    def __init__(self, wanted: Wanted, sources: dict[str, Source], folder: TestsFolder, known: KnownInputs) -> None:
        self.wanted = wanted
        self.sources = sources
        self.folder = folder
        self.known = known
        self.made: dict[str, TestFileRow] = {}
        self._builds: dict[str, Builds] = {}  # of attempts in progress, for their retries
        self._unread: dict[str, set[str]] = defaultdict(set)  # keys of replies that held no input, by endpoint
        self._read: set[str] = set()  # endpoints of which a reply has held one

    async def work(self, run: OpenRun, session: Session, row: AttemptRow) -> AttemptRow:
        """The work of an attempt; see `tasks.attempts.Work`. Complete tests solve a program, fewer do not."""
        source = self.sources[session.problem.id]
        making = _Making(self, run, session, source)
        error = None
        try:
            await making.make(await self._built(run, source, making.program))
            outcome = "complete" if len(making.accepted) >= self.wanted.tests else "short"
        except DoesNotCompile as problem:
            outcome, error = "compile_error", str(problem)
        self._builds.pop(source.path, None)
        made = making.row(outcome, error)
        run.spool.append(made)
        self._write(run, source, [Test(input=each.input, output=each.output) for each in making.accepted])
        self.made[source.path] = made
        return row.model_copy(
            update={
                "outcome": outcome,
                "solved": outcome == "complete",
                "error_kind": None if outcome == "complete" else outcome,
                "error": made.error,
                "tries": made.rounds,
                "samples_checked": made.tried,
                "tests": made.wanted,
                "tests_passed": made.tests,
                "language": session.language,
                "served_by": made.models,
                "generated_at": now(),
                "finished_at": now(),
            }
        )

    def heard(self, run: OpenRun, call: CallRow, inputs: Sequence[str]) -> None:
        """Note whether a reply held inputs: a model that cannot say any is asked no more, where there is another."""
        if inputs:
            self._read.add(call.endpoint)
        elif call.execution_id == run.execution_id:  # not replayed
            self._unread[call.endpoint].add(call.call_key)
            if len(self._unread[call.endpoint]) >= UNREAD and call.endpoint not in self._read:
                run.models[0].deny(call.endpoint, f"none of its first {UNREAD} replies held an input")

    def _write(self, run: OpenRun, source: Source, tests: list[Test]) -> None:
        """Write what was made. More tests of the same build are not given up for fewer, nor any for none."""
        kept = self.folder.kept(source, self.wanted.feed, self.wanted.cflags)
        seconds = run.limits.cpu_seconds / run.limits.scale
        try:
            if tests and len(tests) >= len(kept):
                self.folder.write(source, self.wanted.feed, tests, self.wanted.cflags, seconds)
            elif not self.folder.near(source, self.wanted.feed):
                self.folder.drop(source.path)
        except OSError as problem:
            if problem.errno in FULL:
                raise SpoolFull(f"{self.folder.path} takes no more tests ({problem.strerror})") from None
            raise

    async def _built(self, run: OpenRun, source: Source, program: Program) -> Builds:
        if source.path not in self._builds:
            async with run.grading:
                self._builds[source.path] = await build(program, run.limits)
        return self._builds[source.path]


class _Making:
    """The rounds of one program."""

    def __init__(self, maker: Maker, run: OpenRun, session: Session, source: Source) -> None:
        self.maker = maker
        self.wanted = maker.wanted
        self.run = run
        self.session = session
        self.source = source
        self.program = Program(text=source.text, path=source.path, cflags=maker.wanted.cflags)
        self.tried: list[Tried] = []
        self.asked = self.rounds = 0
        self.reached: Coverage | None = None
        self._seen: set[str | Given] = set()

    @property
    def accepted(self) -> list[Tried]:
        """The first acceptable inputs, as many as wanted at most."""
        return [each for each in self.tried if each.outcome == "accepted"][: self.wanted.tests]

    async def make(self, builds: Builds) -> None:
        """Ask and try until there are enough tests, or the rounds are over; those on disk already come first."""
        kept = self.maker.folder.near(self.source, self.wanted.feed)
        await self._try(builds, [test.input for test in kept])
        unread = False
        while len(self.accepted) < self.wanted.tests and self.rounds < ROUNDS:
            self.asked += 1
            inputs = await self._ask(unread)
            call = self.session.calls[-1]
            self.maker.heard(self.run, call, inputs)
            unread = not inputs
            # What an earlier execution was told in vain counts for nothing: the next one tries again.
            self.rounds += bool(inputs) or call.execution_id == self.run.execution_id
            await self._try(builds, inputs)

    async def _ask(self, unread: bool) -> tuple[str, ...]:
        """Ask for what is lacking; for half of it first where coverage is to be shown, which takes a next round."""
        lacking = self.wanted.tests - len(self.accepted)
        halved = self.wanted.coverage and self.asked == 1 and not self.tried
        async with self.run.generating:
            return await self.session.ask(
                STAGE,
                parse=inputs_of,
                count=math.ceil(lacking / 2) if halved else lacking,
                feed=self.wanted.feed,
                seconds=f"{self.run.limits.cpu_seconds / self.run.limits.scale:g}",
                accepted=[_cut(each.input) for each in self.accepted[-MOST_SHOWN:]],
                rejected=[
                    {"input": _cut(each.input), "detail": each.detail}
                    for each in self.tried
                    if each.outcome != "accepted"
                ][-MOST_SHOWN:],
                missed=self._missed(),
                unread=unread,
            )

    async def _try(self, builds: Builds, inputs: Sequence[str]) -> None:
        """Try the inputs that are new, in their order, no more at a time than are lacking."""
        fresh = self._new(inputs)
        async with self.run.grading:
            while fresh and (lacking := self.wanted.tests - len(self.accepted)) > 0:
                batch, fresh = fresh[:lacking], fresh[lacking:]
                await self._try_batch(builds, batch)
            if self.wanted.coverage and self.accepted:
                texts = [each.input for each in self.accepted]
                self.reached = await coverage(self.program, texts, self.wanted.feed, self.run.limits)

    async def _try_batch(self, builds: Builds, batch: list[str]) -> None:
        known = {text: self.maker.known.find(self.source.path, self.source.digest, text) for text in batch}
        unknown = [text for text in batch if known[text] is None]
        found = await try_inputs(self.program, builds, unknown, self.wanted.feed, self.run.limits)
        now_known = {**known, **{each.input: each for each in found}}
        for text in batch:
            tried = now_known[text]
            assert tried is not None
            if known[text] is None:
                self.maker.known.add(self._input_row(tried))
            self.tried.append(tried)

    def _new(self, inputs: Sequence[str]) -> list[str]:
        """The inputs that have not been there; arguments that are split alike are the same input."""
        new = []
        for text in inputs:
            try:
                same: str | Given = fed(text, self.wanted.feed)
            except ValueError:
                same = text
            if same not in self._seen:
                self._seen.add(same)
                new.append(text)
        return new

    def _missed(self) -> list[str]:
        if self.reached is None:
            return []
        lines = self.source.text.split("\n")
        return [
            f"{number}: {lines[number - 1]}" for number in self.reached.missed[:MOST_LINES] if number <= len(lines)
        ]

    def _input_row(self, tried: Tried) -> TestInputRow:
        return TestInputRow(
            run_id=self.run.run_id,
            problem_id=self.source.path,
            sample=self.session.sample,
            source=self.source.digest,
            number=len(self.tried),
            round=self.rounds,
            isolation=self.run.limits.isolation,
            execution_id=self.run.execution_id,
            **tried.model_dump(),
        )

    def row(self, outcome: str, error: str | None) -> TestFileRow:
        """What was made, in numbers, and in words where it is not all."""
        rejected = Counter[str](each.outcome for each in self.tried if each.outcome != "accepted")
        return TestFileRow(
            run_id=self.run.run_id,
            problem_id=self.source.path,
            sample=self.session.sample,
            source=self.source.digest,
            outcome=outcome,
            wanted=self.wanted.tests,
            tests=len(self.accepted),
            tried=len(self.tried),
            rounds=self.rounds,
            doubtful=sum(each.doubtful for each in self.accepted),
            rejected=dict(rejected),
            models=list(dict.fromkeys(call.model for call in self.session.calls)),
            line_coverage=self.reached.line if self.reached else None,
            branch_coverage=self.reached.branch if self.reached else None,
            error=error or (None if outcome == "complete" else self._why(rejected)),
            execution_id=self.run.execution_id,
        )

    def _why(self, rejected: Counter[str]) -> str:
        """Why there are fewer tests than wanted: how many inputs came to what, and what the last of them met."""
        said = f"{len(self.accepted)} of {self.wanted.tests} tests in {self.rounds} rounds"
        if not self.tried:
            return f"{said}; no reply held an input"
        if not rejected:
            return f"{said}; the replies repeated {'one input' if len(self.tried) == 1 else 'the same inputs'}"
        counted = ", ".join(f"{count} {outcome}" for outcome, count in rejected.most_common())
        last = next(each.detail for each in reversed(self.tried) if each.outcome != "accepted")
        return f"{said}; rejected: {counted} ({' '.join(last.splitlines()[0].split())})"


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}\n[{len(text)} characters in all]"

"""The frozen records of the domain: problems, sample reports, verdicts, attempts."""

import re
from typing import Literal

from blocks.limits import Limits
from blocks.records import Record

Outcome = Literal[
    "passed",
    "wrong_answer",
    "runtime_error",
    "time_limit",
    "memory_limit",
    "output_limit",
    "compile_error",
    "sandbox_violation",
    "harness_error",
]


class Pair(Record):
    """One test of a whole program: what it reads on standard input, and the standard output that is expected."""

    input: str
    output: str


class Suite(Record):
    """Tests of one kind, in order: `assertions` for a function, or `pairs` for a program that reads standard input.

    `setup` is the tests' own source, executed once in the judge before the first assertion (imports, helpers, the
    values that assertions share); it may call what the program defines. Each assertion is source of its own and one
    test. All three empty: there are no tests.
    """

    setup: str = ""
    assertions: tuple[str, ...] = ()
    pairs: tuple[Pair, ...] = ()

    @property
    def size(self) -> int:
        """The number of tests."""
        return len(self.assertions) + len(self.pairs)


class Checks(Record):
    """Tests that a model wrote: Python that defines `check(candidate)`, or pairs for a whole program.

    They are not trusted: such a source runs in the sandbox, beside the program.
    """

    source: str = ""
    pairs: tuple[Pair, ...] = ()

    @property
    def text(self) -> str:
        """The tests as they are kept."""
        tests = (f"Input:\n{pair.input.rstrip()}\nOutput:\n{pair.output.rstrip()}\n" for pair in self.pairs)
        return self.source or "\n".join(tests)


class Problem(Record):
    """One item of a dataset: a program to write, judged by its tests.

    `statement` is what the model is shown. With an `entry_point` (a function, or a class) the program is judged by
    assertions, which may call it by its name or as `candidate`; empty, it is a whole program that reads standard
    input and writes standard output, judged by pairs. `context` holds the imports and helper functions that program
    and tests both may use, as the statement gives them before its entry point. `names` are other names that the tests
    use and the reference program defines at its top level: the tests reach them in the program, as the entry point.

    `samples` are public; `hidden` decides, and is empty where the dataset has extended tests alone; `extended` is a
    second, larger suite, empty where the dataset has none. `time_limit` (CPU seconds of one test) and
    `memory_limit_mb` (MiB) are the dataset's own, None where it names none. `reference` is a whole correct program,
    written in `reference_language`, None where the dataset has none.
    """

    id: str
    statement: str
    entry_point: str = ""
    context: str = ""
    samples: Suite = Suite()
    hidden: Suite
    extended: Suite = Suite()
    names: tuple[str, ...] = ()
    time_limit: float | None = None
    memory_limit_mb: int | None = None
    reference: str | None = None
    reference_language: str = "Python3"

    @property
    def entry_kind(self) -> Literal["function", "class"]:
        """What the entry point is: a class where the statement begins one of that name."""
        begins = re.search(rf"^[ \t]*class {re.escape(self.entry_point)}\b", self.statement, re.MULTILINE)
        return "class" if begins and self.entry_point else "function"


class TestResult(Record):
    """What became of one test. Times in seconds, memory in MiB; None: not measured.

    `detail` is for people and reports, empty where there is nothing to say. `comparison` says what compared: the
    dataset's own "assertion", or Consort's "tokens" of an output; empty where nothing came to be compared.
    """

    __test__ = False

    outcome: Outcome
    detail: str = ""
    cpu_seconds: float | None = None
    wall_seconds: float | None = None
    peak_memory: float | None = None
    comparison: str = ""


class Verdict(Record):
    """What a suite said of a program: `passed`, or the outcome of the first test that did not pass.

    `limits` are those that were in force: the problem's own in place, scaled to the host.
    """

    outcome: Outcome
    tests: tuple[TestResult, ...]
    isolation: str
    limits: Limits

    @property
    def passed(self) -> bool:
        return self.outcome == "passed"


class SampleReport(Record):
    """The public samples' verdict in the words that a model is shown: deterministic, no times, no paths."""

    passed: bool
    samples: int
    samples_passed: int
    text: str


class Attempt(Record):
    """A finished (problem, sample): the persisted result of its task run."""

    problem_id: str
    sample: int
    program: str | None
    outcome: str
    solved: bool
    error_kind: str | None = None
    samples_checked: int

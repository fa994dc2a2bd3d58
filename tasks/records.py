"""The frozen records of the domain: problems, sample reports, verdicts, attempts."""

from typing import Literal

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


class Problem(Record):
    """One item of a dataset: a function to write, judged by calling it.

    `statement` is what the model is shown. `context` holds the imports and helper functions that the
    statement gives before its entry point: program and tests both may use them. `samples` are public
    assertions that name the entry point; `test` is the hidden suite, source that defines
    `check(candidate)`. `reference` is a whole correct program, where the dataset has one.
    """

    id: str
    statement: str
    entry_point: str
    context: str = ""
    samples: tuple[str, ...] = ()
    test: str
    reference: str | None = None


class TestResult(Record):
    """What became of one test. Times in seconds, memory in MiB; `detail` is for people and reports."""

    __test__ = False

    outcome: Outcome
    detail: str = ""
    cpu_seconds: float | None = None
    wall_seconds: float | None = None
    peak_memory: float | None = None


class Verdict(Record):
    """What a suite said of a program: `passed`, or the outcome of the first test that did not pass."""

    outcome: Outcome
    tests: tuple[TestResult, ...]
    isolation: str

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

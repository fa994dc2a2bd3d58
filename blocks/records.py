"""What crosses the border to the outside world: requests, replies, and the rows of the results store."""

from datetime import UTC, datetime
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field


def now() -> datetime:
    """The time, in UTC, as every row has it."""
    return datetime.now(UTC)


class Record(BaseModel):
    """A frozen value; equal fields make equal records."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Message(Record):
    role: Literal["system", "user", "assistant"]
    content: str


class Request(Record):
    """One chat completion to ask for, and which call of which attempt it is."""

    messages: tuple[Message, ...]
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    problem_id: str = ""
    sample: int = 0
    stage: str = ""
    ordinal: int = 1


class Reply(Record):
    """What one call returned. Token counts are the server's; None where it gave none. Times in seconds."""

    text: str
    reasoning: str = ""
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    reasoning_tokens: int | None = None
    cached_prompt_tokens: int | None = None
    ttft: float | None = None
    seconds: float
    finish_reason: str | None = None
    model: str
    endpoint: str
    request_id: str | None = None
    recorded: bool = False
    cost: float | None = None
    currency: str | None = None
    price_source: str | None = None
    from_cache: bool = False


class Row(Record):
    """A row of one table of the store. `key` names the columns that identify it; the latest row of a key wins."""

    table: ClassVar[str]
    key: ClassVar[tuple[str, ...]]

    run_id: str
    written_at: datetime = Field(default_factory=now)


class RunRow(Row):
    """One Run-n: a configuration, resumed as often as needed."""

    table: ClassVar[str] = "runs"
    key: ClassVar[tuple[str, ...]] = ("run_id",)

    flow: str
    dataset: str
    strategy: str
    models: list[str]
    language: str
    temperature: float | None
    top_p: float | None
    samples: int
    problems: int
    configuration: str
    folder: str
    created_at: datetime


class ExecutionRow(Row):
    """One flow run that worked on a run."""

    table: ClassVar[str] = "executions"
    key: ClassVar[tuple[str, ...]] = ("run_id", "execution_id")

    execution_id: str
    flow_run_id: str | None
    flow_run_name: str | None
    status: Literal["running", "done", "incomplete", "interrupted"]
    isolation: str | None
    workers: int
    eval_workers: int
    paid_calls: int | None = None
    wall_seconds: float | None = None
    started_at: datetime
    finished_at: datetime | None = None


class AttemptRow(Row):
    """One problem and sample under the run's strategy. `solved` is None where the attempt ended in an error.

    `served_by` names the models that served its calls, as their servers name them, in the order of the first call.
    """

    table: ClassVar[str] = "attempts"
    key: ClassVar[tuple[str, ...]] = ("run_id", "problem_id", "sample")

    problem_id: str
    sample: int
    execution_id: str
    task_run_id: str | None
    outcome: str
    solved: bool | None
    error_kind: str | None = None
    error: str | None = None
    program: str | None = None
    tries: int = 0
    samples_checked: int = 0
    tests: int = 0
    tests_passed: int = 0
    isolation: str | None = None
    language: str | None = None
    served_by: list[str] | None = None
    started_at: datetime
    generated_at: datetime | None = None
    grading_started_at: datetime | None = None
    finished_at: datetime


class CallRow(Row):
    """One model call. `call_key` is its key in the call cache; a failed call has an error kind and no reply.

    `cached` tells that the execution which finished the attempt replayed the reply instead of paying for it.
    Without `keep_text` (`--result-log partial`) the store drops messages and reply; the spool keeps the reply, for
    a later execution to replay.
    """

    table: ClassVar[str] = "calls"
    key: ClassVar[tuple[str, ...]] = ("run_id", "call_key")

    call_key: str
    problem_id: str
    sample: int
    stage: str
    ordinal: int
    execution_id: str
    pool: str
    model_number: int
    endpoint: str
    model: str
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    reasoning_tokens: int | None = None
    cached_prompt_tokens: int | None = None
    cost: float | None = None
    currency: str | None = None
    price_source: str | None = None
    ttft: float | None = None
    seconds: float
    started_at: datetime
    finished_at: datetime
    finish_reason: str | None = None
    request_id: str | None = None
    recorded: bool = False
    cached: bool = False
    error_kind: str | None = None
    status: int | None = None
    error: str | None = None
    keep_text: bool = True
    messages: list[Message] | None = None
    reply: str | None = None
    reasoning: str | None = None


class ModelEventRow(Row):
    """An endpoint of a pool that was set aside in an execution, or came back, and which one is next."""

    table: ClassVar[str] = "model_events"
    key: ClassVar[tuple[str, ...]] = ("run_id", "execution_id", "pool", "endpoint", "event", "happened_at")

    execution_id: str
    pool: str
    endpoint: str
    model: str
    event: str
    reason: str
    until: datetime | None = None
    next: str | None = None
    happened_at: datetime


class ProgramRow(Row):
    """One round's program, what it was written from, and what the tests said of it.

    The tests are the public samples, or those that a model wrote, which stand in `tests`. Plan and tests are replies:
    they are there where the run keeps texts.
    """

    table: ClassVar[str] = "programs"
    key: ClassVar[tuple[str, ...]] = ("run_id", "problem_id", "sample", "round")

    problem_id: str
    sample: int
    round: int
    stage: str
    plan: str | None = None
    program: str
    tests: str | None = None
    samples: int
    samples_passed: int
    report: str
    isolation: str | None = None


class TestRow(Row):
    """One test of a suite on the attempt's last program. Times in seconds, memory in MiB.

    The limits are those that the test ran under; `scale` is the part of the time limits that is the host's
    calibration. `comparison` is what compared: the suite's own assertion, or tokens of output.
    """

    table: ClassVar[str] = "tests"
    key: ClassVar[tuple[str, ...]] = ("run_id", "problem_id", "sample", "suite", "test")
    __test__: ClassVar[bool] = False

    problem_id: str
    sample: int
    suite: str
    test: int
    outcome: str
    cpu_seconds: float | None = None
    wall_seconds: float | None = None
    peak_memory: float | None = None
    detail: str | None = None
    isolation: str
    execution_id: str
    comparison: str | None = None
    cpu_limit: float | None = None
    wall_limit: float | None = None
    memory_limit_mb: int | None = None
    output_limit_kb: int | None = None
    scale: float | None = None


class TestInputRow(Row):
    """One input that was tried on a C program (`source`: its text's SHA-256), in the order of the attempt.

    `output` is the expected output of an accepted one, `detail` says of another why it is none; `doubtful`: a build
    with sanitizers printed something else. Round 0 is what the program's tests held before. Times in seconds, memory
    in MiB.
    """

    table: ClassVar[str] = "test_inputs"
    key: ClassVar[tuple[str, ...]] = ("run_id", "problem_id", "sample", "source", "number")
    __test__: ClassVar[bool] = False

    problem_id: str
    sample: int
    source: str
    number: int
    round: int
    outcome: str
    doubtful: bool
    input: str
    output: str
    detail: str
    cpu_seconds: float | None = None
    wall_seconds: float | None = None
    peak_memory: float | None = None
    isolation: str
    execution_id: str


class TestFileRow(Row):
    """The tests that were made of one C program: how many of how many, from what, and what they reach in percent."""

    table: ClassVar[str] = "test_files"
    key: ClassVar[tuple[str, ...]] = ("run_id", "problem_id", "sample")
    __test__: ClassVar[bool] = False

    problem_id: str
    sample: int
    source: str
    outcome: str
    wanted: int
    tests: int
    tried: int
    rounds: int
    doubtful: int
    rejected: dict[str, int]
    models: list[str]
    line_coverage: float | None = None
    branch_coverage: float | None = None
    error: str | None = None
    execution_id: str


class StepRow(Row):
    """One step of a question's plan: who answered it, with what, and when.

    `plan` is 1, or 2 where the planner was asked again; the steps of a plan that was refused are `discarded`.
    `result` is None where the step failed, `error` then says why. `escalated`: the small model failed and the large
    one was asked. `started_seconds` counts from the question's beginning, None where an earlier execution had begun
    it; tokens and cost are those of all its calls.
    """

    table: ClassVar[str] = "steps"
    key: ClassVar[tuple[str, ...]] = ("run_id", "problem_id", "sample", "plan", "step")

    problem_id: str
    sample: int
    plan: int
    step: int
    task: str
    difficulty: int
    token_budget: int
    depends_on: list[int]
    size: str
    model: str | None = None
    result: str | None = None
    error: str | None = None
    escalated: bool = False
    discarded: bool = False
    started_seconds: float | None = None
    seconds: float
    ttft: float | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cost: float | None = None
    currency: str | None = None
    execution_id: str


class AnswerRow(Row):
    """What became of one question: its prediction, whether that is right, and what decided so.

    `plan` is the plan that was carried out, as XML, None without one (a single model, or `fallback` "direct").
    `aggregated` is False where the last step's result stands in for the aggregation. Seconds count from the
    question's beginning, None where an earlier execution had begun it; the plan's graph is in `critical_path` (ids)
    and `compression_ratio`.
    """

    table: ClassVar[str] = "answers"
    key: ClassVar[tuple[str, ...]] = ("run_id", "problem_id", "sample")

    problem_id: str
    sample: int
    question: str
    subject: str | None = None
    answer: str | None = None
    prediction: str | None = None
    correct: bool | None = None
    decided_by: str | None = None
    plan: str | None = None
    fallback: str | None = None
    repairs: list[str] = Field(default_factory=list)
    steps: int = 0
    failed_steps: int = 0
    critical_path: list[int] = Field(default_factory=list)
    compression_ratio: float | None = None
    aggregated: bool = False
    planning_seconds: float | None = None
    wall_seconds: float | None = None
    execution_id: str


class JudgementRow(Row):
    """The score of one dimension that a judge gave what another run (`judged_run_id`) has made of a question.

    `role` is planner or executor, `model` the model that was judged as such. `step` is the step's number, 0 for a
    plan. `score` is from 1 to 5; None where the judge's reply could not be used, `error` then says why. `repaired`:
    the judge was asked a second time. `judge` is the model that judged, as its server names it.
    """

    table: ClassVar[str] = "judgements"
    key: ClassVar[tuple[str, ...]] = ("run_id", "problem_id", "sample", "role", "step", "dimension")

    judged_run_id: str
    problem_id: str
    sample: int
    role: str
    step: int
    dimension: str
    model: str | None = None
    score: int | None = None
    reason: str | None = None
    error: str | None = None
    repaired: bool = False
    judge: str | None = None
    execution_id: str

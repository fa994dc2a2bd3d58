"""The numbers of a run, as `summary.json` has them."""

from datetime import datetime

from blocks.records import Record

WITH_TESTS = ("solve", "solve-problem", "grade")  # flows whose attempts are programs, judged by a suite of tests
UNTIL_SOLVED = "any of k: problems that one of their first k samples solved; the first that passed was the last taken"


class ModelUse(Record):
    """What one model was asked in a run; the cost is None where a call's price is not known."""

    api_calls: int
    prompt_tokens: int | None
    completion_tokens: int | None
    cost_usd: float | None


class Summary(Record):
    """A run in numbers: `summary.json`. What is unknown is None, never 0.

    `accuracy`, `test_accuracy`, `pass_at_k` and `any_of_k` are percentages: of the attempts, of an attempt's tests on
    average, and of the problems. `any_of_k` is there in a run with --until-solved, whose pass@k has no estimate.
    `solved` counts problems with at least one sample that passed. Tokens are those of prompts and replies.
    `generation_seconds` and `evaluation_seconds` are the time in which at least one call, or one grading, was in
    progress. `cached_calls` counts the replies that this execution found paid for already. `isolation` is the weakest
    under which any of the run's programs was run.
    """

    run_id: str
    flow: str
    dataset: str
    strategy: str
    models: dict[str, ModelUse]
    problems: int
    solved: int
    unsolved: int
    errors: int
    accuracy: float | None
    test_accuracy: float | None
    pass_at_k: dict[str, float | None]
    any_of_k: dict[str, float | None] | None
    api_calls: int
    prompt_tokens: int | None
    completion_tokens: int | None
    tokens_per_problem: float | None
    calls_without_usage: int
    cost_usd: float | None
    cached_calls: int
    wall_seconds: float | None
    generation_seconds: float | None
    evaluation_seconds: float | None
    recorded: bool
    mixed_models: bool
    isolation: str | None
    started_at: datetime
    finished_at: datetime | None


def by_samples(summary: Summary) -> dict[str, float | None]:
    """Return pass@k by name, or any of k of a run with --until-solved."""
    if summary.any_of_k is not None:
        return {f"any of {k}": value for k, value in summary.any_of_k.items()}
    return {f"pass@{k}": value for k, value in summary.pass_at_k.items()}


def figures(summary: Summary) -> dict[str, object]:
    """Return a summary as one level of names and values, without what is by model."""
    values = summary.model_dump(mode="json", exclude={"models", "pass_at_k", "any_of_k"})
    return {**values, **by_samples(summary)}


def isolation_text(isolation: str | None) -> str:
    """Return the isolation in a report's words: what the weaker of the two lacks is said with its name."""
    if isolation == "process":
        return "process (limits and a system-call filter, but no namespaces)"
    return isolation or "no program was run"

"""The numbers of a run, as `summary.json` has them."""

from datetime import datetime

from blocks.records import Record


class ModelUse(Record):
    """What one model was asked in a run; the cost is None where a call's price is not known."""

    api_calls: int
    prompt_tokens: int | None
    completion_tokens: int | None
    cost_usd: float | None


class Summary(Record):
    """A run in numbers: `summary.json`. What is unknown is None, never 0.

    `accuracy` and `pass_at_k` are percentages; `solved` counts problems with at least one sample that passed.
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
    pass_at_k: dict[str, float | None]
    api_calls: int
    prompt_tokens: int | None
    completion_tokens: int | None
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


def isolation_text(isolation: str | None) -> str:
    """Return the isolation in a report's words: what the weaker of the two lacks is said with its name."""
    if isolation == "process":
        return "process (limits and a system-call filter, but no namespaces)"
    return isolation or "no program was run"

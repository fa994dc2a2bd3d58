"""Summary.txt: a run's numbers for people who read files."""

from collections import Counter
from collections.abc import Iterable

from tasks.reporting.log import model_configuration
from tasks.reporting.queries import AttemptUse
from tasks.reporting.summary import UNTIL_SOLVED, Summary, by_samples, isolation_text


def summary_text(summary: Summary, attempts: list[AttemptUse], models: tuple[str, ...], suite: str = "hidden") -> str:
    """Summary.txt: totals, averages, and how many calls the solved and the unsolved took.

    `models` are the references as given, Model 1 first; of a run that graded they are the programs' file or folder.
    """
    head = [
        *([f"Extended tests of {summary.dataset} on {models[0]}", ""] if suite == "extended" else []),
        *(["Replies of this run were recorded, no model was asked.", ""] if summary.recorded else []),
        _line("Accuracy", summary.accuracy),
        _line("Solved", summary.solved),
        _line("Unsolved", summary.unsolved),
        _line("Errors", summary.errors),
        *[_line(f"  Attempts With {kind}", count) for kind, count in errors_by_kind(attempts).items()],
        *_of_samples(summary),
        *["", f"Isolation: {isolation_text(summary.isolation)}"],
    ]
    calls = [] if summary.flow == "grade" else ["", *_call_statistics(summary, attempts)]
    two = len(models) > 1
    by_model = ["", "=" * 70, "=== Model-wise Statistics ===", *_model_statistics(summary)] if two else []
    return "\n".join([*([model_configuration(models)] if two else []), *head, *calls, *by_model]) + "\n"


def errors_by_kind(attempts: list[AttemptUse]) -> dict[str, int]:
    """Count what kept attempts from an end, by kind; none of it is a failure of a program."""
    return dict(Counter(attempt.error_kind or "error" for attempt in attempts if attempt.solved is None))


def _of_samples(summary: Summary) -> list[str]:
    lines = [_line(name, value) for name, value in by_samples(summary).items() if len(summary.pass_at_k) > 1]
    return [*lines, *([f"  ({UNTIL_SOLVED})"] if summary.any_of_k is not None else [])]


def _call_statistics(summary: Summary, attempts: list[AttemptUse]) -> list[str]:
    calls = [attempt.api_calls for attempt in attempts]
    seconds = [attempt.seconds or 0.0 for attempt in attempts]
    count = max(1, len(attempts))
    prompt, completion = _sum(a.prompt_tokens for a in attempts), _sum(a.completion_tokens for a in attempts)
    unended = summary.api_calls - sum(calls)  # a model gave out in the middle of them, or somebody stopped the run
    return [
        _line("Total Prompt Tokens", summary.prompt_tokens),
        _line("Average Prompt Tokens", _average(prompt, count)),
        _line("Total Completion Tokens", summary.completion_tokens),
        _line("Average Completion Tokens", _average(completion, count)),
        *([_line("Calls Without Usage", summary.calls_without_usage)] if summary.calls_without_usage else []),
        _line("Total Cost (USD)", summary.cost_usd),
        "",
        _line("Total Time of Calls (s)", round(sum(seconds), 2)),
        _line("Average Time of Calls (s)", round(sum(seconds) / count, 2)),
        "",
        _line("Total Api Calls", summary.api_calls),
        _line("Max Api Calls", max(calls, default=0)),
        _line("Min Api Calls", min(calls, default=0)),
        _line("Average Api Calls", round(sum(calls) / count, 1)),
        *([_line("Of Attempts Not Ended", unended)] if unended else []),
        "",
        *_histogram("Solved", [a.api_calls for a in attempts if a.solved]),
        "",
        *_histogram("Unsolved", [a.api_calls for a in attempts if a.solved is False]),
    ]


def _sum(counts: Iterable[int | None]) -> int | None:
    """The sum of counts; None where one is not known."""
    known = list(counts)
    return None if None in known else sum(count for count in known if count is not None)


def _histogram(what: str, calls: list[int]) -> list[str]:
    counts = Counter(calls)
    lines = [f"  {number:>3} calls: {counts[number]}" for number in sorted(counts)]
    return [f"Api Calls -> {what}", *(lines or ["  none"])]


def _model_statistics(summary: Summary) -> list[str]:
    lines = []
    for number, use in enumerate(summary.models.values(), start=1):
        lines += [
            "",
            f"Model {number} Statistics:",
            _line("  Total Api Calls", use.api_calls),
            _line("  Total Prompt Tokens", use.prompt_tokens),
            _line("  Total Completion Tokens", use.completion_tokens),
            _line("  Total Cost (USD)", use.cost_usd),
        ]
    return lines


def _line(name: str, value: object) -> str:
    return f"{name + ':':<34}{'unknown' if value is None else value:>12}"


def _average(total: int | None, count: int) -> float | None:
    return None if total is None else round(total / count, 1)

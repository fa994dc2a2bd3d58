"""REPORT.txt: a run at a glance, then a line an attempt."""

from typing import NamedTuple

from tasks.reporting.queries import AttemptUse
from tasks.reporting.summary import UNTIL_SOLVED, WITH_TESTS, Summary, by_samples, isolation_text
from tasks.reporting.texts import errors_by_kind

Parameters = dict[str, bool | int | float | str]

MARKS = {True: "PASS ", False: "FAIL ", None: "ERROR"}
WIDTH = 12


class Worked(NamedTuple):
    """How a run was worked on: its last execution's workers, and its strategy's parameters that are not the usual."""

    samples: int
    workers: int | None
    eval_workers: int | None
    parameters: Parameters


def report_text(summary: Summary, attempts: list[AttemptUse], worked: Worked) -> str:
    """REPORT.txt: what came of the run and what it took, then each attempt."""
    return "\n".join(
        [
            f"{summary.strategy} on {summary.dataset}, {' + '.join(summary.models)}",
            *(["Replies of this run were recorded, no model was asked."] if summary.recorded else []),
            "",
            *_results(summary, attempts, worked),
            *_times(summary),
            *_use(summary),
            *_settings(summary, worked),
            "",
            *(_attempt(attempt, tests=summary.flow in WITH_TESTS) for attempt in attempts),
            "",
        ]
    )


def _results(summary: Summary, attempts: list[AttemptUse], worked: Worked) -> list[str]:
    kinds = ", ".join(f"{kind} {count}" for kind, count in errors_by_kind(attempts).items())
    share = f"{_percent(summary.accuracy)}{' of the attempts' if worked.samples > 1 else ''}"
    solved = f"{summary.solved} of {summary.problems} ({share}), errors {summary.errors}"
    lines = [_line("Solved", solved + (f" ({kinds})" if kinds else ""))]
    if summary.flow not in WITH_TESTS:
        return lines
    lines += [_line(name, _percent(value)) for name, value in by_samples(summary).items()]
    if summary.any_of_k is not None:
        lines.append(_line("", UNTIL_SOLVED))
    said = "" if summary.test_accuracy is None else " of its tests passed by an attempt, on average"
    return [*lines, _line("Accuracy", _percent(summary.test_accuracy) + said)]


def _times(summary: Summary) -> list[str]:
    parts = {"generation": summary.generation_seconds, "evaluation": summary.evaluation_seconds}
    known = [seconds for seconds in parts.values() if seconds is not None]
    both = sum(known) if len(known) == len(parts) else 0.0
    lines = [
        _line("Started", f"{summary.started_at:%Y-%m-%d %H:%M:%S} UTC"),
        _line("Time", f"{_seconds(summary.wall_seconds)} in the last execution"),
    ]
    for name, seconds in parts.items():
        share = f" ({100 * seconds / both:.1f} %)" if both and seconds is not None else ""
        lines.append(_line(f"  {name}", _seconds(seconds) + share))
    if both:
        lines.append(_line("", "in all executions, with their shares of the two together; they go on side by side"))
    return lines


def _use(summary: Summary) -> list[str]:
    if summary.flow == "grade":
        return []  # no model is asked
    cost = "unknown" if summary.cost_usd is None else f"{summary.cost_usd:.4f} USD"
    each = "unknown" if summary.tokens_per_problem is None else f"{summary.tokens_per_problem:,.1f}"
    without = summary.calls_without_usage
    return [
        _line("Calls", f"{summary.api_calls:,}, of which {summary.cached_calls:,} had been paid for before"),
        _line("Tokens", f"{_tokens(summary)}, {each} a problem"),
        *([_line("", f"without {without:,} calls for which the server gave no counts")] if without else []),
        _line("Cost", cost),
    ]


def _settings(summary: Summary, worked: Worked) -> list[str]:
    workers = "unknown"
    if worked.workers is not None:
        workers = f"{worked.workers} that generate, {worked.eval_workers} that grade"
    own = ", ".join(f"{name} {value}" for name, value in worked.parameters.items())
    return [
        _line("Workers", workers),
        *([_line("Parameters", own)] if own else []),
        _line("Isolation", isolation_text(summary.isolation)),
    ]


def _attempt(attempt: AttemptUse, *, tests: bool) -> str:
    sample = f", sample {attempt.sample}" if attempt.sample else ""
    tokens = "unknown" if attempt.tokens is None else f"{attempt.tokens:,}"
    said = [attempt.outcome, f"{attempt.api_calls} calls", f"{tokens} tokens"]
    if tests:
        said.append(f"accuracy {_percent(attempt.accuracy)}")
    return f"{MARKS[attempt.solved]}  {attempt.problem_id}{sample}  {', '.join(said)}"


def _line(name: str, text: str) -> str:
    return f"{name:<{WIDTH}}  {text}"


def _tokens(summary: Summary) -> str:
    prompt, completion = summary.prompt_tokens, summary.completion_tokens
    if prompt is None or completion is None:
        return "unknown"
    return f"{prompt + completion:,} ({prompt:,} prompt, {completion:,} completion)"


def _percent(share: float | None) -> str:
    return "unknown" if share is None else f"{share:.1f} %"


def _seconds(seconds: float | None) -> str:
    return "unknown" if seconds is None else f"{seconds:.1f} s"

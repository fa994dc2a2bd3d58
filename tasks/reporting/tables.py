"""What a report shows, as pages of tables that any renderer can read: the numbers come from `queries` alone."""

import json
import re
from collections import defaultdict
from collections.abc import Iterable
from itertools import groupby
from math import ceil
from typing import Any, NamedTuple

import duckdb

from tasks.reporting import queries, store_queries
from tasks.reporting.pages import Cell, Column, Kind, Page, Table, shown
from tasks.reporting.summary import UNTIL_SOLVED, WITH_TESTS, Summary, by_samples, isolation_text

IDS = 12  # problems named in one row
ERRORS = 10  # errors told in full
EXECUTIONS = 10
BINS = 16  # rows of a histogram


class Replies(NamedTuple):
    """How many replies there are, and how many of them were recorded."""

    all: int
    recorded: int

    @property
    def mark(self) -> str:
        """What to say of recorded replies; nothing where a model gave each one."""
        if not self.recorded:
            return ""
        if self.recorded == self.all:
            return "recorded replies: no model was asked"
        return f"recorded replies: {self.recorded:,} of {self.all:,}, the others came from a model"


def run_page(db: duckdb.DuckDBPyConnection, run_id: str) -> Page:
    """One run: what it is, what came of it, and what it took."""
    summary = queries.summary(db, run_id)
    about = store_queries.run_about(db, run_id)
    times = store_queries.reply_times(db, run_id)
    attempts = queries.attempt_use(db, run_id)
    names = tuple(summary.models)
    replies = _replies(times)
    told = (
        _summary(summary, about.problems),
        _models(summary),
        _latency(times, names),
        _stages(store_queries.stage_use(db, run_id), names),
        _outcomes(attempts),
        _errors(store_queries.attempt_errors(db, run_id, ERRORS), sum(bool(each.error_kind) for each in attempts)),
        _failed_calls(store_queries.failed_calls(db, run_id), names),
        _calls(attempts),
        _rounds(store_queries.rounds(db, run_id)),
        _tests(store_queries.grading_use(db, run_id)),
    )
    title = f"{summary.strategy} on {summary.dataset}, {' + '.join(names)}"
    marks = [
        replies.mark,
        "mixed models: one pool was served by different models" if summary.mixed_models else "",
        f"isolation: {isolation_text(summary.isolation)}" if summary.isolation == "process" else "",
    ]
    tables = (
        _about(run_id, about, names),
        _executions(store_queries.executions(db, run_id)),
        *(_marked(table, replies) for table in told if table.rows),
    )
    return Page(title, tuple(mark for mark in marks if mark), tables)


def runs_page(db: duckdb.DuckDBPyConnection) -> Page:
    """Every run of the store as one table, the one that was worked on last first."""
    rows, recorded, weak = [], 0, 0
    for run_id in store_queries.run_ids(db):
        summary = queries.summary(db, run_id)
        asked = store_queries.run_about(db, run_id).problems
        executions = store_queries.executions(db, run_id)
        replies = _replies(store_queries.reply_times(db, run_id))
        recorded += bool(replies.recorded)
        weak += summary.isolation == "process"
        rows.append(_run_row(summary, asked, executions[-1].status if executions else None, replies))
    columns = (
        Column("run"),
        Column("what"),
        Column("models"),
        Column("status"),
        Column("solved", "figure"),
        Column("accuracy %", "percent"),
        Column("calls", "count"),
        Column("cost (USD)", "usd"),
        Column("errors", "count", wide=True),
        Column("prompt tokens", "count", wide=True),
        Column("completion tokens", "count", wide=True),
        Column("seconds", "seconds", wide=True),
        Column("started (UTC)", "time", wide=True),
    )
    marks = [
        f"recorded replies in {recorded} of {len(rows)} runs: no model was asked for those" if recorded else "",
        f"isolation in {weak} of {len(rows)} runs: {isolation_text('process')}" if weak else "",
    ]
    table = Table(
        "Runs", columns, tuple(rows), "Solved is of the problems asked for; seconds are the last execution's."
    )
    return Page("All runs", tuple(mark for mark in marks if mark), (table,))


def _run_row(summary: Summary, asked: int, status: str | None, replies: Replies) -> tuple[Cell, ...]:
    partly = "recorded" if replies.recorded == replies.all else "partly recorded"
    return (
        summary.run_id[:8],
        f"{summary.strategy} on {summary.dataset}"
        + (", process isolation" if summary.isolation == "process" else ""),
        " + ".join(summary.models) + (f" ({partly})" if replies.recorded else ""),
        status,
        f"{summary.solved:,}/{max(asked, summary.problems):,}",
        summary.accuracy,
        summary.api_calls,
        summary.cost_usd,
        summary.errors,
        summary.prompt_tokens,
        summary.completion_tokens,
        summary.wall_seconds,
        summary.started_at,
    )


def _replies(times: list[store_queries.ReplyTimes]) -> Replies:
    return Replies(sum(each.replies for each in times), sum(each.recorded for each in times))


def _marked(table: Table, replies: Replies) -> Table:
    """A table with the mark of recorded replies in its title."""
    if not replies.recorded:
        return table
    return table._replace(title=f"{table.title} ({'' if replies.recorded == replies.all else 'partly '}recorded)")


def _facts(title: str, facts: Iterable[tuple[str, str]], note: str = "") -> Table:
    return Table(title, (Column(""), Column("")), tuple(facts), note)


def _about(run_id: str, about: store_queries.RunAbout, names: tuple[str, ...]) -> Table:
    configuration: dict[str, Any] = json.loads(about.configuration)
    pools = configuration.get("pools") or []
    limit, limits = configuration.get("max_tokens"), configuration.get("limits") or {}
    parameters = [
        f"temperature {_given(about.temperature)}",
        f"top_p {_given(about.top_p)}",
        f"max_tokens {_given(limit)}",
        f"samples {about.samples}" + (" at most, until one passes" if configuration.get("until_solved") else ""),
        *(f"{name} {value}" for name, value in (configuration.get("parameters") or {}).items()),
    ]
    models = [
        (f"model {number}", name + (f", {_short(pools[number - 1])}" if number <= len(pools) else ""))
        for number, name in enumerate(names, start=1)
    ]
    stages = [
        f"{stage}: model {', '.join(str(number) for number in numbers)}" + (" by try" if len(numbers) > 1 else "")
        for stage, numbers in (configuration.get("stages") or {}).items()
    ]
    facts = [
        ("run", run_id),
        ("flow", about.flow),
        ("dataset", about.dataset),
        ("strategy", about.strategy),
        *models,
        *([("stages", "; ".join([*stages, "the others: model 1"]))] if stages else []),
        ("language", about.language),
        *([("suite", suite)] if (suite := configuration.get("suite", "hidden")) != "hidden" else []),
        *([("limits", ", ".join(f"{name} {value}" for name, value in limits.items()))] if limits else []),
        ("parameters", ", ".join(parameters)),
        ("folder", about.folder),
        ("made", f"{shown(about.created_at, 'time')} UTC"),
    ]
    return _facts("Run", facts)


def _executions(executions: list[store_queries.Execution]) -> Table:
    columns = (
        Column("execution"),
        Column("status"),
        Column("started (UTC)", "time"),
        Column("seconds", "seconds"),
        Column("workers", "count"),
        Column("grading workers", "count"),
        Column("new calls", "count"),
    )
    rows = tuple(
        (
            each.execution_id,
            each.status,
            each.started_at,
            each.wall_seconds,
            each.workers,
            each.eval_workers,
            each.paid_calls,
        )
        for each in executions[-EXECUTIONS:]
    )
    more = len(executions) - len(rows)
    return Table("Executions", columns, rows, f"{more} more before these." if more else "")


def _summary(summary: Summary, asked: int) -> Table:
    left = max(0, asked - summary.problems)
    tests: list[tuple[str, Cell, Kind, str]] = [
        ("tests passed by an attempt", summary.test_accuracy, "percent", " % on average")
    ]
    facts: list[tuple[str, Cell, Kind, str]] = [
        ("problems", summary.problems, "count", f", of {asked:,} asked for" if left else ""),
        ("solved", summary.solved, "count", ""),
        ("unsolved", summary.unsolved, "count", ""),
        ("errors", summary.errors, "count", ""),
        ("accuracy", summary.accuracy, "percent", " %"),
        *(tests if summary.flow in WITH_TESTS else ()),
        *(
            (name, value, "percent", " %")
            for name, value in by_samples(summary).items()
            if len(summary.pass_at_k) > 1
        ),
        ("calls", summary.api_calls, "count", ""),
        ("paid for before the last execution", summary.cached_calls, "count", " calls"),
        ("prompt tokens", summary.prompt_tokens, "count", ""),
        ("completion tokens", summary.completion_tokens, "count", ""),
        ("tokens of a problem", summary.tokens_per_problem, "figure", " on average"),
        ("cost (USD)", summary.cost_usd, "usd", ""),
        ("last execution", summary.wall_seconds, "seconds", " s"),
        ("generation, all executions", summary.generation_seconds, "seconds", " s"),
        ("evaluation, all executions", summary.evaluation_seconds, "seconds", " s"),
        ("isolation", isolation_text(summary.isolation), "text", ""),
        ("started", summary.started_at, "time", " UTC"),
        ("finished", summary.finished_at, "time", " UTC"),
    ]
    said = [(name, shown(value, kind) + ("" if value is None else unit)) for name, value, kind, unit in facts]
    notes = [_without_usage(summary.calls_without_usage), _until_solved(summary)]
    return _facts("Summary", said, " ".join(note for note in notes if note))


def _models(summary: Summary) -> Table:
    columns = (
        Column("model"),
        Column("calls", "count"),
        Column("prompt tokens", "count"),
        Column("completion tokens", "count"),
        Column("cost (USD)", "usd"),
    )
    rows = tuple(
        (name, use.api_calls, use.prompt_tokens, use.completion_tokens, use.cost_usd)
        for name, use in summary.models.items()
    )
    return Table("Models", columns, rows, _without_usage(summary.calls_without_usage))


def _latency(times: list[store_queries.ReplyTimes], names: tuple[str, ...]) -> Table:
    columns = (
        Column("model"),
        Column("replies", "count"),
        Column("mean", "seconds"),
        Column("median", "seconds"),
        Column("p95", "seconds"),
        Column("longest", "seconds"),
        Column("TTFT mean", "seconds"),
        Column("TTFT p95", "seconds"),
    )
    rows = tuple(
        (
            _name(names, each.model_number),
            each.replies,
            each.mean,
            each.p50,
            each.p95,
            each.longest,
            each.ttft_mean,
            each.ttft_p95,
        )
        for each in times
    )
    return Table("Latency", columns, rows, "In seconds; TTFT is the time to the first token.")


def _stages(stages: list[store_queries.StageUse], names: tuple[str, ...]) -> Table:
    columns = (
        Column("stage"),
        Column("model"),
        Column("calls", "count"),
        Column("prompt tokens", "count"),
        Column("completion tokens", "count"),
        Column("cost (USD)", "usd"),
        Column("mean seconds", "seconds"),
        Column("asked again", "count"),
    )
    rows = tuple(
        (
            each.stage,
            _name(names, each.model_number),
            each.api_calls,
            each.prompt_tokens,
            each.completion_tokens,
            each.cost_usd,
            each.mean_seconds,
            each.asked_again,
        )
        for each in stages
    )
    return Table("Stages", columns, rows, _without_usage(sum(each.without_usage for each in stages)))


def _outcomes(attempts: list[queries.AttemptUse]) -> Table:
    columns = (Column("outcome"), Column("attempts", "count"), Column("%", "percent"), Column("not solved"))
    groups: dict[tuple[bool | None, str], list[str]] = defaultdict(list)
    for each in attempts:
        kind = each.error_kind
        outcome = each.outcome if kind in (None, each.outcome) else f"{each.outcome}: {kind}"
        groups[each.solved, outcome].append(_id(each.problem_id, each.sample))
    order = sorted(
        groups.items(), key=lambda item: ((True, False, None).index(item[0][0]), -len(item[1]), item[0][1])
    )
    rows = tuple(
        (outcome, len(ids), 100 * len(ids) / len(attempts), "" if solved else _some(ids))
        for (solved, outcome), ids in order
    )
    return Table("Outcomes", columns, rows)


def _errors(errors: list[store_queries.AttemptError], count: int) -> Table:
    columns = (Column("problem"), Column("kind"), Column("message"))
    rows = tuple(
        (_id(each.problem_id, each.sample), each.error_kind, _cut(each.error, 300) if each.error else None)
        for each in errors
    )
    return Table(
        "Errors", columns, rows, f"{count - len(rows):,} more are in the store." if count > len(rows) else ""
    )


def _failed_calls(failed: list[store_queries.FailedCalls], names: tuple[str, ...]) -> Table:
    columns = (
        Column("model"),
        Column("kind"),
        Column("status", "figure"),
        Column("calls", "count"),
        Column("latest message"),
    )
    rows = tuple(
        (
            _name(names, each.model_number),
            each.error_kind,
            "no answer" if each.status is None else str(each.status),
            each.calls,
            _cut(each.said, 200) if each.said else None,
        )
        for each in failed
    )
    return Table("Failed calls", columns, rows)


def _calls(attempts: list[queries.AttemptUse]) -> Table:
    """How many calls the attempts took; neighbouring numbers share a row where there are many."""
    columns = (
        Column("calls", "figure"),
        Column("solved", "count"),
        Column("unsolved", "count"),
        Column("errors", "count"),
        Column("attempts", "bar"),
    )
    numbers = [each.api_calls for each in attempts]
    low, high = min(numbers, default=0), max(numbers, default=0)
    width = 1 if len(set(numbers)) <= BINS else ceil((high - low + 1) / BINS)
    bins: dict[int, list[bool | None]] = defaultdict(list)
    for each in attempts:
        bins[(each.api_calls - low) // width].append(each.solved)
    most = max((len(ends) for ends in bins.values()), default=1)
    rows = tuple(
        (
            str(low + number * width) + (f" to {low + (number + 1) * width - 1}" if width > 1 else ""),
            ends.count(True),
            ends.count(False),
            ends.count(None),
            len(ends) / most,
        )
        for number, ends in sorted(bins.items())
    )
    return Table("Calls of an attempt", columns, rows)


def _rounds(rounds: list[store_queries.Round]) -> Table:
    """What became of each round's programs; rounds that are alike share a row."""
    columns = (
        Column("round", "figure"),
        Column("programs", "count"),
        Column("passed", "count"),
        Column("unchecked", "count"),
        Column("final", "count"),
        Column("solved", "count"),
    )
    alike = [list(group) for _, group in groupby(rounds, key=lambda each: each[1:])]
    rows = tuple(
        (str(group[0].round) if len(group) == 1 else f"{group[0].round} to {group[-1].round}, each", *group[0][1:])
        for group in alike
    )
    note = (
        "Passed: the public samples. Unchecked: there are none. Final: an attempt's last program. Solved: by the "
        "hidden tests."
    )
    return Table("Rounds", columns, rows, note)


def _tests(use: list[store_queries.GradingUse]) -> Table:
    columns = (
        Column("suite"),
        Column("outcome"),
        Column("tests", "count"),
        Column("CPU mean", "seconds"),
        Column("CPU most", "seconds"),
        Column("wall most", "seconds"),
        Column("memory most", "figure"),
    )
    rows = tuple(
        (
            *(each.suite, each.outcome, each.tests, each.cpu_mean, each.cpu_most, each.wall_most),
            None if each.peak_mb is None else f"{each.peak_mb:,.1f}",
        )
        for each in use
    )
    return Table("Tests", columns, rows, "Times in seconds, memory of a program with all its processes in MiB.")


def _until_solved(summary: Summary) -> str:
    return f"{UNTIL_SOLVED[0].upper()}{UNTIL_SOLVED[1:]}." if summary.any_of_k is not None else ""


def _without_usage(calls: int) -> str:
    return f"The server gave no token counts for {calls:,} calls; the sums leave those out." if calls else ""


def _name(names: tuple[str, ...], number: int) -> str:
    return names[number - 1] if 0 < number <= len(names) else f"model {number}"


def _given(value: float | int | None) -> str:
    return "the server's own" if value is None else str(value)


def _short(pool: str) -> str:
    """A pool as written, with eight digits of a recorded file's hash."""
    return re.sub(r"@([0-9a-f]{8})[0-9a-f]{56}$", r"@\1", pool)


def _id(problem_id: str, sample: int) -> str:
    return problem_id if sample == 0 else f"{problem_id} sample {sample}"


def _some(ids: list[str]) -> str:
    more = len(ids) - IDS
    return ", ".join(ids[:IDS]) + (f" and {more:,} more" if more > 0 else "")


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"

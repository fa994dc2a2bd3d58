"""Several configurations in one command: strategies times models, a run each, and a table that compares them."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from prefect.artifacts import acreate_markdown_artifact
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed
from rich.console import Console

from blocks.errors import UsageError
from tasks.attempt_tasks import not_worth_a_run
from tasks.attempts import strategy
from tasks.reporting.markdown import write_page
from tasks.reporting.pages import Cell, Column, Page, Table
from tasks.reporting.summary import Summary, by_samples
from tasks.reporting.terminal import print_page
from tasks.strategy_parameters import parameters_of

Parameters = Mapping[str, Any]
COLUMNS = (
    Column("strategy"),
    Column("models"),
    Column("solved"),
    Column("accuracy (%)", "percent"),
    Column("calls", "count"),
    Column("tokens", "count"),
    Column("cost (USD)", "usd"),
    Column("generation (s)", "seconds", wide=True),
    Column("evaluation (s)", "seconds", wide=True),
    Column("wall (s)", "seconds"),
)


def cells(parameters: Parameters) -> list[dict[str, Any]]:
    """Return a flow's parameters once for each strategy and each model 1 that they name, with commas between.

    Of several strategies each is given the stages and parameters that it has; raises UsageError for one that none
    of them has.
    """
    named = {strategy(name).__name__: name for name in _names(str(parameters["strategy"]))}
    strategies = list(named.values()) or [parameters["strategy"]]
    model = "model1" if parameters.get("model1") else "model"
    models: list[str | None] = list(dict.fromkeys(_names(parameters.get(model) or ""))) or [parameters.get(model)]
    if len(strategies) < 2:
        return [{**parameters, "strategy": strategies[0], model: each} for each in models]
    own = {name: _known(name) for name in strategies}
    for flag in ("assign", "param"):
        for name in parameters.get(flag) or {}:
            if not any(name.replace("-", "_") in known[flag] for known in own.values()):
                raise UsageError(f"--{flag}.{name}: none of the strategies {', '.join(strategies)} has it")
    return [
        {
            **parameters,
            "strategy": name,
            model: each,
            **{flag: _own(parameters, flag, own[name]) for flag in own[name]},
        }
        for name in strategies
        for each in models
    ]


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _known(name: str) -> dict[str, set[str]]:
    module = strategy(name)
    return {"assign": set(module.STAGES), "param": set(parameters_of(module))}


def _own(parameters: Parameters, flag: str, known: dict[str, set[str]]) -> dict[str, str] | None:
    given: dict[str, str] = parameters.get(flag) or {}
    return {name: said for name, said in given.items() if name.replace("-", "_") in known[flag]} or None


class _Cell(NamedTuple):
    """A configuration that was run: its summary, or why there is none."""

    parameters: dict[str, Any]
    summary: Summary | None
    folder: str
    failed: str


async def run_matrix(
    configurations: list[dict[str, Any]], run: Callable[..., Awaitable[State[Any]]], *, quiet: bool
) -> State[Any]:
    """Run one configuration after the other, print the comparison, and leave it as an artifact.

    `run` is the flow of one; what fails in one keeps no other from being run. The state has the summaries.
    """
    console, ended = Console(), list[_Cell]()
    for number, parameters in enumerate(configurations, start=1):
        if not quiet:
            console.rule(f"{number} of {len(configurations)}: {parameters['strategy']}", align="left")
        ended.append(await _run(parameters, run))
    page = _page(ended)
    print_page(page, console)
    folders = [Path(each.folder) for each in ended if each.folder]
    if folders:
        path = folders[0].parents[3] / "comparison.md"
        with not_worth_a_run("artifacts"):
            text = await asyncio.to_thread(write_page, page, path)
            await acreate_markdown_artifact(text, key="comparison", description=page.title)
        for line in (*(f"results: {folder}" for folder in folders), f"table:   {path}"):
            console.print(line, markup=False, highlight=False, soft_wrap=True)
    data = [each.summary.model_dump(mode="json") for each in ended if each.summary]
    failed = [each for each in ended if each.failed]
    if failed:
        said = f"{len(failed)} of {len(ended)} runs are incomplete (the first: {failed[0].failed})"
        return Failed(message=f"{said}; the same command goes on with them", data=data)
    return Completed(message=f"{len(ended)} runs", data=data)


async def _run(parameters: dict[str, Any], run: Callable[..., Awaitable[State[Any]]]) -> _Cell:
    state = await run(**parameters, return_state=True)
    result = await state.aresult(raise_on_failure=False)
    failed = "" if state.is_completed() else state.message or "it failed"
    if not isinstance(result, dict):  # the exception that ended it
        return _Cell(parameters, None, "", str(result) or failed)
    folder = str(result.pop("folder"))
    return _Cell(parameters, Summary.model_validate(result), folder, failed)


def _page(ended: list[_Cell]) -> Page:
    """The comparison: a row a run, and what kept a run from an end."""
    summaries = [each.summary for each in ended if each.summary]
    names = list(dict.fromkeys(name for each in summaries for name in by_samples(each) if name != "pass@1"))
    columns = (*COLUMNS[:4], *(Column(f"{name} (%)", "percent") for name in names), *COLUMNS[4:])
    shown = [(each.strategy, *each.models) for each in summaries]
    rows = tuple(_row(each, names, alike=len({*shown}) < len(shown)) for each in ended)
    note = "; ".join(
        f"{each.parameters['strategy']} with {_given(each)}: {each.failed}" for each in ended if each.failed
    )
    marks = ("Some of these replies were recorded: no model was asked",) if any(s.recorded for s in summaries) else ()
    return Page("Comparison", marks, (Table("The runs", columns, rows, note),))


def _given(each: _Cell) -> str:
    """The models as they were given."""
    given = (each.parameters.get(name) for name in ("model1", "model", "team", "model2"))
    return " + ".join(str(name) for name in given if name)


def _row(each: _Cell, names: list[str], *, alike: bool) -> tuple[Cell, ...]:
    """A run's row; where models of several have `alike` names they are told as they were given."""
    summary = each.summary
    if summary is None:
        return (each.parameters["strategy"], _given(each), *[None] * (len(COLUMNS) - 2 + len(names)))
    tokens = summary.prompt_tokens, summary.completion_tokens
    return (
        summary.strategy,
        _given(each) if alike else " + ".join(summary.models),
        f"{summary.solved} of {summary.problems}{' (incomplete)' if each.failed else ''}",
        summary.accuracy,
        *(by_samples(summary).get(name) for name in names),
        summary.api_calls,
        None if None in tokens else sum(count for count in tokens if count is not None),
        summary.cost_usd,
        summary.generation_seconds,
        summary.evaluation_seconds,
        summary.wall_seconds,
    )

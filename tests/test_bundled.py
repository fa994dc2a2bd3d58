"""The bundled problems and recorded replies: every strategy runs on them offline, and ends as data/README.md says."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import pytest

from blocks.sandbox import Sandbox
from tasks import grading
from tasks.attempts import attempt, solving, strategies, strategy
from tasks.datasets import code_contests
from tasks.datasets.load import BUNDLED, load
from tasks.models import recording
from tasks.records import Attempt, Problem
from tasks.runs import OpenRun
from tasks.solving import Options, prepare

DATASETS = ("problems", "programs")
RECORDED = BUNDLED / "recorded"
FILES = [(name, path) for name in strategies() for path in sorted((RECORDED / name).glob("*.jsonl"))]


class Came(NamedTuple):
    """What became of a dataset: problems solved, and the replies that were used."""

    solved: int
    calls: int


class Run(NamedTuple):
    """A strategy with parameters of its own, over both datasets."""

    strategy: str
    problems: Came
    programs: Came
    parameters: Mapping[str, str] = MappingProxyType({})
    model: str = "small"

    def __str__(self) -> str:
        given = (f"{name}={value}" for name, value in self.parameters.items())
        return "-".join([self.strategy, self.model, *given])


RUNS = [
    Run("analogical", Came(10, 13), Came(5, 6)),
    Run("codesim", Came(10, 93), Came(5, 23)),
    Run("codesim", Came(10, 70), Came(4, 16), {"verify_plan": "no"}),
    Run("codesim", Came(9, 74), Came(5, 26), {"max_debug_try": "0"}),
    Run("codesim", Came(10, 107), Came(6, 30), {"self_made_samples": "3"}),
    Run("cot", Came(9, 12), Came(4, 7)),
    Run("direct", Came(7, 13), Came(3, 7)),
    Run("direct", Came(11, 12), Came(6, 6), model="large"),
    Run("mapcoder", Came(10, 107), Came(5, 50)),
    Run("self_collaboration", Came(9, 47), Came(4, 21), {"tester": "runs"}),
    Run("self_collaboration", Came(10, 42), Came(5, 22), {"tester": "audits"}),
    Run("self_planning", Came(10, 25), Came(4, 12)),
]


@pytest.mark.parametrize("name", strategies())
def test_every_strategy_has_recorded_replies_for_every_problem(name: str):
    path = RECORDED / name / "small.jsonl"
    assert path.is_file(), (
        f"strategy {name} cannot be tried out offline: add data/recorded/{name}/small.jsonl with the replies of an "
        "imagined model to every problem of data/problems.jsonl and data/programs.jsonl, a row to data/README.md, "
        "and a Run here"
    )
    assert name in {run.strategy for run in RUNS}, f"add a Run of strategy {name} with what comes of it"
    answered = {reply.problem_id for reply in recording.load(path).replies}
    assert answered == {problem.id for dataset in DATASETS for problem in bundled(dataset)}


@pytest.mark.parametrize(("name", "path"), FILES, ids=lambda value: value.stem if isinstance(value, Path) else value)
def test_every_recorded_reply_is_for_a_stage_and_says_what_it_cost(name: str, path: Path):
    replies = recording.load(path).replies
    assert {reply.stage for reply in replies} <= set(strategy(name).STAGES)
    assert {reply.model for reply in replies} == {path.stem}
    assert all(reply.prompt_tokens and reply.completion_tokens for reply in replies)
    calls = [(reply.problem_id, reply.stage, reply.n, reply.match) for reply in replies]
    assert len(calls) == len(set(calls))
    assert path.stat().st_size < 150_000


@pytest.mark.parametrize("run", RUNS, ids=str)
async def test_what_comes_of_a_run(run: Run, tmp_path: Path):
    came = await asyncio.gather(*(solved(run, dataset, tmp_path / dataset) for dataset in DATASETS))
    assert dict(zip(DATASETS, came, strict=True)) == {"problems": run.problems, "programs": run.programs}


@pytest.mark.parametrize("dataset", DATASETS)
async def test_every_reference_passes_its_tests(dataset: str):
    limits = await grading.prepare(Sandbox().limits())
    for problem in bundled(dataset):
        assert problem.reference
        assert (await grading.run_samples(problem, problem.reference, limits)).passed, problem.id
        assert (await grading.grade(problem, problem.reference, limits)).passed, problem.id


def test_the_programs_are_rows_of_codecontests_with_more_tests_than_samples():
    for line in (BUNDLED / "programs.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        assert code_contests.recognises(row)
        assert row["cf_tags"]
        assert row["time_limit"]
    for problem in bundled("programs"):
        assert not problem.entry_point
        assert 0 < problem.samples.size < problem.hidden.size


def bundled(dataset: str) -> Sequence[Problem]:
    return load(str(BUNDLED / f"{dataset}.jsonl")).problems


async def solved(run: Run, dataset: str, folder: Path) -> Came:
    """Attempt every problem at once, in a real run with the real sandbox; none may end in an error."""
    folder.mkdir()
    large = RECORDED / run.strategy / "large.jsonl"
    handed = {"debugging": "1,1,2"} if run.strategy == "codesim" else None  # as in `make demo`
    options = Options(
        flow="solve",
        dataset=str(BUNDLED / f"{dataset}.jsonl"),
        strategy=run.strategy,
        model1=without_waiting(RECORDED / run.strategy / f"{run.model}.jsonl", folder),
        param=dict(run.parameters),
        output=folder / "results",
        model2=without_waiting(large, folder) if handed else None,
        assign=handed,
    )
    job = await prepare(options)

    async def one(opened: OpenRun, problem: Problem) -> Attempt:
        return await attempt(opened, problem, 0, solving(job.solver))

    async with job.open() as opened, asyncio.TaskGroup() as group:
        attempts = [group.create_task(one(opened, problem)) for problem in job.problems]
    ended = [each.result() for each in attempts]
    assert [each.problem_id for each in ended if each.error_kind] == []
    return Came(sum(each.solved for each in ended), opened.calls.paid)


def without_waiting(path: Path, folder: Path) -> str:
    """Return a reference to the replies of a recorded file that come without its latencies."""
    replies = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    kept = [{name: said for name, said in reply.items() if name not in ("latency", "ttft")} for reply in replies]
    copy = folder / path.name
    copy.write_text("\n".join(json.dumps(reply) for reply in kept), encoding="utf-8")
    return f"recorded:{copy}"

"""Solve a code dataset with a strategy (CodeSIM by default), or one problem of it.

python flows/solve.py --dataset data/problems.jsonl --model1 recorded:data/recorded/codesim/small.jsonl
python flows/solve.py problem --dataset data/problems.jsonl --id Sample/0 --model1 …
"""

import time
from pathlib import Path
from typing import Any, Literal

from prefect import flow
from prefect.client.schemas.objects import State
from rich.console import Console

from blocks.spool import SpoolFull
from tasks.attempt_tasks import Item, attempt_missing, staged
from tasks.attempts import attempt, solving
from tasks.command_line import Command, main
from tasks.datasets.reading.problems import Problems
from tasks.executions import execute
from tasks.matrix import cells, run_matrix
from tasks.runs import OpenRun
from tasks.solving import Isolation, Job, Options, YesNo, check, options_of, prepare


@flow(name="solve", validate_parameters=False)
async def solve(
    *,
    dataset: str,
    strategy: str = "codesim",
    model_provider: str = "openai",
    model: str | None = None,
    model1: str | None = None,
    model2: str | None = None,
    team: str | None = None,
    assign: dict[str, str] | None = None,
    param: dict[str, str] | None = None,
    temperature: float | None = 0.0,
    top_p: float | None = 0.95,
    max_tokens: int | None = None,
    pass_at_k: int = 1,
    until_solved: bool = False,
    language: str = "Python3",
    cont: YesNo = "yes",
    result_log: Literal["full", "partial"] = "full",
    verbose: Literal[0, 1, 2] = 1,
    store_log_in_file: YesNo = "yes",
    workers: int = 16,
    eval_workers: int | None = None,
    parallel: bool = True,
    sequential: bool = False,
    limit: int | None = None,
    problems: str | None = None,
    time_limit: float | None = None,
    memory_limit: int | None = None,
    output_limit: int | None = None,
    sandbox: str | None = None,
    isolation: Isolation = "auto",
    output: Path = Path("results"),
) -> State[Any]:
    """Solve the problems of a code dataset with a strategy, grade the programs, and report.

    The same command again does only what is missing. Several strategies, or several models as model 1, with commas
    between, are a run each; a table at the end compares them.

    Parameters
    ----------
    dataset
        Path of a dataset, or its name (HumanEval) in data/ or the folder that CONSORT_DATA names.
    strategy
        A file of tasks/strategies/, by its name in any case; or several, with commas between.
    model_provider
        Whose error codes the models' servers speak; openai goes by the host.
    model
        The same as --model1.
    model1
        Model 1: a saved ModelEndpoint, URL#MODEL, recorded:PATH[#MODEL], or a model name at OPENAI_API_BASE; or
        several, with commas between.
    model2
        Model 2, for the stages that --assign gives it; a model name is looked for at OPENAI_API_BASE_2.
    team
        A saved Team, in place of --model1, --model2 and --assign.
    assign
        Which model serves a stage: --assign.debugging 2, or by try 1,1,2 (the last one repeats).
    param
        A strategy's own parameter: --param.max_debug_try 0 for CodeSIM, --param.tester audits for self_collaboration.
    temperature
        Sampling temperature.
    top_p
        Nucleus sampling.
    max_tokens
        Most tokens of one reply; the server's own limit without it.
    pass_at_k
        Samples per problem; pass@k is reported for every k up to it.
    until_solved
        Stop at a problem's first sample that is solved. The share of problems that any of k samples solved is
        reported, and no pass@k.
    language
        Python3, in any case; for problems of whole programs C, C++, Java, JavaScript, Rust or Go too.
    cont
        yes resumes the latest equal run, no starts a new Run-n and pays anew.
    result_log
        partial keeps prompts and replies out of the store and the run folder.
    verbose
        0 says nothing but the end, 1 shows progress, 2 prints every response too.
    store_log_in_file
        Whether to write Log.txt.
    workers
        Attempts that generate at a time.
    eval_workers
        Programs graded at a time; two for each core without it.
    parallel
        Work on several problems at a time.
    sequential
        Work on one problem at a time, whatever --workers says.
    limit
        Only the first problems.
    problems
        Only these, by id, with commas between.
    time_limit
        CPU seconds of one test, or of a function's whole suite, in place of the problem's own and the Sandbox's.
    memory_limit
        MiB of a program and all its processes, in place of the problem's own and the Sandbox's.
    output_limit
        KiB that a program may print in one test, in place of the Sandbox's.
    sandbox
        A saved Sandbox, for other limits than the usual.
    isolation
        How programs are kept apart: bubblewrap, process, or auto for the best there is.
    output
        Folder of runs, store, spool and caches; --output-dir is the same.
    """
    began, configurations = time.monotonic(), cells(locals())
    if len(configurations) > 1:
        return await run_matrix(configurations, solve, quiet=verbose == 0)
    options = options_of(flow="solve", **configurations[0])
    return await execute(await prepare(options), _attempt_dataset, began)


@flow(name="solve-problem", validate_parameters=False)
async def solve_problem(
    *,
    dataset: str,
    id: str,
    strategy: str = "codesim",
    model_provider: str = "openai",
    model: str | None = None,
    model1: str | None = None,
    model2: str | None = None,
    team: str | None = None,
    assign: dict[str, str] | None = None,
    param: dict[str, str] | None = None,
    temperature: float | None = 0.0,
    top_p: float | None = 0.95,
    max_tokens: int | None = None,
    language: str = "Python3",
    cont: YesNo = "yes",
    result_log: Literal["full", "partial"] = "full",
    verbose: Literal[0, 1, 2] = 2,
    store_log_in_file: YesNo = "yes",
    time_limit: float | None = None,
    memory_limit: int | None = None,
    output_limit: int | None = None,
    sandbox: str | None = None,
    isolation: Isolation = "auto",
    output: Path = Path("results"),
) -> State[Any]:
    """Solve one problem, each stage a task run of its own, so that the UI shows how it went.

    Parameters
    ----------
    dataset
        Path of a dataset, or its name in data/ or the folder that CONSORT_DATA names.
    id
        The problem's id, such as HumanEval/0.
    strategy
        A file of tasks/strategies/, by its name in any case.
    model_provider
        Whose error codes the models' servers speak; openai goes by the host.
    model
        The same as --model1.
    model1
        Model 1: a saved ModelEndpoint, URL#MODEL, recorded:PATH[#MODEL], or a model name at OPENAI_API_BASE.
    model2
        Model 2, for the stages that --assign gives it.
    team
        A saved Team, in place of --model1, --model2 and --assign.
    assign
        Which model serves a stage: --assign.debugging 2, or by try 1,1,2 (the last one repeats).
    param
        A strategy's own parameter: --param.max_debug_try 0 for CodeSIM, --param.tester audits for self_collaboration.
    temperature
        Sampling temperature.
    top_p
        Nucleus sampling.
    max_tokens
        Most tokens of one reply.
    language
        Python3, in any case; for problems of whole programs C, C++, Java, JavaScript, Rust or Go too.
    cont
        yes replays what has been paid for, no starts a new Run-n.
    result_log
        partial keeps prompts and replies out of the store and the run folder.
    verbose
        0 says nothing but the end, 2 prints every response.
    store_log_in_file
        Whether to write Log.txt.
    time_limit
        CPU seconds of one test, or of a function's whole suite, in place of the problem's own and the Sandbox's.
    memory_limit
        MiB of a program and all its processes, in place of the problem's own and the Sandbox's.
    output_limit
        KiB that a program may print in one test, in place of the Sandbox's.
    sandbox
        A saved Sandbox, for other limits than the usual.
    isolation
        How programs are kept apart: bubblewrap, process, or auto.
    output
        Folder of runs, store, spool and caches.
    """
    began, options = time.monotonic(), _one_problem(**locals())
    return await execute(await prepare(options), _attempt_problem, began)


async def _attempt_dataset(job: Job, run: OpenRun, console: Console) -> list[Exception]:
    """Attempt what is not finished yet, one task run a (problem, sample); return what failed."""
    ids = Problems.of(job.problems).ids
    items = [Item(problem_id, sample) for sample in range(job.configuration.samples) for problem_id in ids]
    return await attempt_missing(job, run, items, solving(job.solver), console)


async def _attempt_problem(job: Job, run: OpenRun, console: Console) -> list[Exception]:
    """Attempt the one problem, one task run a stage; return what failed."""
    try:
        ended = await attempt(run, job.problems[0], 0, solving(job.solver), around=staged())
    except SpoolFull:
        raise
    except Exception as failure:  # noqa: BLE001 - recorded by the attempt, and told at the end
        return [failure]
    console.print(f"{ended.problem_id}: {ended.outcome}", markup=False, highlight=False, soft_wrap=True)
    return []


def _one_problem(id: str, **parameters: Any) -> Options:
    return options_of(flow="solve-problem", problems=id, **parameters)


async def _check_solve(**parameters: Any) -> None:
    for configuration in cells({"strategy": "codesim", **parameters}):
        await check(await prepare(options_of(flow="solve", **configuration)))


async def _check_problem(**parameters: Any) -> None:
    await check(await prepare(_one_problem(**parameters)))


if __name__ == "__main__":
    raise SystemExit(main(Command(solve, _check_solve), Command(solve_problem, _check_problem, name="problem")))

"""Generate tests for C programs: inputs from a pool of models, outputs from the programs themselves, in the sandbox.

python flows/generate_tests.py --sources DIR --models POOL --workers 15 --num-tests 8
python flows/generate_tests.py --sources data/c_programs --models recorded:data/recorded/c_programs.jsonl
python flows/generate_tests.py verify --tests generated_tests --target-command "target/release/{stem}"
"""

import inspect
import time
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter
from prefect import Flow, flow
from prefect.client.schemas.objects import State

from tasks.c_tests.generation import FLOW, Generation, generate, prepare_generation
from tasks.c_tests.verification import prepare_verification, verification
from tasks.command_line import Command, main
from tasks.executions import execute
from tasks.solving import Isolation, YesNo, check, options_of


@flow(name="generate-tests", validate_parameters=False)
async def generate_tests(
    *,
    sources: str,
    models: str,
    num_tests: int = 8,
    feed: Literal["stdin", "args"] = "stdin",
    tests: Path = Path("generated_tests"),
    workers: int = 15,
    eval_workers: int | None = None,
    limit: int | None = None,
    first_per_folder: bool = False,
    coverage: bool = False,
    timeout: float = 60.0,
    time_limit: float = 5.0,
    memory_limit: int | None = None,
    output_limit: int | None = None,
    cflags: Annotated[str, Parameter(allow_leading_hyphen=True)] = "-lm",
    temperature: float | None = None,
    top_p: float | None = None,
    max_tokens: int | None = None,
    cont: YesNo = "yes",
    result_log: Literal["full", "partial"] = "full",
    verbose: Literal[0, 1, 2] = 1,
    store_log_in_file: YesNo = "yes",
    sandbox: str | None = None,
    isolation: Isolation = "auto",
    output: Path = Path("results"),
) -> State[Any]:
    """Make tests for every C program that has none yet; the same command again does only what is missing.

    Parameters
    ----------
    sources
        A folder that is searched for *.c, or JSONL of path and source.
    models
        A saved ModelPool or ModelEndpoint, URL#MODEL, recorded:PATH[#MODEL], or a model name at OPENAI_API_BASE.
    num_tests
        Tests of each program.
    feed
        Whether a program reads its input from standard input or is given it as arguments.
    tests
        Folder of the tests and their logs.
    workers
        Model calls at a time.
    eval_workers
        Programs that are built and run at a time; two for each core without it.
    limit
        Only the first programs.
    first_per_folder
        Of each p*/C/ the first program that can be used, and no other files.
    coverage
        Measure lines and branches by gcov, and show the model the lines that no input reaches.
    timeout
        Seconds that a model call may take; one that takes longer is tried again.
    time_limit
        CPU seconds of one run of a program; three times as much by the clock.
    memory_limit
        MiB of a program and all its processes, in place of the Sandbox's.
    output_limit
        KiB that a program may print, in place of the Sandbox's.
    cflags
        What gcc is told behind the source.
    temperature
        Sampling temperature; the server's own without it.
    top_p
        Nucleus sampling; the server's own without it.
    max_tokens
        Most tokens of one reply; the server's own limit without it.
    cont
        yes resumes the latest equal run, no starts a new Run-n and pays anew for what has no complete tests.
    result_log
        partial keeps prompts and replies out of the store and the run folder.
    verbose
        0 says nothing but the end, 1 shows progress, 2 prints every response too.
    store_log_in_file
        Whether to write Log.txt.
    sandbox
        A saved Sandbox, for other limits than the usual.
    isolation
        How programs are kept apart: bubblewrap, process, or auto for the best there is.
    output
        Folder of runs, store, spool and caches.
    """
    began, generation = time.monotonic(), await _prepare(**locals())
    return await execute(generation.job, partial(generate, generation), began)


@flow(name="verify-tests", validate_parameters=False)
async def verify_tests(
    *,
    target_command: str,
    tests: Path = Path("generated_tests"),
    feed: Literal["stdin", "args"] | None = None,
    problems: str | None = None,
    junit: Path | None = None,
    time_limit: float = 5.0,
    memory_limit: int | None = None,
    output_limit: int | None = None,
    sandbox: str | None = None,
    isolation: Isolation = "auto",
) -> State[Any]:
    """Run a program against the generated tests, in the sandbox; exit code 1 where a test does not pass.

    Parameters
    ----------
    target_command
        The program and its arguments; in it {path}, {folder}, {name}, {stem} are p001/C/p001.c, p001/C, p001.c, p001.
    tests
        Folder of generated tests.
    feed
        How inputs reach the program; without it as they were made for.
    problems
        Only the tests of these programs, by path, with commas between.
    junit
        Where to write the JUnit XML; logs/verify.xml in the folder of tests without it.
    time_limit
        CPU seconds of one run; three times as much by the clock.
    memory_limit
        MiB of the program and all its processes, in place of the Sandbox's.
    output_limit
        KiB that it may print, in place of the Sandbox's.
    sandbox
        A saved Sandbox, for other limits than the usual.
    isolation
        How programs are kept apart: bubblewrap, process, or auto for the best there is.
    """
    return await verification(**locals())


async def _prepare(
    *, sources: str, models: str, num_tests: int, feed: Literal["stdin", "args"], tests: Path, coverage: bool,
    cflags: str, timeout: float, first_per_folder: bool, **parameters: Any,
) -> Generation:  # fmt: skip
    options = options_of(flow=FLOW, strategy=FLOW, dataset=sources, model1=models, language="C", **parameters)
    return await prepare_generation(
        options,
        tests=tests,
        num_tests=num_tests,
        feed=feed,
        coverage=coverage,
        cflags=cflags,
        timeout=timeout,
        first_per_folder=first_per_folder,
    )


async def _check_generate(**parameters: Any) -> None:
    await check((await _prepare(**_whole(generate_tests, parameters))).job)


async def _check_verify(**parameters: Any) -> None:
    await prepare_verification(**_whole(verify_tests, parameters))


def _whole(flow: Flow[..., Any], parameters: dict[str, Any]) -> dict[str, Any]:
    """The parameters of a flow with its defaults in place of those that were not given."""
    bound = inspect.signature(flow.fn).bind(**parameters)
    bound.apply_defaults()
    return bound.arguments


if __name__ == "__main__":
    raise SystemExit(main(Command(generate_tests, _check_generate), Command(verify_tests, _check_verify, "verify")))

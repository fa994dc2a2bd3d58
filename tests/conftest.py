"""A real Prefect server for the whole session, and flows run as users run them: as processes."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.processes import CHECKOUT, prefect_server
from tests.warm import Command, Warm, warm

SAMPLES = CHECKOUT / "data" / "problems.jsonl"
SMALL = CHECKOUT / "data" / "recorded" / "codesim" / "small.jsonl"
LARGE = CHECKOUT / "data" / "recorded" / "codesim" / "large.jsonl"

READ_AT_START = ("PYTHON", "PREFECT_")

Run = Callable[..., subprocess.CompletedProcess[str]]
Start = Callable[..., Command]


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real data; the test is skipped without it."""
    folder = os.environ.get("CONSORT_DATA")
    if not folder:
        pytest.skip("CONSORT_DATA names no folder of real data")
    return Path(folder)


@pytest.fixture(scope="session")
def prefect_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of the session's Prefect server and of every process that uses it."""
    return tmp_path_factory.mktemp("prefect")


@pytest.fixture(scope="session")
def environment(prefect_home: Path) -> Iterator[dict[str, str]]:
    """The environment of a process that talks to a real Prefect server, which runs while tests need it."""
    with prefect_server(prefect_home) as environment:
        yield environment


@pytest.fixture(scope="session")
def forking(environment: dict[str, str]) -> Iterator[Warm]:
    """The process from which commands are forked."""
    with warm(environment, CHECKOUT) as process:
        yield process


@pytest.fixture(scope="session")
def flow(environment: dict[str, str], forking: Warm) -> Run:
    """Run a flow's file as a command; keyword arguments are more of its environment.

    What Python and Prefect read when they start, a process has to have from the beginning; others are forked.
    """

    def run(*arguments: object, cwd: Path = CHECKOUT, **more: str) -> subprocess.CompletedProcess[str]:
        given = [str(argument) for argument in arguments]
        if cwd == CHECKOUT and not any(name.startswith(READ_AT_START) for name in more):
            return forking.run(given, cwd, more)
        return subprocess.run(
            [sys.executable, *given],
            cwd=cwd,
            env={**environment, **more},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return run


@pytest.fixture(scope="session")
def started(forking: Warm) -> Start:
    """Start a flow's file as a command, to be waited for, interrupted or killed."""

    def start(*arguments: object, **more: str) -> Command:
        assert not any(name.startswith(READ_AT_START) for name in more)
        return forking.start([str(argument) for argument in arguments], CHECKOUT, more)

    return start


def solving(
    output: Path, *more: object, model1: object = f"recorded:{SMALL}", dataset: object = SAMPLES, large: bool = True
) -> list[object]:
    """The command that solves the bundled samples, with the recorded models unless told otherwise."""
    models: list[object] = ["--model1", model1]
    if large:
        models += ["--model2", f"recorded:{LARGE}", "--assign.debugging", "1,1,2"]
    return [CHECKOUT / "flows" / "solve.py", "--dataset", dataset, *models, "--output", output, *more]

"""A real Prefect server for the whole session, and flows run as users run them: as processes."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]
SAMPLES = CHECKOUT / "data" / "problems.jsonl"
SMALL = CHECKOUT / "data" / "recorded" / "codesim" / "small.jsonl"
LARGE = CHECKOUT / "data" / "recorded" / "codesim" / "large.jsonl"

Run = Callable[..., subprocess.CompletedProcess[str]]


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
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "PREFECT_"))}
    environment = {
        **kept,
        "PREFECT_HOME": str(prefect_home),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
    }
    with (prefect_home / "server.log").open("wb") as log:
        server = subprocess.Popen(
            [str(Path(sys.executable).with_name("prefect")), "server", "start", "--port", str(port)],
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        until(lambda: answers(f"http://127.0.0.1:{port}/api/health"), 120)
        yield environment
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


@pytest.fixture(scope="session")
def flow(environment: dict[str, str]) -> Run:
    """Run a flow's file as a command; keyword arguments are more of its environment."""

    def run(*arguments: object, cwd: Path = CHECKOUT, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *map(str, arguments)],
            cwd=cwd,
            env={**environment, **more},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return run


def solving(
    output: Path, *more: object, model1: object = f"recorded:{SMALL}", dataset: object = SAMPLES, large: bool = True
) -> list[object]:
    """The command that solves the bundled samples, with the recorded models unless told otherwise."""
    models: list[object] = ["--model1", model1]
    if large:
        models += ["--model2", f"recorded:{LARGE}", "--assign.debugging", "1,1,2"]
    return [CHECKOUT / "flows" / "solve.py", "--dataset", dataset, *models, "--output", output, *more]


def until(condition: Callable[[], bool], seconds: float) -> None:
    """Wait for a condition of another process; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "what was waited for did not come"
        time.sleep(0.05)


def answers(url: str) -> bool:
    """Tell whether a server answers with 200."""
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False

"""The real processes that tests and benchmarks talk to: a Prefect server, the recorded-reply server."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[1]
PREFECT = str(Path(sys.executable).with_name("prefect"))


@contextmanager
def prefect_server(home: Path) -> Iterator[dict[str, str]]:
    """A Prefect server in a process of its own; yields the environment of processes that use it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "PREFECT_"))}
    environment = {
        **kept,
        "PREFECT_HOME": str(home),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
    }
    home.mkdir(parents=True, exist_ok=True)
    with (home / "server.log").open("wb") as log:
        server = subprocess.Popen(
            [PREFECT, "server", "start", "--port", str(port)],
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


@contextmanager
def recorded_server(*arguments: object) -> Iterator[str]:
    """The recorded-reply server in a process of its own; yields its URL."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tasks.models.recorded", *map(str, arguments), "--port", "0"],
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield process.stdout.readline().split()[-1]
    finally:
        process.kill()
        process.communicate()


def heed_interrupts() -> None:
    """Have the process that is being started end at Ctrl-C; a shell that runs tests in the background says not to."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def stats(url: str) -> dict[str, Any]:
    """What a recorded-reply server has served."""
    counted: dict[str, Any] = get(url.removesuffix("/v1") + "/stats")
    return counted


def get(url: str) -> Any:
    """Read JSON."""
    with urllib.request.urlopen(url, timeout=30) as answer:
        return json.load(answer)


def post(url: str, body: dict[str, Any]) -> Any:
    """Send JSON, and read JSON."""
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


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


def children(pid: int) -> list[int]:
    """Return the children of a process; none where it is gone."""
    found = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                found += [int(child) for child in task.read_text().split()]
    return found


def tree(pid: int) -> list[int]:
    """Return the process and its descendants, parents first."""
    found = [pid]
    for parent in found:
        found += children(parent)
    return found

"""Which Prefect server a command talks to, and the one that `make up` keeps running.

    python -m blocks.server up      a server (SQLite), a process work pool, a worker, blocks and deployments
    python -m blocks.server down    ends what `up` started

`up` records its server in `.consort/server.json`; commands use PREFECT_API_URL, else that server if it answers, else
Prefect's own temporary one. Everything listens on loopback.
"""

import contextlib
import json
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from blocks.errors import UsageError

CHECKOUT = Path(__file__).resolve().parents[1]
FOLDER = CHECKOUT / ".consort"
RECORD = FOLDER / "server.json"
POOL = "consort"
PORT = 4200
STARTING = 90.0  # seconds that a server may take to answer
ENDING = 20.0  # seconds that a process may take to end


def load_environment() -> None:
    """Read `.env` of the working directory, where it has one; what is set already stays."""
    from dotenv import load_dotenv

    load_dotenv(Path.cwd() / ".env", override=False)


@contextmanager
def prefect_server() -> Iterator[str | None]:
    """Settle which server this process uses; yields its API's URL, None for Prefect's temporary one.

    Raises UsageError where PREFECT_API_URL names a server that does not answer.
    """
    from prefect.logging.configuration import setup_logging
    from prefect.settings import (
        PREFECT_API_URL,
        PREFECT_LOGGING_EXTRA_LOGGERS,
        PREFECT_LOGGING_LEVEL,
        PREFECT_SERVER_ANALYTICS_ENABLED,
        PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS,
        get_current_settings,
        temporary_settings,
    )

    # At its end a short flow waits a moment for its last events to be sent, which Prefect warns of.
    logging.getLogger("EventsWorker").setLevel(logging.ERROR)
    settings: dict[Any, Any] = {}
    if "PREFECT_LOGGING_LEVEL" not in os.environ:
        settings[PREFECT_LOGGING_LEVEL] = "WARNING"
    if "PREFECT_LOGGING_EXTRA_LOGGERS" not in os.environ:
        settings[PREFECT_LOGGING_EXTRA_LOGGERS] = "consort"
    if "PREFECT_SERVER_ANALYTICS_ENABLED" not in os.environ:
        os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] = "false"  # the temporary server is a process of its own
        settings[PREFECT_SERVER_ANALYTICS_ENABLED] = False
    if "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS" not in os.environ:
        settings[PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS] = int(STARTING)  # a busy machine takes its time
    said = get_current_settings().api.url
    if said and not _reachable(said):
        raise UsageError(f"no Prefect server answers at {said} (PREFECT_API_URL); start it, or unset the variable")
    url = said or running_server()
    if url:
        settings[PREFECT_API_URL] = url
    with temporary_settings(settings):
        setup_logging()  # it was set up by what Prefect found in the working directory
        yield url


@contextmanager
def deaf() -> Iterator[None]:
    """Keep Ctrl-C from this thread, and from processes that it starts: they have blocked what it has.

    In a terminal it goes to every process of the command's, Prefect's temporary server too; without that what is
    interrupted cannot say how it ended, and tries to for minutes.
    """
    heard = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, heard)


def start_temporary_server() -> None:
    """Start Prefect's temporary server where Ctrl-C does not reach it; raises RuntimeError where none answers."""
    from prefect.server.api.server import SubprocessASGIServer

    with deaf():
        SubprocessASGIServer().start()


def is_of_temporary_server(problem: RuntimeError) -> bool:
    """Tell whether Prefect raised this because its temporary server did not answer in time."""
    return "ephemeral Prefect API server" in str(problem)


def running_server() -> str | None:
    """Return the API URL of the server that `make up` started, if it answers."""
    try:
        url = str(json.loads(RECORD.read_text())["api_url"])
    except (OSError, ValueError, KeyError):
        return None
    return url if _answers(url) else None


def up() -> int:
    """Start what is not running yet; return the exit code."""
    if url := running_server():
        print(f"already up: {url.removesuffix('/api')}")
        return 0
    FOLDER.mkdir(exist_ok=True)
    port = _free_port()
    url = f"http://127.0.0.1:{port}/api"
    environment = {**os.environ, "PREFECT_API_URL": url, "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
    started = {
        "server": _start(["server", "start", "--host", "127.0.0.1", "--port", str(port)], "server", environment)
    }
    try:
        _wait_for(url, started["server"])
        _prefect(["work-pool", "create", POOL, "--type", "process", "--overwrite"], environment)
        _register(environment)
        deploy = ["--no-prompt", "deploy", "--all", "--prefect-file", "deployments/prefect.yaml"]
        _prefect(deploy, environment)
        started["worker"] = _start(["worker", "start", "--pool", POOL, "--type", "process"], "worker", environment)
    except (RuntimeError, subprocess.CalledProcessError) as problem:
        _end([process.pid for process in started.values()])
        print(_why(problem), file=sys.stderr)
        return 1
    pids = {name: process.pid for name, process in started.items()}
    RECORD.write_text(json.dumps({"api_url": url, "pids": pids}) + "\n")
    print(f"Prefect:     {url.removesuffix('/api')}")
    print("deployments, from a shell that knows the server:")
    print(f"             export PREFECT_API_URL={url}")
    print("             prefect deployment run solve/codesim --watch")
    print("end with:    make down")
    return 0


def down() -> int:
    """End what `up` started; return the exit code."""
    try:
        record = json.loads(RECORD.read_text())
    except (OSError, ValueError):
        print("nothing is up")
        return 0
    _end([pid for name in ("worker", "server") if (pid := record["pids"].get(name)) and _is_prefect(pid)])
    RECORD.unlink()
    print("down")
    return 0


def _start(arguments: list[str], name: str, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    log: IO[bytes]
    with (FOLDER / f"{name}.log").open("ab") as log:
        return subprocess.Popen(
            [_program(), *arguments],
            cwd=CHECKOUT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def _prefect(arguments: list[str], environment: dict[str, str]) -> None:
    subprocess.run(
        [_program(), *arguments], cwd=CHECKOUT, env=environment, check=True, capture_output=True, text=True
    )


def _register(environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", "blocks.register", "--from-env"]
    subprocess.run(command, cwd=CHECKOUT, env=environment, check=True, capture_output=True, text=True)


def _program() -> str:
    beside = Path(sys.executable).with_name("prefect")
    return str(beside) if beside.exists() else shutil.which("prefect") or "prefect"


def _free_port() -> int:
    for port in (PORT, 0):
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return int(probe.getsockname()[1])
    raise RuntimeError("no port is free on loopback")


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + STARTING
    while not _answers(url):
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the Prefect server did not start; see {FOLDER / 'server.log'}")
        time.sleep(0.2)


def _reachable(url: str) -> bool:
    """Tell whether anybody speaks HTTP there, whatever is answered: Prefect Cloud has no page for its health."""
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=10):
            return True
    except urllib.error.HTTPError:
        return True
    except (OSError, ValueError):
        return False


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def _is_prefect(pid: int) -> bool:
    """Tell whether a recorded process is still ours: its id may be another's by now."""
    try:
        return b"prefect" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def _end(pids: list[int]) -> None:
    """End processes and their groups: asked first, then made to."""
    for pid in pids:
        for way in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, way)
            deadline = time.monotonic() + ENDING
            while _is_prefect(pid) and time.monotonic() < deadline:
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(pid, os.WNOHANG)
                time.sleep(0.1)


def _why(problem: Exception) -> str:
    if isinstance(problem, subprocess.CalledProcessError):
        said = (problem.stderr or problem.stdout or "").strip()
        return f"`{' '.join(map(str, problem.cmd[1:]))}` failed: {said}"
    return str(problem)


def main(arguments: list[str]) -> int:
    """`python -m blocks.server up|down`."""
    commands = {"up": up, "down": down}
    if len(arguments) != 1 or arguments[0] not in commands:
        print("usage: python -m blocks.server up|down", file=sys.stderr)
        return 2
    return commands[arguments[0]]()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

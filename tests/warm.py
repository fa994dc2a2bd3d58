"""A Python that has Prefect and the OpenAI client imported already, and forks a process for each command.

A command then costs a second of CPU less than from a cold start, and there are hundreds. What Consort itself
imports, the forked process imports, as `python flows/x.py` does.
"""

import contextlib
import gc
import importlib
import json
import os
import runpy
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

IMPORTED = ("prefect", "prefect.flow_engine", "prefect.task_engine", "openai", "cyclopts", "jinja2", "tenacity")
SECONDS = 300  # until a command is ended by a signal


class Command:
    """`python ARGUMENTS` in a forked process; what it says goes to files. Killed at the end of its block."""

    def __init__(self, arguments: list[str], cwd: Path, more: dict[str, str]) -> None:
        self.arguments = arguments
        self.returncode: int | None = None
        self.pid = 0  # until it has been forked
        self._folder = tempfile.TemporaryDirectory()
        self.out, self.err, ended = (Path(self._folder.name, name) for name in ("out", "err", "ended"))
        os.mkfifo(ended)
        self._ended = os.open(ended, os.O_RDONLY | os.O_NONBLOCK)
        self.order = {"arguments": arguments, "cwd": str(cwd), "more": more, "folder": self._folder.name}

    def poll(self, seconds: float = 0) -> int | None:
        """Return the exit code, as subprocess has it; None where it has not come to an end."""
        if self.returncode is None and select.select([self._ended], [], [], seconds)[0]:
            self.returncode = int(os.read(self._ended, 16))
        return self.returncode

    def wait(self, seconds: float = SECONDS + 60) -> int:
        code = self.poll(seconds)
        assert code is not None, f"{self.arguments} did not come to an end"
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self.wait()
        os.close(self._ended)
        self._folder.cleanup()


class Warm:
    """The process that forks, from the side of who gives it commands."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def start(self, arguments: list[str], cwd: Path, more: dict[str, str]) -> Command:
        """Start `python ARGUMENTS`, of which the first is a file, or the first two are `-m MODULE`."""
        command = Command(arguments, cwd, more)
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(command.order) + "\n")
        self._process.stdin.flush()
        command.pid = int(self._process.stdout.readline())
        return command

    def run(self, arguments: list[str], cwd: Path, more: dict[str, str]) -> subprocess.CompletedProcess[str]:
        """Run `python ARGUMENTS` to its end."""
        with self.start(arguments, cwd, more) as command:
            code = command.wait()
            out, err = (path.read_text(encoding="utf-8") for path in (command.out, command.err))
            return subprocess.CompletedProcess([sys.executable, *arguments], code, out, err)


@contextmanager
def warm(environment: dict[str, str], cwd: Path) -> Iterator[Warm]:
    """Start the process that forks; its commands have `environment` and what each adds to it."""
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-m", "tests.warm"], cwd=cwd, env=environment, **pipes) as process:
        yield Warm(process)


def serve() -> dict[str, Any] | None:
    """Fork for each order that comes; in the process of a command, return the order."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        if not os.fork():
            order: dict[str, Any] = json.loads(line)
            if _forked(order):
                return order
            os._exit(0)
    return None


def _forked(order: dict[str, Any]) -> bool:
    """Fork once more, so that a process waits for the command's; return whether this is the command's."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    command = os.fork()
    if not command:
        return True
    with open(f"{order['folder']}/ended", "w") as ended:
        print(command, flush=True)
        ended.write(str(os.waitstatus_to_exitcode(os.waitpid(command, 0)[1])))
    return False


def become(order: dict[str, Any]) -> None:
    """Be the process of a command from here on."""
    for number, path in enumerate((os.devnull, f"{order['folder']}/out", f"{order['folder']}/err")):
        opened = os.open(path, os.O_WRONLY | os.O_CREAT if number else os.O_RDONLY)
        os.dup2(opened, number)
        os.close(opened)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell that runs tests in the background ignores it
    signal.alarm(SECONDS)
    os.chdir(order["cwd"])
    os.environ.update(order["more"])
    first, *rest = order["arguments"]
    if first == "-m":
        sys.argv, sys.path[0] = rest, order["cwd"]
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    else:
        sys.argv, sys.path[0] = [first, *rest], str(Path(first).resolve().parent)
        runpy.run_path(first, run_name="__main__")


if __name__ == "__main__":
    for module in IMPORTED:
        importlib.import_module(module)
    gc.freeze()
    given = serve()
    if given is not None:
        become(given)

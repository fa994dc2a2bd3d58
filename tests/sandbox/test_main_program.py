"""Programs with odd but legal habits do in a child of a warm Python what they do under a fresh `python3`.

One program a file in odd_programs/, its input beside it in a file that ends in `.in`. They use nothing outside
their own folder, which is the current one, and print nothing that differs from run to run.
"""

import functools
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import tasks.sandbox.main_program

ODD = sorted((Path(__file__).parent / "odd_programs").glob("*.py"))
PYTHON = os.path.realpath(sys._base_executable)  # type: ignore[attr-defined]
ENVIRONMENT = {"PYTHONHASHSEED": "0"}
PATIENCE = 60  # seconds, after which a program hangs

WARM = """
import gc, os, socket, sys, types

for name in ("tasks", "tasks.sandbox", "tasks.sandbox.main_program"):
    main_program = sys.modules[name] = types.ModuleType(name)
with open(sys.argv[2]) as file:
    exec(compile(file.read(), "<sandbox>", "exec"), vars(main_program))
for name in '''abc argparse array bisect collections contextlib copy dataclasses datetime decimal enum fractions
        functools hashlib heapq inspect itertools json math multiprocessing operator queue random re signal
        statistics string struct subprocess tempfile textwrap threading time traceback typing warnings'''.split():
    __import__(name)


def become(path, descriptors):
    for number in (0, 1, 2):
        os.dup2(descriptors[number], number)
    telling = os.dup2(descriptors[3], 99, inheritable=False)
    os.closerange(3, 99)
    os.chdir(os.path.dirname(path))
    main_program.run(path, lambda state: os.write(99, (state or "ready").encode() + b" "))


def serve(channel):
    main_program.prepare()
    gc.collect()
    gc.freeze()
    gc.disable()
    while True:
        path, descriptors, _, _ = socket.recv_fds(channel, 4096, 4)
        if not path:
            os._exit(0)
        child = os.fork()
        if child == 0:
            become(path.decode(), descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
        _, status, usage = os.wait4(child, 0)
        channel.send(b"%d" % os.waitstatus_to_exitcode(status))


serve(socket.socket(fileno=int(sys.argv[1])))
"""


class Ended(NamedTuple):
    """How a program ended; `told` is what `ready` was called with."""

    status: int
    output: bytes
    last_words: str
    told: str = ""


class Running:
    """A program in a child of the warm Python, its pipes read by threads."""

    def __init__(self, channel: socket.socket, path: Path, stdin: bytes | None) -> None:
        self.channel = channel
        pipes = [os.pipe() for _ in range(4)]
        theirs = [pipes[0][0], *(writing for _, writing in pipes[1:])]
        socket.send_fds(channel, [bytes(path)], theirs)
        for descriptor in theirs:
            os.close(descriptor)
        self.stdin, *readings = pipes[0][1], *(reading for reading, _ in pipes[1:])
        self.parts: list[list[bytes]] = [[], [], []]
        self.news = threading.Condition()
        self.threads = [
            self._start(functools.partial(self._read, where, into))
            for where, into in zip(readings, self.parts, strict=True)
        ]
        if stdin is not None:
            self.threads.append(self._start(functools.partial(self.feed, stdin)))

    def feed(self, stdin: bytes) -> None:
        try:
            with open(self.stdin, "wb") as file:
                file.write(stdin)
        except BrokenPipeError:
            return

    def until_told(self, state: str) -> None:
        with self.news:
            assert self.news.wait_for(lambda: state in self.told(), PATIENCE)

    def told(self) -> str:
        return b"".join(self.parts[2]).decode()

    def end(self) -> Ended:
        status = int(self.channel.recv(64))
        for thread in self.threads:
            thread.join()
        return Ended(status, b"".join(self.parts[0]), _last_line(b"".join(self.parts[1])), self.told().strip())

    def _start(self, call: Callable[[], None]) -> threading.Thread:
        thread = threading.Thread(target=call)
        thread.start()
        return thread

    def _read(self, where: int, into: list[bytes]) -> None:
        with open(where, "rb", 0) as file:
            while part := file.read(1 << 16):
                with self.news:
                    into.append(part)
                    self.news.notify_all()


@pytest.fixture(scope="module")
def channel() -> Iterator[socket.socket]:
    """To a warm Python, whose own standard descriptors are pipes."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.settimeout(PATIENCE)
    interruptible_start = "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
    command = [
        PYTHON,
        "-c",
        interruptible_start + WARM,
        str(theirs.fileno()),
        str(tasks.sandbox.main_program.__file__),
    ]
    pipe = subprocess.PIPE
    with ours, subprocess.Popen(
        command, env=ENVIRONMENT, cwd="/tmp", pass_fds=[theirs.fileno()], stdin=pipe, stdout=pipe, stderr=pipe
    ) as process:  # fmt: skip
        theirs.close()
        yield ours
        ours.close()
        _, complaints = process.communicate(timeout=PATIENCE)
    assert complaints == b""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path.resolve() / "work"


@pytest.mark.parametrize("odd", ODD, ids=lambda path: path.stem)
def test_behaves_as_under_a_fresh_python(odd: Path, channel: socket.socket, folder: Path) -> None:
    stdin = odd.with_suffix(".in")
    text = stdin.read_bytes() if stdin.exists() else b""
    fresh = _fresh(_placed(odd, folder), text)
    warm = Running(channel, _placed(odd, folder), text).end()
    assert warm[:3] == fresh[:3]
    expected = (
        ["compile_error"] if odd.stem.startswith("broken_") else ["ready", "ready main_done", "ready main_failed"]
    )
    assert warm.told in expected


def test_main_code_has_ended_before_threads_have(channel: socket.socket, folder: Path) -> None:
    source = "import threading\nprint('main')\nthreading.Thread(target=lambda: print(input())).start()\n"
    running = Running(channel, _placed(source, folder), None)
    running.until_told("main_done")
    running.feed(b"thread\n")
    assert running.end() == Ended(0, b"main\nthread\n", "", "ready main_done")


def test_what_a_program_leaves_is_not_there_for_the_next(channel: socket.socket, folder: Path) -> None:
    source = "import builtins, sys, os\nbuiltins.left = sys.left = os.environ['LEFT'] = 'left'\n"
    assert Running(channel, _placed(source, folder), b"").end().status == 0
    source = (
        "import builtins, sys, os\nprint(hasattr(builtins, 'left'), hasattr(sys, 'left'), 'LEFT' in os.environ)\n"
    )
    assert Running(channel, _placed(source, folder), b"").end().output == b"False False False\n"


def test_a_program_given_by_a_link_and_a_relative_path(channel: socket.socket, folder: Path) -> None:
    source = "import sys, os\nprint(sys.path[0] == os.path.dirname(os.path.realpath(__file__)), sys.argv)\n"
    _placed(source, folder)
    linked = folder.parent / "linked"
    linked.mkdir()
    (linked / "link.py").symlink_to(folder / "main.py")
    assert Running(channel, linked / "link.py", b"").end()[:2] == _fresh(linked / "link.py", b"")[:2]


def _placed(program: Path | str, folder: Path) -> Path:
    """The program alone in the folder, which is made anew."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    path = folder / "main.py"
    path.write_bytes(program.read_bytes() if isinstance(program, Path) else program.encode())
    return path


def _fresh(path: Path, stdin: bytes) -> Ended:
    done = subprocess.run(
        [PYTHON, str(path)],
        input=stdin,
        capture_output=True,
        cwd=path.parent,
        env=ENVIRONMENT,
        timeout=PATIENCE,
        check=False,
        preexec_fn=interruptible,
    )
    return Ended(done.returncode, done.stdout, _last_line(done.stderr))


def interruptible() -> None:
    """What a shell starts in the background ignores SIGINT; the program that is compared with must not."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _last_line(text: bytes) -> str:
    return (text.decode("utf-8", "replace").splitlines() or [""])[-1]

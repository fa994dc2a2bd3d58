"""One isolated program at a time in a warm worker: start the worker, hand it a program, learn how that ended.

The host's side of `tasks.sandbox.worker`; used in the grading host alone, whose one thread outlives every worker, as
`bwrap --die-with-parent` asks for. A worker is started with an empty environment and knows nothing but what it is
handed. One that ended, or does not answer, is closed and replaced; the programs after it notice nothing.

Covered: the worker's whole tree ends with it; its temporary folder and its memory cgroup are removed.
Not covered: a host that is killed (SIGKILL) leaves an empty folder and cgroup behind; the next one sweeps them.
"""

import asyncio
import contextlib
import ctypes
import marshal
import os
import select
import signal
import socket
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from blocks.bubblewrap import bubblewrap_command, interpreter
from tasks.sandbox.cgroups import MemoryGroup
from tasks.sandbox.confine import remove
from tasks.sandbox.reader import read

BOOT = """
import marshal, os, signal, sys, types
signal.signal(signal.SIGINT, signal.default_int_handler)
def boot(bundle, control):
    settings, sources = marshal.loads(os.pread(bundle, os.fstat(bundle).st_size, 0))
    os.close(bundle)
    for name, source in sources:
        module = sys.modules[name] = types.ModuleType(name)
        parent, _, leaf = name.rpartition(".")
        if parent:
            setattr(sys.modules[parent], leaf, module)
        exec(compile(source, name, "exec", dont_inherit=True), module.__dict__)
    sys.modules["tasks.sandbox.worker"].serve(control, settings)
boot(*map(int, sys.argv[1:]))
"""
INSIDE = ("main_program", "values", "inside", "seccomp", "landlock", "confine", "worker")
HASH_SEED = {"PYTHONHASHSEED": "0"}  # what programs print of their sets is the same in every run
FOLDER = "consort-"  # and the host's process id: the temporary folders of its workers
STARTING = 60.0
GRACE = 10.0  # seconds beyond a program's wall limit after which its worker is given up
PIECE = 1 << 18
SET_SUBREAPER = 36


class WorkerLost(Exception):
    """The worker ended, or does not answer; the program in it went with it. `of_memory`: the kernel killed it."""

    def __init__(self, of_memory: bool) -> None:
        super().__init__("a worker was lost")
        self.of_memory = of_memory


class Setting(NamedTuple):
    """What a worker is started for: how it is kept apart, the Python it is, the host's files its programs see."""

    isolation: str
    python: str
    readable: tuple[str, ...]


class Ended(NamedTuple):
    """How a program ended.

    `broken` says why it never began, empty where it did. `status` is the main process's exit code, negative for a
    signal. `cut` is the limit that ended it ("cpu", "wall", "memory", "output"), "stopped" by the host, or empty.
    Seconds, bytes. `state` has a letter for each thing that was reached: R started, C does not compile, M the main
    part of a Python program has ended, F it has failed. `waited`: seconds without a processor, where it ran
    out of wall time.
    """

    broken: str
    status: int
    cut: str
    cpu: float
    wall: float
    peak: int
    state: str
    waited: float
    error: bytes
    output: bytes


class Program(NamedTuple):
    """What a worker is asked to run; `payload` and `stdin` are descriptors of files, `pipes` lead to a judge."""

    kind: str
    limits: dict[str, Any]
    payload: int
    stdin: int | None = None
    pipes: tuple[int, ...] = ()


class Worker:
    """A started worker; to be closed."""

    def __init__(self, setting: Setting, uid: int, group: Path | None) -> None:
        self.setting = setting
        self.uid = uid
        self.busy = False
        self.lost = False
        self.programs = 0
        self._cleanup = contextlib.ExitStack()
        self._group_parent = group
        self.group: MemoryGroup | None = None

    @classmethod
    async def start(cls, setting: Setting, uid: int, group: Path | None) -> "Worker":
        """Start one. Raises OSError where that is not possible, with what was said."""
        worker = cls(setting, uid, group)
        try:
            await worker._start()
        except BaseException:
            worker.close()
            raise
        return worker

    async def _start(self) -> None:
        alone = self.setting.isolation == "process"
        folder = tempfile.mkdtemp(prefix=f"{FOLDER}{os.getpid()}-") if alone else ""
        if alone:
            self._cleanup.callback(remove, folder)
            Path(folder).chmod(0o711)
        settings = {
            "isolation": self.setting.isolation,
            "folder": folder,
            "readable": ["/usr", "/lib", "/lib64", "/bin", "/etc/ld.so.cache", *self.setting.readable],
        }
        if self._group_parent is not None:
            self.group = self._cleanup.enter_context(MemoryGroup.create(self._group_parent))
        command = [] if alone else [*bubblewrap_command(self.setting.readable)]
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._cleanup.callback(ours.close)
        self.control = ours
        ours.setblocking(False)
        bundle = _file(marshal.dumps((settings, _sources())))
        descriptors = (bundle, theirs.fileno())
        try:
            self.process = subprocess.Popen(  # noqa: ASYNC220 (a few ms, once a worker)
                [*command, self.setting.python, "-c", BOOT, str(bundle), str(theirs.fileno())],
                env=HASH_SEED,
                cwd=folder or "/",
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                pass_fds=descriptors,
                start_new_session=True,
            )
        finally:
            theirs.close()
            os.close(bundle)
        started(self.process.pid)
        self._cleanup.callback(self._end)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert stream is not None
            self._cleanup.callback(stream.close)
        try:
            async with asyncio.timeout(STARTING):
                said = await asyncio.get_running_loop().sock_recv(ours, 16)
        except (OSError, TimeoutError):
            said = b""
        if not said:
            raise OSError(f"a worker does not start: {self._complaint()}")
        if self.group is not None:
            for pid in _tree(self.process.pid):
                self.group.add(pid)

    def _complaint(self) -> str:
        self.process.kill()
        self.process.wait()
        assert self.process.stderr is not None
        return self.process.stderr.read().decode("utf-8", "replace").strip()[-500:] or "it said nothing"

    async def run(self, program: Program) -> Ended:
        """Run one program to its end. Raises WorkerLost; cancelling it ends the worker, too."""
        self.busy = True
        self.programs += 1
        group = self.group
        if group is not None:
            group.begin(int(program.limits["memory"]))
        given = [program.payload, *([program.stdin] if program.stdin is not None else []), *program.pipes]
        if program.kind == "call":
            given.insert(1, program.payload)  # the place of the input, which a function has none of
        try:
            async with asyncio.timeout(program.limits["wall"] + GRACE):
                await self._send(marshal.dumps((program.kind, program.limits, self.uid)), given)
                ended = await self._answer()
        except (OSError, EOFError, ValueError, TimeoutError) as problem:
            self.lost = True
            raise WorkerLost(group is not None and group.killed() > 0) from problem
        except asyncio.CancelledError:
            self.lost = True
            raise
        self.busy = False
        if group is None:
            return ended
        cut = "memory" if group.killed() else ended.cut
        peak = group.peak()
        return ended._replace(cut=cut, peak=max(ended.peak, peak or 0))

    async def _send(self, message: bytes, descriptors: Sequence[int]) -> None:
        socket.send_fds(self.control, [message], list(descriptors))

    async def _answer(self) -> Ended:
        loop = asyncio.get_running_loop()
        head = await loop.sock_recv(self.control, PIECE)
        if not head:
            raise EOFError("the worker ended")
        answer = read(head)
        if type(answer) is not tuple or len(answer) != len(Ended._fields):
            raise ValueError("the worker's answer cannot be read")
        said = [[await loop.sock_recv(self.control, PIECE) for _ in range(count)] for count in answer[-2:]]
        return Ended._make((*answer[:-2], *map(b"".join, said)))

    def stop(self) -> None:
        """End the program that runs; `run` then returns."""
        if self.busy:
            with contextlib.suppress(OSError):
                self.control.send(b"stop")

    def close(self) -> None:
        """End the worker and all that runs in it; returns when nothing is left of it."""
        self._cleanup.close()

    def _end(self) -> None:
        pids = _tree(self.process.pid)
        ended = [descriptor for descriptor in map(_process, pids) if descriptor is not None]
        for descriptor in reversed(ended):
            with contextlib.suppress(OSError):
                signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        self.process.kill()
        self.process.wait()
        for descriptor in ended:
            select.select([descriptor], [], [], GRACE)
            os.close(descriptor)
        _started.discard(self.process.pid)
        _end_orphans()


def sweep() -> None:
    """Remove the temporary folders of hosts that were killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{FOLDER}[0-9]*-*"):
        owner = folder.name.split("-")[1]
        if owner.isdigit() and not Path("/proc", owner).exists():
            remove(str(folder))


def take_in_orphans() -> None:
    """Make this process, which starts nothing but workers and judges, the one that ends what they leave behind."""
    global _takes_in_orphans
    ctypes.CDLL(None).prctl(SET_SUBREAPER, 1, 0, 0, 0)
    _takes_in_orphans = True


def _end_orphans() -> None:
    """End what lost its worker and came to this process instead; others than a grading host have children to keep."""
    while _takes_in_orphans:
        orphans = _children() - _started
        if not orphans:
            return
        for pid in orphans:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for pid in orphans:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)


def started(pid: int) -> None:
    """Tell that a child of this process is no orphan."""
    _started.add(pid)


def _children() -> set[int]:
    tasks = Path("/proc/self/task").glob("*/children")
    return {int(pid) for children in tasks for pid in children.read_text().split()}


_started = set[int]()
_takes_in_orphans = False


def _process(pid: int) -> int | None:
    with contextlib.suppress(OSError):
        return os.pidfd_open(pid)
    return None


def _tree(root: int) -> list[int]:
    """The process and its descendants, parents first."""
    found = [root]
    for pid in found:
        with contextlib.suppress(OSError):
            for children in Path(f"/proc/{pid}/task").glob("*/children"):
                found += [int(child) for child in children.read_text().split()]
    return found


def _file(content: bytes) -> int:
    """A file in memory, for a process that may look at it more than once."""
    descriptor = os.memfd_create("consort", os.MFD_CLOEXEC)
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


@contextlib.contextmanager
def handed(content: bytes) -> Any:
    """A descriptor of a file with this content, for as long as the context lasts."""
    descriptor = _file(content)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _sources() -> list[tuple[str, str]]:
    here = Path(__file__).parent
    named = [(f"tasks.sandbox.{name}", (here / f"{name}.py").read_text(encoding="utf-8")) for name in INSIDE]
    return [("tasks", ""), ("tasks.sandbox", ""), *named]


__all__ = ["Ended", "Program", "Setting", "Worker", "WorkerLost", "handed", "interpreter"]

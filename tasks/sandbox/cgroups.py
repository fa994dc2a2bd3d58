"""Memory cgroups: one for each worker, so that the kernel itself holds a program's whole tree to its limit.

Covered: all memory that the processes of the group are given, whichever of them asks: their own pages,
shared ones, files in tmpfs, page cache, page tables, kernel stacks, buffers of sockets and pipes. There is
no overshoot: at the limit the kernel drops page cache, and then kills. Swap is not used (v2), or counted
with the rest (v1, where the kernel counts it).
Not covered: what a process was given before it was added, which stays where it was. The kernel kills what
has the highest oom_score plus `oom_score_adj`, and the worker is in the group too: a program has to begin
with an `oom_score_adj` of 1000, which a process may give itself while its /proc files are its own (before
it leaves root). A program that lowers it again can have its worker killed.
`find` gives None where this process may not make such groups: in most containers, and for users to whom
nothing is delegated.

Sources: the kernel's admin-guide/cgroup-v1/memory.rst and admin-guide/cgroup-v2.rst.
"""

import contextlib
import errno
import functools
import itertools
import logging
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import NamedTuple, Self

log = logging.getLogger("consort.sandbox")

PATIENCE = 2.0  # seconds for killed processes to be gone

_CACHED = re.compile(rb"^(?:in)?active_file (\d+)", re.MULTILINE)
_KILLED = re.compile(rb"^oom_kill (\d+)", re.MULTILINE)

_count = itertools.count()


@functools.cache
def find() -> Path | None:
    """A cgroup in which this process can make groups, each way tried once for real; None without one."""
    for parent in parents(Path("/proc/self/cgroup").read_text(), Path("/proc/self/mountinfo").read_text()):
        with contextlib.suppress(OSError):
            if _holds(parent):
                return parent
    return None


def parents(memberships: str, mounts: str) -> Iterator[Path]:
    """Where groups might be made: our own cgroup, or under v2 the one above it.

    A v2 cgroup that has processes cannot have groups that limit memory, the topmost one excepted, so it is
    usually the one above, if that is ours. The texts are those of /proc/self/cgroup and /proc/self/mountinfo.
    """
    ours = {kinds: path for _, kinds, path in (line.split(":", 2) for line in memberships.splitlines())}
    for line in mounts.splitlines():
        mount, _, kind = line.partition(" - ")
        root, top = mount.split()[3:5]
        memory = "memory" in kind.split()[-1].split(",")
        if kind.startswith("cgroup ") and memory:
            paths = [path for kinds, path in ours.items() if "memory" in kinds.split(",")]
        else:
            paths = [ours[""]] if kind.startswith("cgroup2 ") and "" in ours else []
        for path in map(PurePosixPath, paths):
            if path.is_relative_to(root) and ".." not in path.parts:
                own = Path(top, path.relative_to(root))
                yield from [own] if memory else _delegating(own, Path(top))


def sweep(parent: Path) -> None:
    """Remove the groups of processes that died and left them, and end what still runs in them."""
    for path in parent.glob("consort-*"):
        named = re.fullmatch(r"consort-(\d+)-(\d+)-\d+", path.name)
        if named and _started(int(named[1])) != named[2]:
            _remove(path)


def _delegating(own: Path, top: Path) -> Iterator[Path]:
    """Of our v2 cgroup and the one above it, those whose groups limit memory."""
    with contextlib.suppress(OSError):
        if "memory" in (own / "cgroup.controllers").read_text().split():
            (own / "cgroup.subtree_control").write_text("+memory")
    for path in [own] if own == top else [own, own.parent]:
        with contextlib.suppress(OSError):
            if "memory" in (path / "cgroup.subtree_control").read_text().split():
                yield path


def _holds(parent: Path) -> bool:
    """Whether a group can be made there, limited, given a process of ours, and removed."""
    with MemoryGroup.create(parent) as group:
        group.begin(1 << 26)
        command = [sys.executable, "-I", "-S", "-c", "input()"]
        with subprocess.Popen(command, env={}, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as child:
            try:
                group.add(child.pid)
                return child.pid in group.members()
            finally:
                child.kill()


class _Names(NamedTuple):
    """A group's files: limit, use, events and statistics; limit of swap and the peak, where there are such."""

    needed: tuple[str, str, str, str]
    optional: tuple[str, str]


_UNIFIED = _Names(
    ("memory.max", "memory.current", "memory.events", "memory.stat"), ("memory.swap.max", "memory.peak")
)
_SEPARATE = _Names(
    ("memory.limit_in_bytes", "memory.usage_in_bytes", "memory.oom_control", "memory.stat"),
    ("memory.memsw.limit_in_bytes", "memory.max_usage_in_bytes"),
)


class MemoryGroup:
    """A memory cgroup for one worker and the programs that it runs, one after another. To be closed.

    Its figures are bytes beyond what the group held at `begin`, and exact to 64 pages a CPU. Its methods
    raise OSError where the kernel refuses. None of them waits, but `close`.
    """

    @classmethod
    def create(cls, parent: Path) -> Self:
        """Make a group below `parent`, by its name this process's."""
        path = parent / f"consort-{os.getpid()}-{_started(os.getpid())}-{next(_count)}"
        path.mkdir()
        try:
            return cls(path)
        except OSError:
            path.rmdir()
            raise

    def __init__(self, path: Path) -> None:
        self.path = path
        self._files = contextlib.ExitStack()
        with contextlib.ExitStack() as failed:
            failed.callback(self._files.close)
            self._unified = (path / "memory.max").exists()
            names = _UNIFIED if self._unified else _SEPARATE
            self._limit, self._used, self._events, self._stat = (self._open(name) for name in names.needed)
            self._swap, self._peak = (self._open_if_there(name) for name in names.optional)
            if self._unified and self._swap is not None:
                os.pwrite(self._swap, b"0", 0)
            failed.pop_all()
        self._most = self._held = self._cached = self._earlier = self._killed = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def add(self, pid: int) -> None:
        """Move a process into the group, with its threads; children that it has already stay where they are."""
        (self.path / "cgroup.procs").write_text(str(pid))

    def members(self) -> list[int]:
        """The living processes of the group."""
        return _members(self.path)

    def begin(self, limit_bytes: int) -> None:
        """From now on a program runs, which may have so much more than the group holds already.

        To be called when the program before it has ended, because its memory would be held. Page cache that
        it left is not: that goes when the limit is near.
        """
        self._held = _number(self._used)
        self._cached = _sum(self._stat, _CACHED)
        self._bound(max(self._held - self._cached, 0) + limit_bytes)
        self._earlier = self._peak_since_begin()
        self._killed = _sum(self._events, _KILLED)

    def used(self) -> int:
        """What the program uses now."""
        return self._beyond(_number(self._used))

    def peak(self) -> int | None:
        """The most it used at one time.

        None where the kernel does not tell: under v2 before Linux 5.19, and before 6.12 when an earlier
        program used more.
        """
        highest = -1 if self._peak is None else _number(self._peak)
        return self._beyond(highest) if highest > self._earlier else None

    def killed(self) -> int:
        """How many processes of the program the kernel killed for want of memory."""
        return _sum(self._events, _KILLED) - self._killed

    def close(self) -> None:
        """End what is left in the group, and remove it; waits for it about two seconds at the most."""
        self._files.close()
        _remove(self.path)

    def _beyond(self, total: int) -> int:
        """How much of it is the program's: page cache that had to go is not there to be subtracted."""
        gone = self._cached - _sum(self._stat, _CACHED)
        return max(total - self._held + max(gone, 0), 0)

    def _bound(self, most: int) -> None:
        """v1 has a limit of memory and one of memory and swap, which is never allowed to be the lower one."""
        files = [self._limit] if self._unified or self._swap is None else [self._limit, self._swap]
        for file in reversed(files) if most > self._most > 0 else files:
            os.pwrite(file, str(most).encode(), 0)
        self._most = most

    def _peak_since_begin(self) -> int:
        """Let the peak begin anew; where the kernel cannot, what it must rise above to be the program's."""
        if self._peak is None:
            return 0
        try:
            os.pwrite(self._peak, b"0", 0)
        except OSError:
            return _number(self._peak)
        return 0

    def _open(self, name: str) -> int:
        """A descriptor of the group's file, for writing as well where it may be written."""
        path = self.path / name
        writable = path.stat().st_mode & 0o222 and os.access(path, os.W_OK)
        file = os.open(path, os.O_RDWR if writable else os.O_RDONLY)
        self._files.callback(os.close, file)
        return file

    def _open_if_there(self, name: str) -> int | None:
        with contextlib.suppress(FileNotFoundError):
            return self._open(name)
        return None


def _number(file: int) -> int:
    return int(os.pread(file, 32, 0))


def _sum(file: int, lines: re.Pattern[bytes]) -> int:
    """The numbers of these lines of a file that has a name and a number in each."""
    return sum(map(int, lines.findall(os.pread(file, 1 << 14, 0))))


def _members(path: Path) -> list[int]:
    """Empty where the group is gone."""
    with contextlib.suppress(OSError):
        return [int(pid) for pid in (path / "cgroup.procs").read_text().split()]
    return []


def _remove(path: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        for pid in _members(path):
            _end(pid, path)
        try:
            return path.rmdir()
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno != errno.EBUSY:
                raise
            time.sleep(0.001)  # the kernel tells nobody when the last process has left
    log.warning("a memory cgroup cannot be removed, the next run will try again: %s", path)
    return None


def _end(pid: int, group: Path) -> None:
    """Kill a process of the group and see it end; the descriptor keeps the number from becoming another's."""
    with contextlib.suppress(OSError):
        process = os.pidfd_open(pid)
        try:
            if pid in _members(group):
                signal.pidfd_send_signal(process, signal.SIGKILL)
                ended = select.poll()
                ended.register(process, select.POLLIN)
                ended.poll(10)
        finally:
            os.close(process)


def _started(pid: int) -> str:
    """When a process started, in ticks since the machine did; empty where there is none."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    return ""

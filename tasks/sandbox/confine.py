"""Confining one program: its process tree, what it sees, what it may use, what it may ask the kernel.

Shipped as source into the sandbox with `tasks.sandbox.worker`. It calls the C library by ctypes, because Python has
neither clone(2) nor mount(2), and setns(2) since 3.12 alone.

Covered under bubblewrap: a PID namespace for each program, whose first process is not the program (signals and abort
misbehave there) and whose end is the end of all; a mount namespace with a bounded /tmp (bytes and files), which is
/dev/shm too, and a /proc of its own; no capabilities, no new privileges; as root a uid that is not the worker's.
Covered with `process` isolation: the descendants of the program, wherever they went, come back to the worker and are
ended; a folder of its own, removed behind it; as root a uid of its own; where the kernel has Landlock, files outside
what `readable` names are out of reach, writing outside the program's folder is refused, and so are signals to
processes outside.
Covered on both: resource limits, a session of its own, the system-call filter, no descriptor but those it is given.
Not covered: see the Sandbox block.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import resource
import signal
import sys
import time

from tasks.sandbox import landlock, seccomp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

NEW_MOUNTS, NEW_IPC, NEW_PIDS = 0x00020000, 0x08000000, 0x20000000
SHARED_MEMORY, SHARED_FILES = 0x00000100, 0x00000400
NO_SUID, NO_DEVICES, NO_EXECUTION, BIND = 2, 4, 8, 4096
SET_PARENT_DEATH_SIGNAL, SET_DUMPABLE, DROP_FROM_BOUNDING_SET, SET_SUBREAPER, SET_NO_NEW_PRIVILEGES = 1, 4, 24, 36, 38
LIMITED = (
    resource.RLIMIT_CPU,
    resource.RLIMIT_AS,
    resource.RLIMIT_NPROC,
    resource.RLIMIT_NOFILE,
    resource.RLIMIT_FSIZE,
    resource.RLIMIT_CORE,
    resource.RLIMIT_MSGQUEUE,
)
NEIGHBOURS = 7  # programs of the same user that may run at the same time
STACK = 1 << 16
OPEN_TO_ALL = ("/dev/shm", "/tmp", "/var/tmp")
WAIT_FOR_CLONES = 0x40000000  # __WALL: also for children that announce their end by no signal
_libc = ctypes.CDLL(None, use_errno=True)
_prctl = _libc.prctl
_prctl.argtypes = [ctypes.c_int, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong]
_mount = _libc.mount
_mount.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p]
_clone = _libc.clone
_clone.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p]


def prepare(settings: dict[str, Any]) -> Confinement:
    """Set up the worker itself, once; `settings`: `isolation`, `folder`, `readable` (paths)."""
    with contextlib.suppress(OSError):
        _checked(_prctl(SET_DUMPABLE, 0, 0, 0, 0))  # a program of the same uid must not reach into the worker
    return _Namespaces(settings) if settings["isolation"] == "bubblewrap" else _Descendants(settings)


def keep(wanted: Sequence[int], open_files: int) -> list[int]:
    """Keep these descriptors alone: the first three as 0, 1, 2, the others as high as the limit lets them be.

    Returns the numbers of the others. High, so that the program's own begin at 3, as they do elsewhere.
    """
    for place in range(3):
        os.dup2(wanted[place], place)
    first = max(open_files - len(wanted) + 3, 64)  # above all that the worker has open
    others = [fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, first) for descriptor in wanted[3:]]
    os.closerange(3, first)
    os.closerange(others[-1] + 1, 1 << 20)
    return others


class Confinement:
    """What all programs of a worker have in common."""

    needed: tuple[int, ...] = ()  # descriptors that `apply` works with, which a child keeps until then

    def __init__(self, settings: dict[str, Any]) -> None:
        self._most = {what: resource.getrlimit(what)[1] for what in LIMITED}
        self.filter = seccomp.prepare(seccomp.program(allow_network=settings["isolation"] == "bubblewrap"))

    def tree(self) -> Tree:
        """Fork a tree's main process; returns twice, as fork(2) does, with pid 0 in the child. Raises OSError."""
        raise NotImplementedError

    def apply(self, limits: dict[str, Any], uid: int, tree: Tree, needed: Sequence[int]) -> None:
        """Confine this process, for good; in the forked child. `needed` are its copies of those descriptors."""
        raise NotImplementedError

    def _limit(self, limits: dict[str, Any], others: int = 0) -> None:
        cpu = int(limits["cpu"] * 1.3) + 2
        address_space = limits["address_space"] or resource.RLIM_INFINITY
        processes = limits["processes"] + others
        wanted = (cpu, address_space, processes, limits["open_files"], limits["file"], 0, 0)
        for what, soft in zip(LIMITED, wanted, strict=True):
            hard = soft + 1 if what == resource.RLIMIT_CPU else soft
            if (most := self._most[what]) != resource.RLIM_INFINITY:
                soft, hard = (most if each == resource.RLIM_INFINITY else min(each, most) for each in (soft, hard))
            resource.setrlimit(what, (soft, hard))

    def _leave(self, uid: int) -> None:
        """Give up every privilege."""
        if uid:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
        _drop_capabilities()
        _checked(_prctl(SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0))
        _prctl(SET_DUMPABLE, 1, 0, 0, 0)  # its own /proc/self belongs to it
        file = os.open("/proc/self/oom_score_adj", os.O_WRONLY)
        os.write(file, b"1000")  # where memory runs out, it goes, not the worker
        os.close(file)
        os.umask(0o022)


class Tree:
    """A program's processes. `ended` is a descriptor that is readable once the main one has ended."""

    pid: int
    ended: int
    folder: str

    def pids(self) -> list[int]:
        """The living processes, as the worker's /proc numbers them."""
        raise NotImplementedError

    def end(self) -> tuple[int, resource.struct_rusage]:
        """End all of it, and return when nothing is left: the main process's exit code or -signal, and its usage."""
        raise NotImplementedError

    def measure(self, memory_limit: float) -> tuple[float, float]:
        """CPU seconds used so far and bytes of memory used now, by all of them together."""
        cpu = memory = 0.0
        pids = self.pids()
        for pid in pids:
            with contextlib.suppress(OSError):
                cpu += _cpu_seconds(pid)
                with open(f"/proc/{pid}/statm", "rb") as file:
                    memory += int(file.read().split()[1]) * resource.getpagesize()
        if memory > memory_limit:  # pages that forked processes share were counted more than once
            memory = min(memory, sum(_own_share(pid) for pid in pids))
        return cpu, memory

    def waited(self) -> float:
        """Seconds in which its processes could have run and had no processor."""
        total = 0.0
        for pid in self.pids():
            with contextlib.suppress(OSError), open(f"/proc/{pid}/schedstat", "rb") as file:
                total += int(file.read().split()[1]) / 1e9
        return total


class _Namespaces(Confinement):
    def __init__(self, settings: dict[str, Any]) -> None:
        super().__init__(settings)
        self._own_pids = os.open("/proc/self/ns/pid", os.O_RDONLY)
        self._stack = ctypes.create_string_buffer(STACK)
        self._top = (ctypes.addressof(self._stack) + STACK) & ~15
        self._pause = ctypes.cast(_libc.pause, ctypes.c_void_p)
        self.ours = {int(name) for name in os.listdir("/proc") if name.isdigit()}
        for capability in range(64):
            if _prctl(DROP_FROM_BOUNDING_SET, capability, 0, 0, 0):
                break

    def tree(self) -> Tree:
        """The namespace's first process is a clone that shares the worker's memory and only calls pause(2).

        It ignores SIGCHLD, so the kernel reaps the orphans that come to it. It shares the worker's descriptors, too:
        with copies of its own it would keep the program's input open, which then has no end.
        """
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        init = _clone(self._pause, self._top, NEW_PIDS | SHARED_MEMORY | SHARED_FILES | signal.SIGCHLD, None)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        tree = _NamespaceTree(_checked(init), self.ours)
        try:
            _checked(_libc.setns(tree.init_ended, NEW_PIDS))
            tree.pid = os.fork()
            if tree.pid:
                tree.ended = os.pidfd_open(tree.pid)
                _checked(_libc.setns(self._own_pids, NEW_PIDS))
        except OSError:
            _checked(_libc.setns(self._own_pids, NEW_PIDS))
            tree.abandon()
            raise
        return tree

    def apply(self, limits: dict[str, Any], uid: int, tree: Tree, needed: Sequence[int]) -> None:
        os.setsid()
        _checked(_libc.unshare(NEW_MOUNTS | NEW_IPC))
        _checked(_mount(b"proc", b"/proc", b"proc", NO_SUID | NO_DEVICES | NO_EXECUTION, None))
        size = f"size={limits['tmp']},nr_inodes={limits['tmp_inodes']},mode=1777".encode()
        _checked(_mount(b"tmpfs", b"/tmp", b"tmpfs", NO_SUID | NO_DEVICES, size))
        _checked(_mount(b"/tmp", b"/dev/shm", None, BIND, None))
        os.chdir("/tmp")
        self._limit(limits)
        self._leave(uid)
        self.filter()


class _NamespaceTree(Tree):
    folder = "/tmp"
    pid = 0

    def __init__(self, init: int, ours: set[int]) -> None:
        self.init = init
        self.init_ended = os.pidfd_open(init)
        self.ours = ours

    def pids(self) -> list[int]:
        apart = {*self.ours, self.init}
        return [int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) not in apart]

    def end(self) -> tuple[int, resource.struct_rusage]:
        ended = self.abandon()
        os.close(self.ended)
        assert ended is not None
        return ended

    def abandon(self) -> tuple[int, resource.struct_rusage] | None:
        """End the namespace, and wait for its first process, which the kernel lets go last.

        Processes of the program may be children of this one: the main one, and by CLONE_PARENT any other.
        """
        signal.pidfd_send_signal(self.init_ended, signal.SIGKILL)
        ended, pid = None, 0
        while pid != self.init:
            pid, status, usage = os.wait4(-1, WAIT_FOR_CLONES)
            if pid == self.pid:
                ended = (os.waitstatus_to_exitcode(status), usage)
        os.close(self.init_ended)
        return ended


class _Descendants(Confinement):
    def __init__(self, settings: dict[str, Any]) -> None:
        super().__init__(settings)
        self._folder = settings["folder"]
        self._made = 0
        self._others = (0.0, 0)
        _prctl(SET_SUBREAPER, 1, 0, 0, 0)
        _prctl(SET_PARENT_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
        rules = landlock.prepare(settings["readable"], [self._folder, "/dev/shm"])
        self.needed = () if rules is None else (rules,)
        self._shared = ("/dev/shm",) if self.needed else OPEN_TO_ALL

    def tree(self) -> Tree:
        self._made += 1
        self._count_others()
        tree = _DescendantTree(f"{self._folder}/{self._made}", self._shared)
        os.mkdir(tree.folder, 0o700)
        try:
            tree.pid = os.fork()
            if tree.pid:
                tree.ended = os.pidfd_open(tree.pid)
        except OSError:
            remove(tree.folder)
            raise
        return tree

    def apply(self, limits: dict[str, Any], uid: int, tree: Tree, needed: Sequence[int]) -> None:
        os.setsid()
        _prctl(SET_PARENT_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
        if uid:
            os.chown(tree.folder, uid, uid)
        os.chdir(tree.folder)
        os.environ["TMPDIR"] = tree.folder
        # An ordinary user's programs are counted together: those that run beside this one need room as well.
        self._limit(limits, 0 if uid else self._others[1] + NEIGHBOURS * limits["processes"])
        self._leave(uid)
        for rules in needed:
            landlock.restrict(rules)
        self.filter()

    def _count_others(self) -> None:
        """Threads of this uid, which is what RLIMIT_NPROC is compared with, as of a second ago at most."""
        if os.getuid() and time.monotonic() - self._others[0] > 1:
            self._others = (time.monotonic(), sum(_threads_of(os.getuid())))


class _DescendantTree(Tree):
    def __init__(self, folder: str, shared: Sequence[str]) -> None:
        self.folder, self._shared = folder, shared

    def pids(self) -> list[int]:
        found = [os.getpid()]
        for pid in found:
            with contextlib.suppress(OSError):
                for task in os.listdir(f"/proc/{pid}/task"):
                    with open(f"/proc/{pid}/task/{task}/children") as file:
                        found += map(int, file.read().split())
        return found[1:]

    def end(self) -> tuple[int, resource.struct_rusage]:
        ended = None
        while True:
            for pid in self.pids():
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            try:
                pid, status, usage = os.wait4(-1, 0)
            except ChildProcessError:
                break
            if pid == self.pid:
                ended = (os.waitstatus_to_exitcode(status), usage)
        os.close(self.ended)
        self._clean()
        assert ended is not None
        return ended

    def _clean(self) -> None:
        """Remove what the program left: as root all that its own uid has, else what is in and beside its folder."""
        with contextlib.suppress(OSError):
            owner = os.stat(self.folder).st_uid
            for folder in self._shared if owner != os.geteuid() else ():
                for entry in os.scandir(folder):
                    if entry.stat(follow_symlinks=False).st_uid == owner:
                        remove(entry.path)
        around = os.path.dirname(self.folder)
        os.chmod(around, 0o711)
        for name in os.listdir(around):
            remove(f"{around}/{name}")


def remove(path: str) -> None:
    """Remove a file, or a folder with all that is in it, however deep, and whatever its owner locked, if possible.

    Folders in a folder are moved beside it first: there is no path that is too long, and nothing that recurses.
    """
    found = [] if _removed(path) else [path]
    for each in found:
        with contextlib.suppress(OSError):
            os.chmod(each, 0o700)
            for inner in [f"{each}/{name}" for name in os.listdir(each)]:
                if not _removed(inner):
                    aside = f"{path}.{os.urandom(8).hex()}"
                    os.chmod(inner, 0o700)  # a folder that cannot be written cannot be moved
                    os.rename(inner, aside)
                    found.append(aside)
            os.rmdir(each)


def _removed(path: str) -> bool:
    """Whether it was a file or an empty folder, which is gone."""
    for attempt in (os.unlink, os.rmdir):
        with contextlib.suppress(OSError):
            attempt(path)
            return True
    return False


def _cpu_seconds(pid: int) -> float:
    """CPU time of a process, by its own clock (clock_getcpuclockid(3)), and of its children that ended."""
    own = time.clock_gettime(~pid << 3 | 2)
    with open(f"/proc/{pid}/stat", "rb") as file:
        ended = file.read().rpartition(b")")[2].split()[13:15]
    return own + sum(map(int, ended)) / os.sysconf("SC_CLK_TCK")


def _own_share(pid: int) -> float:
    """Bytes of memory, a page that n processes share counted as an nth."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/smaps_rollup", "rb") as file:
        for line in file:
            if line.startswith(b"Pss:"):
                return int(line.split()[1]) * 1024.0
    return 0.0


def _threads_of(uid: int) -> Iterator[int]:
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError, ValueError), open(f"/proc/{name}/status", errors="replace") as file:
                status = file.read()
                if f"\nUid:\t{uid}\t" in status:
                    yield int(status.partition("\nThreads:\t")[2].partition("\n")[0])


def _drop_capabilities() -> None:
    """capset(2) to none; where there were none, nothing changes."""
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    none = (ctypes.c_uint32 * 6)()
    _checked(_libc.capset(header, none))


def _checked(result: int) -> int:
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


if sys.platform != "linux":  # pragma: no cover (said once, where isolation is chosen)
    raise ImportError("programs are confined on Linux alone")

"""What the tests of the sandbox ask of this machine: which isolation it grants, and what programs left on it."""

import contextlib
import ctypes
import functools
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from blocks.bubblewrap import detect_isolation
from blocks.limits import Limits
from tasks.sandbox import cgroups, grader
from tasks.sandbox.uids import uids
from tests.processes import children, tree

OPEN_TO_ALL = ("/dev/shm", "/tmp", "/var/tmp")
LANDLOCK_SIGNALS = 6  # the version that keeps signals inside


def tight(isolation: str, **others: object) -> Limits:
    """Limits that a test waits for; the test is skipped where the isolation cannot be had."""
    if isolation == "bubblewrap" and detect_isolation() != "bubblewrap":
        pytest.skip("bubblewrap is missing or refused here")
    usual = {"cpu_seconds": 1.0, "wall_seconds": 3.0, "memory_mb": 256, "processes": 32}
    return Limits.model_validate({"isolation": isolation, **usual, **others})


@functools.cache
def has_landlock(since: int = 1) -> bool:
    """Whether the kernel has Landlock, of this version of its interface at least."""
    return ctypes.CDLL(None).syscall(444, None, ctypes.c_size_t(0), ctypes.c_uint32(1)) >= since


def unmet(needs: str, isolation: str) -> str:
    """Why an outcome does not hold here, with the name of what is missing; empty where it holds."""
    if isolation == "bubblewrap" or not needs:
        return ""
    root = os.geteuid() == 0
    if needs == "files" and not has_landlock():
        return "not covered: process isolation without Landlock hides no files"
    if needs == "signals" and not root and not has_landlock(LANDLOCK_SIGNALS):
        return "not covered: an ordinary user's program may signal that user's processes without Landlock"
    if needs == "uid" and not root:
        return "not covered: an ordinary user's program is that user, whose shared memory and limits are its own"
    return "not covered: process isolation makes no namespaces" if needs == "namespaces" else ""


def skip_unless(needs: str, isolation: str) -> None:
    if reason := unmet(needs, isolation):
        pytest.skip(reason)


def left_behind() -> list[str]:
    """What programs left: processes, mounts, files, memory groups that are not empty, descriptors that stay open."""
    host = grader.process()
    found = [f"uid {uid} has {_told(pid)}" for pid, uid in _of_uids()]
    found += [f"file {path} of uid {path.lstat().st_uid}" for path in _files_of_uids()]
    if host is not None and state(host) not in ("", "Z"):
        found += _left_in(host)
    return found


def _left_in(host: int) -> Iterator[str]:
    """What the grading host has besides a judge host and idle workers."""
    started = workers(host)
    for pid in children(host):
        if state(pid) == "Z" or not any(name in _command(pid) for name in ("tasks.sandbox.judge", "boot(")):
            yield f"a stranger {_told(pid)}"
    for worker in started.values():
        yield from (f"program {_told(pid)}" for pid in children(worker))
        yield from (f"mount {text} in {worker}" for text in _stacked_mounts(worker))
        yield from (f"descriptor {text} in {worker}" for text in _pipes_and_files(worker)[len(STREAMS) :])
    for folder in Path(tempfile.gettempdir()).glob(f"consort-{host}-*"):
        with contextlib.suppress(OSError):
            yield from (f"file {path}" for path in folder.iterdir())
    yield from (f"descriptor {text}" for text in _pipes_and_files(host)[len(STREAMS) * len(started) :])
    parent = cgroups.find()
    for group in parent.glob(f"consort-{host}-*") if parent is not None else ():
        inside = {int(pid) for pid in (group / "cgroup.procs").read_text().split()}
        for pid in inside - {each for top in started for each in tree(top)}:
            yield f"group {group.name} holds {_told(pid)}"
    if parent is not None and len(list(parent.glob(f"consort-{host}-*"))) > len(started):
        yield "a memory group without a worker"


STREAMS = ("stdin", "stdout", "stderr")  # a worker's own, pipes to the host


def workers(host: int) -> dict[int, int]:
    """The warm Pythons: each by the process that the host started, which is the Python itself or bubblewrap's."""
    found = {}
    for pid in [pid for pid in children(host) if "boot(" in _command(pid)]:
        inner = pid
        while "bwrap" in _name(inner) and (below := children(inner)):
            inner = below[0]
        found[pid] = inner
    return found


def judge_host(host: int) -> int:
    """The process that judges are forked from."""
    return next(pid for pid in children(host) if "tasks.sandbox.judge" in _command(pid))


def programs(host: int) -> list[int]:
    """What runs below the workers."""
    return [pid for worker in workers(host).values() for pid in children(worker)]


def _stacked_mounts(worker: int) -> list[str]:
    """Places where something is mounted over something in the worker's own namespace."""
    with contextlib.suppress(OSError):
        if Path(f"/proc/{worker}/ns/mnt").readlink() == Path("/proc/self/ns/mnt").readlink():
            return []
        places = [line.split()[4] for line in Path(f"/proc/{worker}/mountinfo").read_text().splitlines()]
        return sorted({place for place in places if places.count(place) > 1 and place != "/"})
    return []


def _pipes_and_files(pid: int) -> list[str]:
    """Descriptors of pipes and of files in memory, those of a process that we may look at."""
    found = []
    with contextlib.suppress(OSError):
        for entry in os.scandir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):
                link = str(Path(entry.path).readlink())
                found += [f"{entry.name} {link}"] if link.startswith(("pipe:", "/memfd:")) else []
    return sorted(found, key=lambda text: "memfd" in text)


def _of_uids() -> list[tuple[int, int]]:
    """Processes of the uids that programs get, where this is root."""
    if os.geteuid() != 0:
        return []
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            status = (path / "status").read_text(errors="replace")
            found.append((int(path.name), int(status.partition("\nUid:\t")[2].split()[0])))
    return [(pid, uid) for pid, uid in found if uid in uids()]


def _files_of_uids() -> list[Path]:
    """Files of those uids in the folders where everybody may write."""
    if os.geteuid() != 0:
        return []
    found = []
    for folder in OPEN_TO_ALL:
        for entry in os.scandir(folder):
            with contextlib.suppress(OSError):
                found += [Path(entry.path)] if entry.stat(follow_symlinks=False).st_uid in uids() else []
    return found


def _told(pid: int) -> str:
    return f"process {pid} ({state(pid) or 'gone'}) {_command(pid)[-80:]!r}"


def _name(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text()
    return ""


def _command(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode("utf-8", "replace").replace("\0", " ")
    return ""


def state(pid: int) -> str:
    """The kernel's letter for what a process does; empty where it is gone."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return ""

"""What the kernel tells about processes: which belong together, what they use, which are left.

All of it is read from outside, never asked of the processes themselves.
"""

import contextlib
import os
import resource
import time
from pathlib import Path
from typing import NamedTuple


class Usage(NamedTuple):
    """What a process tree uses now, and the most memory its first process ever used. MiB and seconds."""

    cpu_seconds: float | None = None
    memory_mb: float | None = None
    peak_mb: float | None = None


def usage_of(pids: list[int]) -> Usage:
    """What these processes use together; None where the machine does not tell."""
    cpu = memory = 0.0
    for pid in pids:
        with contextlib.suppress(OSError):
            cpu += cpu_seconds(pid)
            memory += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()
    return Usage(cpu or None, memory / 2**20 or None, _peak_mb(pids[0]) if pids else None)


def largest(one: Usage, other: Usage) -> Usage:
    """The larger of each; None only where both are."""
    pairs = zip(one, other, strict=True)
    return Usage(*(max((part for part in pair if part is not None), default=None) for pair in pairs))


def tree(root: int) -> list[int]:
    """The process and its descendants, parents first; itself alone where the machine does not tell."""
    found = [root]
    for pid in found:
        with contextlib.suppress(OSError):
            for children in Path(f"/proc/{pid}/task").glob("*/children"):
                found += [int(child) for child in children.read_text().split()]
    return found


def strays(uid: int, folder: str) -> list[int]:
    """Living processes of the uid; without one of its own, those whose environment names the folder."""
    found = []
    marks = {f"Uid:\t{uid}\t".encode()} if uid else {b"TMPDIR=" + folder.encode() + b"\0"}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                status = Path(entry.path, "status").read_bytes()
                where = status if uid else Path(entry.path, "environ").read_bytes()
                if b"\nState:\tZ" not in status and any(mark in where for mark in marks):
                    found.append(int(entry.name))
    return found


def threads_of(uid: int) -> int:
    """How many threads the uid has, which is what RLIMIT_NPROC is compared with."""
    found = 0
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                status = Path(entry.path, "status").read_text(errors="replace")
                if f"\nUid:\t{uid}\t" in status:
                    found += int(status.partition("\nThreads:\t")[2].partition("\n")[0])
    return found


def cpu_seconds(pid: int) -> float:
    """CPU time of a process, by its own clock (clock_getcpuclockid(3)), and of its children that ended."""
    own = time.clock_gettime(~pid << 3 | 2)
    ended = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[13:15]
    return own + sum(map(int, ended)) / os.sysconf("SC_CLK_TCK")


def _peak_mb(pid: int) -> float | None:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return None

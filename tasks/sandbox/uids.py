"""Leaving root: uids that nobody else has, and a Python that such a uid can start.

Covered: uids that no account and no other Consort process has, within what a container maps; each worker has one of
them to itself, and nothing of a program is left when its worker goes on.
Not covered: two Consort processes in a container that maps few uids may share some.
"""

import contextlib
import functools
import os
import subprocess
from pathlib import Path

from blocks.bubblewrap import interpreter

AT_ONCE = 256


def uids() -> range:
    """The uids of this process's programs: from the far end of those that this root may give."""
    spans = [line.split() for line in Path("/proc/self/uid_map").read_text().splitlines()]
    end = max(int(first) + int(count) for first, _, count in spans)
    span = 1 << 28 if end > 1 << 30 else end // 16
    first = min(1 << 30, end - span) + os.getpid() * AT_ONCE % (span - AT_ONCE)
    return range(first, first + AT_ONCE)


@functools.cache
def reachable_interpreter() -> str | None:
    """A Python that a uid without rights can start and import from: this one, else the system's; or None."""
    candidates = (interpreter(), "/usr/bin/python3", "/usr/local/bin/python3")
    return next((python for python in candidates if _starts(python, uids().stop - 1)), None)


def _starts(python: str, uid: int) -> bool:
    """Whether the uid can start this Python, of a version that the worker's sources are for."""
    command = [python, "-c", "import sys, resource, ctypes, typing; assert sys.version_info >= (3, 11)"]
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        trial = subprocess.run(
            command,
            env={},
            cwd="/",
            user=uid,
            group=uid,
            extra_groups=[],
            capture_output=True,
            timeout=20,
            check=False,
        )
        return trial.returncode == 0
    return False

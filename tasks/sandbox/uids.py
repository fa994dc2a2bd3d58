"""Leaving root: a uid of its own for each program, and a Python that such a uid can start.

Covered: uids that no account and no other program of this process has, within what a container maps.
Not covered: more than 64 programs at once in one process share uids; so may two Consort processes in a
container that maps few of them.
"""

import contextlib
import functools
import itertools
import logging
import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

from blocks.bubblewrap import INTERPRETER_FLAGS, interpreter

log = logging.getLogger("consort.sandbox")

AT_ONCE = 64

_places = itertools.cycle(range(AT_ONCE))
_taken: set[int] = set()
_taking = threading.Lock()
_probing = threading.Lock()


@contextlib.contextmanager
def own_uid() -> Iterator[int]:
    """A uid that no account and no other program has, one of `uids()`.

    They go round, because what the last program left may still be ending, and counts against its uid.
    """
    ours = uids()
    with _taking:
        places = list(itertools.islice(_places, AT_ONCE))
        place = next((place for place in places if place not in _taken), places[0])
        for _ in range(places.index(place) + 1):
            next(_places)
        _taken.add(place)
    try:
        yield ours[place]
    finally:
        with _taking:
            _taken.discard(place)


def uids() -> range:
    """The uids of this process's programs: from the far end of those that this root may give."""
    spans = [line.split() for line in Path("/proc/self/uid_map").read_text().splitlines()]
    end = max(int(first) + int(count) for first, _, count in spans)
    span = 1 << 28 if end > 1 << 30 else end // 16
    first = min(1 << 30, end - span) + os.getpid() * AT_ONCE % (span - AT_ONCE)
    return range(first, first + AT_ONCE)


def reachable_interpreter() -> str | None:
    """A Python that a uid without rights can start; None, after one warning, where there is none."""
    with _probing:
        return _probed()


@functools.cache
def _probed() -> str | None:
    with own_uid() as uid:
        for python in (interpreter(), "/usr/bin/python3", "/usr/local/bin/python3"):
            if _starts(python, uid):
                return python
    log.warning(
        "PROGRAMS RUN AS ROOT: no Python can be reached by another uid, so `process` isolation cannot drop "
        "root; install bubblewrap, or run as an ordinary user"
    )
    return None


def _starts(python: str, uid: int) -> bool:
    """Whether the uid can start this Python with the modules that confine a program."""
    command = [python, *INTERPRETER_FLAGS, "-c", "import resource, ctypes, typing"]
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

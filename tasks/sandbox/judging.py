"""Judges by the fork: one trusted process of this one's that forks a judge for every grading.

Starting Python for each judge cost a third of a grading. The host runs no test code and no program; it reads
descriptors from a socket, forks, and ends when the socket closes, however this process ended.
"""

import contextlib
import os
import select
import signal
import socket
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path

from blocks.bubblewrap import interpreter

STARTING = """
import sys
sys.path.append(sys.argv[1])
from tasks.sandbox.judge import host
sys.path.pop()
host(int(sys.argv[2]))
"""


class Judge:
    """A judge that is at work; to be ended."""

    def __init__(self, pid: int, pidfd: int) -> None:
        self.pid = pid
        self._pidfd = pidfd

    def end(self) -> None:
        """Kill it, and wait until it is gone."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
        select.select([self._pidfd], [], [])
        os.close(self._pidfd)


def start_judge(descriptors: Sequence[int]) -> Judge:
    """Fork a judge that has copies of the descriptors: work, requests, replies, results, complaints.

    Raises OSError where no process can be started.
    """
    global _host
    with _lock:
        for last in (False, True):
            if _host is None or _host.owner != os.getpid():
                _host = _Host()
            try:
                return _host.fork(descriptors)
            except OSError:
                _host.close()
                _host = None
                if last:
                    raise
    raise AssertionError("the second try returns or raises")


class _Host:
    def __init__(self) -> None:
        self.owner = os.getpid()
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        folder = str(Path(__file__).parents[2])
        with theirs:
            self._process = subprocess.Popen(
                [interpreter(), "-s", "-P", "-S", "-c", STARTING, folder, str(theirs.fileno())],
                env={"PYTHONHASHSEED": "0"},
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )

    def fork(self, descriptors: Sequence[int]) -> Judge:
        socket.send_fds(self._channel, [b"judge"], list(descriptors))
        said, (*pidfds,), _, _ = socket.recv_fds(self._channel, 32, 1)
        if not pidfds:
            raise OSError(f"no judge can be started: {said.decode() or 'its host ended'}")
        return Judge(int(said), pidfds[0])

    def close(self) -> None:
        self._channel.close()
        self._process.kill()
        self._process.wait()


_lock = threading.Lock()
_host: _Host | None = None

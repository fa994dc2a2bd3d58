"""Consort's own side of grading: one grading host for this process, and one socket for each grading.

The host (`tasks.sandbox.host`) is started with the first grading and ends with this process, however that ends. Any
event loop of any thread may ask; cancelling closes the socket, which ends the work.
"""

import asyncio
import atexit
import contextlib
import marshal
import os
import socket
import subprocess
import threading
from pathlib import Path
from typing import Any

from blocks.bubblewrap import interpreter
from tasks.sandbox.execute import HASH_SEED
from tasks.sandbox.host import framed, received
from tasks.sandbox.uids import uids

STARTING = """
import sys
sys.path.append(sys.argv[1])
from tasks.sandbox.host import main
main()
"""


class Broken(Exception):
    """The machinery failed: nothing is known about the program."""


async def ask(kind: str, *arguments: Any) -> Any:
    """Have the host do one thing; see `tasks.sandbox.host`. Raises Broken, with what is known."""
    ours, theirs = socket.socketpair()
    with ours:
        ours.setblocking(False)
        with theirs:
            _hand_over(theirs)
        try:
            await asyncio.get_running_loop().sock_sendall(ours, framed(marshal.dumps((kind, *arguments))))
            answer = await received(ours)
        except OSError as problem:
            raise Broken(f"the grading host ended: {problem.strerror}") from None
    if answer is None:
        raise Broken("the grading host ended")
    said = marshal.loads(answer)
    if isinstance(said, tuple) and said[:1] == ("broken",):
        raise Broken(said[1])
    return said


def at_once() -> int:
    """Programs that run at the same time: two for each processor, so that one that sleeps keeps nobody waiting."""
    return max(2, 2 * len(os.sched_getaffinity(0)))


def _hand_over(client: socket.socket) -> None:
    """Give a socket to the host; to a new one where the last has ended."""
    global _host
    with _lock:
        for last in (False, True):
            if _host is None or _host.owner != os.getpid():
                _host = _Host()
            try:
                socket.send_fds(_host.control, [b"grade"], [client.fileno()])
            except OSError as problem:
                _host.close()
                _host = None
                if last:
                    raise Broken(f"no grading host can be started: {problem}") from None
            else:
                return


def process() -> int | None:
    """The host's process id, where one is running."""
    return _host.process.pid if _host is not None else None


def control() -> int | None:
    """The descriptor that this process keeps for its host."""
    return _host.control.fileno() if _host is not None else None


def close() -> None:
    """End the host and everything in it; the next grading starts another."""
    global _host
    with _lock:
        if _host is not None and _host.owner == os.getpid():
            _host.close()
        _host = None


class _Host:
    def __init__(self) -> None:
        self.owner = os.getpid()
        atexit.unregister(close)
        atexit.register(close)
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self.process = subprocess.Popen(
                [interpreter(), "-S", "-P", "-c", STARTING, str(Path(__file__).parents[2]), str(theirs.fileno())],
                env={**HASH_SEED, **_environment()},
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        first_uid = uids().start if os.geteuid() == 0 else 0
        self.control.send(marshal.dumps({"at_once": at_once(), "first_uid": first_uid}))

    def close(self) -> None:
        self.control.close()  # which it takes as the end: it ends its workers first
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(20)
        self.process.kill()
        self.process.wait()


def _environment() -> dict[str, str]:
    """What the host needs to find bubblewrap and the compilers, and where temporary folders are."""
    return {name: os.environ[name] for name in ("PATH", "TMPDIR", "HOME") if name in os.environ}


_lock = threading.Lock()
_host: _Host | None = None

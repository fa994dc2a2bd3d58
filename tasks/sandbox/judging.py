"""Judges by the fork: one trusted process of the grading host's that forks a judge for every grading.

Starting Python for each judge would cost more than all the rest. The judge host runs no test code and no program; it
reads descriptors from a socket, forks, and ends when the socket closes, however the grading host ended.
"""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path

from blocks.bubblewrap import interpreter
from tasks.sandbox.execute import HASH_SEED, started

STARTING = """
import sys
sys.path.append(sys.argv[1])
from tasks.sandbox.judge import host
sys.path.pop()
host(int(sys.argv[2]))
"""


class Judge:
    """A judge that is at work; to be ended."""

    def __init__(self, pid: int, ended: int) -> None:
        self.pid = pid
        self._ended = ended

    async def end(self) -> None:
        """Kill it, and wait until it is gone."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._ended, signal.SIGKILL)
        try:
            await readable(self._ended)
        finally:
            os.close(self._ended)


class JudgeHost:
    """The process that judges are forked from; to be closed."""

    def __init__(self) -> None:
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._channel.setblocking(False)
        self._asking = asyncio.Lock()
        folder = str(Path(__file__).parents[2])
        with theirs:
            self.process = subprocess.Popen(
                [interpreter(), "-s", "-P", "-S", "-c", STARTING, folder, str(theirs.fileno())],
                env=HASH_SEED,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        started(self.process.pid)

    async def fork(self, descriptors: Sequence[int]) -> Judge:
        """Fork a judge that has copies of the descriptors: work, requests, replies, results, complaints.

        Raises OSError where no process can be started.
        """
        asked = asyncio.ensure_future(self._fork(descriptors))
        try:
            return await asyncio.shield(asked)
        except asyncio.CancelledError:
            # The answer is on its way: were it left, the next to ask would take it for its own.
            await asyncio.wait([asked])
            if asked.exception() is None:
                await asked.result().end()
            raise

    async def _fork(self, descriptors: Sequence[int]) -> Judge:
        async with self._asking:
            socket.send_fds(self._channel, [b"judge"], list(descriptors))
            await readable(self._channel.fileno())
            said, ended, _, _ = socket.recv_fds(self._channel, 64, 1)
        if not ended:
            raise OSError(f"no judge can be started: {said.decode() or 'its host ended'}")
        return Judge(int(said), ended[0])

    def close(self) -> None:
        self._channel.close()
        self.process.kill()
        self.process.wait()


async def readable(descriptor: int) -> None:
    """Wait until there is something to read, or an end."""
    loop = asyncio.get_running_loop()
    arrived: asyncio.Future[None] = loop.create_future()

    def tell() -> None:
        if not arrived.done():
            arrived.set_result(None)

    loop.add_reader(descriptor, tell)
    try:
        await arrived
    finally:
        loop.remove_reader(descriptor)

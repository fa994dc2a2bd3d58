"""The grading host: the trusted process that keeps warm workers and judges, and grades what it is sent.

Consort's process starts one (`tasks.sandbox.grader`) and hands it a socket for each grading: the work comes in, one
answer goes out, and closing the socket cancels. Everything that costs time happens here and below, at a low priority:
the event loop that generates is never blocked. It ends when the control socket closes, however Consort ended.

Covered: at most `places` programs at a time; a worker that was lost is replaced, and its program tried once more in
another; a verdict near its limit is looked at once more while nothing else runs.
Not covered: two hosts on one machine do not know of each other.
"""

import asyncio
import contextlib
import marshal
import os
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from tasks.sandbox import cgroups
from tasks.sandbox.execute import Ended, Program, Setting, Worker, WorkerLost, sweep, take_in_orphans
from tasks.sandbox.judging import Judge, JudgeHost, readable

NICENESS = 10


class Places:
    """The workers, and who may use one; programs run `at_once`, or one alone."""

    def __init__(self, at_once: int, first_uid: int, group: Path | None) -> None:
        self.at_once = at_once
        self._free = asyncio.Semaphore(at_once)
        self._lone = asyncio.Lock()
        self._idle: list[Worker] = []
        self._all: set[Worker] = set()
        self._uids = set(range(first_uid, first_uid + 4 * at_once)) if first_uid else set()
        self._group = group

    async def run(self, setting: Setting, program: Program) -> Ended:
        """Run a program; in another worker where the first is lost, whoever's fault that was.

        A program that takes its worker with it twice has `cut` "lost", or "memory" where the kernel had too little.
        Raises OSError where no worker starts.
        """
        cut = "lost"
        for _ in range(2):
            async with self.worker(setting) as worker:
                try:
                    return await worker.run(program)
                except WorkerLost as lost:
                    cut = "memory" if lost.of_memory else "lost"
        return Ended("", 0, cut, 0.0, 0.0, 0, "R", 0.0, b"", b"")

    @contextlib.asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Hold every place: what runs inside runs alone. Not to be entered with a place held."""
        async with self._lone:
            for taken in range(self.at_once):
                try:
                    await self._free.acquire()
                except BaseException:
                    for _ in range(taken):
                        self._free.release()
                    raise
            self._free.release()
            try:
                yield
            finally:
                for _ in range(self.at_once - 1):
                    self._free.release()

    @contextlib.asynccontextmanager
    async def worker(self, setting: Setting) -> AsyncIterator[Worker]:
        """A worker for one program, warm where there is one of this setting."""
        async with self._free:
            worker = await self._taken(setting)
            try:
                yield worker
            finally:
                if worker.busy or worker.lost:
                    self._close(worker)
                else:
                    self._idle.append(worker)

    async def _taken(self, setting: Setting) -> Worker:
        for worker in [idle for idle in reversed(self._idle) if idle.setting == setting]:
            self._idle.remove(worker)
            if worker.process.poll() is None:
                return worker
            self._close(worker)
        while self._idle and len(self._all) >= 2 * self.at_once:
            self._close(self._idle.pop(0))
        uid = self._uids.pop() if self._uids else 0
        try:
            worker = await Worker.start(setting, uid, self._group)
        except BaseException:
            if uid:
                self._uids.add(uid)
            raise
        self._all.add(worker)
        return worker

    def _close(self, worker: Worker) -> None:
        self._all.discard(worker)
        worker.close()
        if worker.uid:
            self._uids.add(worker.uid)

    def close(self) -> None:
        for worker in list(self._all):
            self._close(worker)


class Host:
    """What gradings share."""

    def __init__(self, settings: dict[str, Any]) -> None:
        sweep()
        self.group = cgroups.find()
        if self.group is not None:
            cgroups.sweep(self.group)
        self.places = Places(settings["at_once"], settings["first_uid"], self.group)
        self.judges = JudgeHost()

    async def judge(self, descriptors: Sequence[int]) -> Judge:
        """A judge; from a new process that forks them, where the last has ended. Raises OSError."""
        asked = self.judges
        try:
            return await asked.fork(descriptors)
        except OSError:
            if self.judges is asked:
                asked.close()
                self.judges = JudgeHost()
            return await self.judges.fork(descriptors)

    def close(self) -> None:
        self.places.close()
        self.judges.close()


async def serve(control: socket.socket, settings: dict[str, Any]) -> None:
    """Take gradings from the control socket until it closes."""
    host = Host(settings)
    tasks = set[asyncio.Task[None]]()
    try:
        while True:
            await readable(control.fileno())
            message, descriptors, _, _ = socket.recv_fds(control, 16, 1)
            if not message:
                break
            task = asyncio.create_task(_answer(host, socket.socket(fileno=descriptors[0])))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        host.close()


async def _answer(host: Host, client: socket.socket) -> None:
    """One grading: read it, do it unless the other side goes, answer."""
    with client:
        client.setblocking(False)
        asked = await received(client)
        if asked is None:
            return
        gone = asyncio.create_task(readable(client.fileno()))
        work = asyncio.create_task(_done(host, *marshal.loads(asked)))
        try:
            await asyncio.wait([gone, work], return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                with contextlib.suppress(OSError):
                    await asyncio.get_running_loop().sock_sendall(client, framed(marshal.dumps(work.result())))
        finally:
            for task in (gone, work):
                task.cancel()
            await asyncio.gather(gone, work, return_exceptions=True)


async def _done(host: Host, kind: str, *arguments: Any) -> Any:
    """The answer to one request. What goes wrong in the machinery is an answer as well."""
    from tasks.sandbox import binaries, calls, programs

    kinds: dict[str, Callable[..., Awaitable[Any]]]
    kinds = {
        "calls": calls.grade,
        "programs": programs.grade,
        "make": binaries.make,
        "run": binaries.run,
        "calibrate": programs.calibrate,
    }
    try:
        return _plain(await kinds[kind](host, *arguments))
    except OSError as problem:
        return ("broken", str(problem))


def _plain(value: Any) -> Any:
    """Named tuples as tuples, which marshal takes."""
    return tuple(map(_plain, value)) if isinstance(value, tuple | list) else value


def framed(body: bytes) -> bytes:
    """A message on a stream: eight bytes of length, then the body."""
    return len(body).to_bytes(8, "big") + body


async def received(client: socket.socket) -> bytes | None:
    """One framed message; None where the other side ended before it was whole."""
    loop = asyncio.get_running_loop()
    data = bytearray()
    length = 8
    while len(data) < length:
        part = await loop.sock_recv(client, 1 << 18)
        if not part:
            return None
        data += part
        if len(data) >= 8:
            length = 8 + int.from_bytes(data[:8], "big")
    return bytes(data[8:length])


def main() -> None:
    """Run as a process of its own: `sys.argv` ends in the control socket's descriptor; settings come over it."""
    control = socket.socket(fileno=int(sys.argv[-1]))
    os.setpriority(os.PRIO_PROCESS, 0, NICENESS)
    take_in_orphans()
    settings = marshal.loads(control.recv(1 << 16))
    control.setblocking(False)
    asyncio.run(serve(control, settings))

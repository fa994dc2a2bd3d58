"""The warm worker: an isolated Python that forks programs, one at a time, and never runs any itself.

Shipped as source into a bare interpreter (see `tasks.sandbox.execute`), under bubblewrap or, with `process`
isolation, on its own. For each program: the forked child is confined (`tasks.sandbox.confine`), given its pipes,
and followed until it ends, passes a limit or is told to stop; then its whole tree is ended before the answer goes
out. The tree is a PID namespace of the program's own under bubblewrap; without one, everything that descends from
the worker, which orphans come back to (PR_SET_CHILD_SUBREAPER).

Covered: one deadline for running and draining; CPU and wall time, memory of the whole tree, output; output is what
had been written when the main process ended; input that is never read blocks nobody.
Not covered: memory and CPU time between two measurements (every 20 ms) where no memory cgroup backs them up; the CPU
time of descendants that ended without being waited for.
"""

from __future__ import annotations

import ctypes
import gc
import marshal
import mmap
import os
import resource
import select
import socket
import sys
import time

from tasks.sandbox import confine, inside, main_program

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, NoReturn

    from tasks.sandbox.confine import Confinement

MEASURE_EVERY = 0.02
OVERTIME = 1.2  # a program may run this much beyond its CPU limit, so that one near it can be told and tried again
TAIL = 1 << 16  # bytes of the standard error that are kept
CHUNK = 1 << 17
STDIN_AT_ONCE = 1 << 16
NO_RANDOM_ADDRESSES = 0x0040000  # ADDR_NO_RANDOMIZE of personality(2)

# Not threading and random: each makes a fork a tenth of a millisecond or three dearer for every program.
WARM = """
    abc array bisect cmath collections contextlib copy datetime decimal enum fractions functools heapq io
    itertools json math operator re string struct time traceback typing types linecache warnings
"""


def serve(control: int, settings: dict[str, Any]) -> NoReturn:
    """Run programs as the messages on `control` (SEQPACKET) ask for, until it closes.

    A message is marshalled `(kind, limits, uid)`, with descriptors: the payload, the input (or none), and for
    `call` the pipes to the judge. Any other message stops the program that runs. The answer is a marshalled tuple
    (see `tasks.sandbox.execute.Ended`) that ends in the numbers of pieces that follow: standard error, output.
    """
    channel = socket.socket(fileno=control)
    for name in WARM.split():
        __import__(name)
    confinement = confine.prepare(settings)
    for name in [name for name in sys.modules if name.partition(".")[0] == "tasks"]:
        del sys.modules[name]
    main_program.prepare()
    gc.collect()
    gc.freeze()
    gc.disable()
    channel.send(b"ready")
    while True:
        message, descriptors, _, _ = socket.recv_fds(channel, 4096, 4)
        if not message:
            os._exit(0)
        if not descriptors:
            continue  # a stop that crossed the answer
        _run(channel, confinement, marshal.loads(message), descriptors)


def _run(channel: socket.socket, confinement: Confinement, asked: tuple[Any, ...], descriptors: list[int]) -> None:
    program = _Program(channel, confinement, asked, descriptors)
    answer = program.run()
    complaint, output = program.error.pieces(TAIL), program.output.pieces(program.limits["output"])
    channel.send(marshal.dumps((*answer, len(complaint), len(output)), 2))
    for piece in (*complaint, *output):
        channel.send(piece)


class _Kept:
    """What a program says, where no program that is forked later finds it.

    None may be there when a program is forked: it would end with this process's frames and unmap what is another's.
    """

    def __init__(self, most: int) -> None:
        self.size = 0  # of all that was said; no more than `most` is kept
        self.most = most
        self._memory = mmap.mmap(-1, most + CHUNK)
        self._memory.madvise(mmap.MADV_DONTFORK)
        self._view = memoryview(self._memory)

    def read(self, descriptor: int) -> int:
        place = min(self.size, self.most)
        count = os.readv(descriptor, [self._view[place : place + CHUNK]])
        self.size += count
        return count

    def pieces(self, most: int) -> list[memoryview]:
        """The last of it; the first where there is more than was kept."""
        end = min(self.size, self.most)
        return [self._view[place : min(place + CHUNK, end)] for place in range(max(0, end - most), end, CHUNK)]


class _Program:
    """One program, from its pipes to its end."""

    def __init__(
        self, channel: socket.socket, confinement: Confinement, asked: tuple[Any, ...], descriptors: list[int]
    ) -> None:
        self.channel, self.confinement, self.given = channel, confinement, descriptors
        self.kind, self.limits, self.uid = asked
        self.cut = ""
        self.cpu = self.memory = self.waited = 0.0
        self.output: _Kept
        self.error: _Kept

    def run(self) -> tuple[Any, ...]:
        """Run it; the answer, without what it said."""
        self.began = time.monotonic()
        (self.stdin_end, feeding), (out, out_end), (err, err_end) = (os.pipe() for _ in range(3))
        # Not a pipe, which a program of the same uid could open by its name in /proc and empty.
        told, self.telling = (end.detach() for end in socket.socketpair())
        self.out_end, self.err_end = out_end, err_end
        for end in (self.stdin_end, out_end, err_end):
            os.fchmod(end, 0o666)  # root made it; the program opens /dev/stdin by its name
        self.feeding: int | None = feeding
        self._feed()
        try:
            tree = self.confinement.tree()
        except OSError as problem:
            tree = None
            broken = f"no process can be started: {problem}"
        if tree is not None and tree.pid == 0:
            self._become(tree)  # a program may unwind all frames: there must be no `finally` around this
        for end in (self.stdin_end, out_end, err_end, self.telling, *self.given):
            os.close(end)
        most = self.limits["output"]
        self.output, self.error = _Kept(most if self.limits["keep_output"] else 0), _Kept(most)
        try:
            if tree is None:
                return broken, 0, "", 0.0, 0.0, 0, "", 0.0
            self._follow(tree, out, err)
            status, usage = tree.end()
            self._drain(out, err)
            return self._answer(status, usage, os.read(told, 4096))
        finally:
            for end in (out, err, told, *([self.feeding, self.held] if self.feeding is not None else [])):
                os.close(end)

    def _become(self, tree: Any) -> NoReturn:
        """In the forked child: confine it and become the program."""
        telling = -1
        try:
            self.channel.close()
            payload, *pipes = (given for place, given in enumerate(self.given) if place != 1)
            needed = self.confinement.needed
            wanted = (self.stdin_end, self.out_end, self.err_end, self.telling, payload, *pipes, *needed)
            kept = confine.keep(wanted, self.limits["open_files"])
            telling, payload, pipes = kept[0], kept[1], kept[2 : 2 + len(pipes)]
            kept = kept[2 + len(pipes) :]
            what = marshal.loads(os.pread(payload, os.fstat(payload).st_size, 0))
            os.close(payload)
            self.confinement.apply(self.limits, self.uid, tree, kept)
        except BaseException as problem:  # noqa: BLE001 (told to the host, which makes a harness error of it)
            os.write(telling, f"E{type(problem).__name__}: {problem}"[:500].encode("utf-8", "replace"))
            os._exit(97)
        _KINDS[self.kind](what, pipes, telling)

    def _feed(self) -> None:
        """Write what there is of the input and fits; close the pipe behind the last of it."""
        if len(self.given) > 1 and self.kind != "call":
            self.source = self.given[1]
        else:
            self.source = -1
        self.offset, self.size = 0, os.fstat(self.source).st_size if self.source >= 0 else 0
        assert self.feeding is not None
        self.held = -1
        if self._write_some():
            self.source = self.held = os.dup(self.source)

    def _write_some(self) -> bool:
        """As much as fits, past the memory of this process, of which programs get copies; True where more is to come.

        Never wait: an ordinary user who has many pipes gets small ones.
        """
        assert self.feeding is not None
        try:
            while self.offset < self.size:
                source, offset = self.source, self.offset
                self.offset += os.splice(source, self.feeding, STDIN_AT_ONCE, offset, flags=os.SPLICE_F_NONBLOCK)
        except BlockingIOError:
            return True
        except BrokenPipeError:
            pass
        os.close(self.feeding)
        self.feeding = None
        if self.held >= 0:
            os.close(self.held)
        return False

    def _follow(self, tree: Any, out: int, err: int) -> None:
        """Until the main process has ended, or a limit is passed, or the host says stop."""
        poll = select.poll()
        for descriptor in (tree.ended, out, err, self.channel.fileno()):
            os.set_blocking(descriptor, False) if descriptor in (out, err) else None
            poll.register(descriptor, select.POLLIN)
        if self.feeding is not None:
            poll.register(self.feeding, select.POLLOUT)
        limits, began = self.limits, self.began
        measure_at = began + MEASURE_EVERY
        while True:
            now = time.monotonic()
            if now >= measure_at:
                self._measure(tree, now - began)
                measure_at = now + MEASURE_EVERY
            if self.cut:
                return
            for descriptor, _ in poll.poll(max(1.0, (min(measure_at, began + limits["wall"]) - now) * 1000)):
                if descriptor == tree.ended:
                    return
                if descriptor == self.channel.fileno():
                    if not self.channel.recv(16):
                        tree.end()
                        os._exit(0)
                    self.cut = "stopped"
                elif descriptor == self.feeding:
                    if not self._write_some():
                        poll.unregister(descriptor)
                elif not self._read(descriptor, descriptor == out):
                    poll.unregister(descriptor)

    def _read(self, descriptor: int, is_output: bool) -> bool:
        """One read; False at the end of the pipe."""
        kept = self.output if is_output else self.error
        try:
            count = kept.read(descriptor)
        except BlockingIOError:
            return True
        if kept.size > self.limits["output"]:
            self.cut = self.cut or "output"
        return count > 0

    def _drain(self, out: int, err: int) -> None:
        """What lies in the pipes: every writer has ended."""
        for descriptor in (out, err):
            os.set_blocking(descriptor, False)
            for _ in range(1 + (1 << 20) // CHUNK):  # no pipe of an ordinary user's holds more
                before = self.output.size + self.error.size
                if not self._read(descriptor, descriptor == out) or before == self.output.size + self.error.size:
                    break

    def _measure(self, tree: Any, wall: float) -> None:
        cpu, memory = tree.measure(self.limits["memory"])
        self.cpu, self.memory = max(self.cpu, cpu), max(self.memory, memory)
        if self.memory > self.limits["memory"]:
            self.cut = "memory"
        elif self.cpu >= OVERTIME * self.limits["cpu"]:
            self.cut = "cpu"
        elif wall >= self.limits["wall"]:
            self.cut = "wall"
            self.waited = tree.waited()

    def _answer(self, status: int, usage: Any, told: bytes) -> tuple[Any, ...]:
        cpu = max(self.cpu, usage.ru_utime + usage.ru_stime)
        peak = max(self.memory, usage.ru_maxrss * 1024.0)
        broken = told[1:].decode("utf-8", "replace") if told[:1] == b"E" else "" if told else "nothing was started"
        if self.cut and not told:
            broken = ""  # stopped before it began
        state = told[:64].decode("ascii", "replace")
        wall = time.monotonic() - self.began
        return broken, status, self.cut, cpu, wall, int(peak), state, self.waited


def _call(what: Any, pipes: list[int], telling: int) -> NoReturn:
    context, program, entry_point, names = what
    os.write(telling, b"R")
    os.close(telling)
    gc.enable()
    requests, replies = pipes
    inside.serve(requests, replies, context, program, entry_point, names)


def _main(what: Any, pipes: list[int], telling: int) -> NoReturn:
    name, source = what
    _write_files([(name, 0o644, source)])
    os.write(telling, b"R")  # to be compiled is the program's own doing
    letters, write, refused = (
        {"": b"R", "compile_error": b"C", "main_done": b"M", "main_failed": b"F"},
        os.write,
        OSError,
    )

    def ready(state: str) -> None:
        try:
            write(telling, letters[state])
        except refused:  # the program closed every descriptor
            return

    main_program.run(name, ready)


def _command(what: Any, pipes: list[int], telling: int) -> NoReturn:
    """Replace this process by a program; a binary or the file of an interpreted language."""
    command, environment, files, archive = what
    os.write(telling, b"R")  # from here on it is the program's own doing: its compiler made the archive
    os.close(telling)
    _write_files(files)
    if archive:
        _write_files(marshal.loads(archive))
    try:
        os.execve(command[0], command, _placed(environment))
    except OSError as problem:
        print(f"{command[0]}: {problem.strerror}", file=sys.stderr, flush=True)
        os._exit(126)


def _fixed(what: Any, pipes: list[int], telling: int) -> NoReturn:
    """`_command` with addresses that are the same in every run (personality(2)), and with the stack of four."""
    ctypes.CDLL(None).personality(NO_RANDOM_ADDRESSES)
    soft, hard = resource.getrlimit(resource.RLIMIT_STACK)
    if soft != resource.RLIM_INFINITY:
        soft = 4 * soft if hard == resource.RLIM_INFINITY else min(4 * soft, hard)
        resource.setrlimit(resource.RLIMIT_STACK, (soft, hard))
    _command(what, pipes, telling)


def _build(what: Any, pipes: list[int], telling: int) -> NoReturn:
    """Run a compiler, all it says on the standard error, then put the files that it made on the standard output."""
    commands, environment, files = what
    _write_files(files)
    before = set(_files("."))
    os.write(telling, b"R")
    os.close(telling)
    for command in commands:
        child = os.fork()
        if child == 0:
            try:
                os.dup2(2, 1)
                os.execve(command[0], command, _placed(environment))
            except OSError as problem:
                print(f"{command[0]}: {problem.strerror}", file=sys.stderr, flush=True)
            os._exit(126)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status:
            os._exit(1)
    made = []
    for name in sorted(set(_files(".")) - before):
        with open(name, "rb") as file:
            made.append((name, os.fstat(file.fileno()).st_mode & 0o777, file.read()))
    whole = marshal.dumps(made, 2)  # which `tasks.sandbox.reader` can read
    while whole:
        whole = whole[os.write(1, whole) :]
    os._exit(0)


def _placed(environment: dict[str, str]) -> dict[str, str]:
    return {name: value.replace("{folder}", os.getcwd()) for name, value in environment.items()}


def _files(folder: str) -> Iterator[str]:
    """Files, without those that a compiler hides from view for itself."""
    for entry in os.scandir(folder):
        if entry.is_dir(follow_symlinks=False) and not entry.name.startswith("."):
            yield from _files(entry.path)
        elif entry.is_file(follow_symlinks=False):
            yield entry.path


def _write_files(files: list[tuple[str, int, bytes]]) -> None:
    for name, mode, content in files:
        if os.path.dirname(name):
            os.makedirs(os.path.dirname(name), exist_ok=True)
        descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        while content:
            content = content[os.write(descriptor, content) :]
        os.close(descriptor)


_KINDS: dict[str, Callable[[Any, list[int], int], NoReturn]] = {
    "call": _call, "main": _main, "command": _command, "fixed": _fixed, "build": _build
}  # fmt: skip

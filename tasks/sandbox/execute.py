"""One isolated process: start it, measure it, end all of it.

Covered: no inherited descriptors but those it is given, an environment of no content, a session of its
own, limits on CPU time, memory, processes, files and their size; the end of the whole tree (under
bubblewrap by its process namespace; without it by its process group and by its uid or its temporary
folder's name in the environment); no process, descriptor or folder is left behind.
As root the program runs as a uid that nobody else has. Without bubblewrap that needs an interpreter that
such a uid can reach: this one, else the system's `python3`; where neither can be reached the program
**keeps root**, which one loud warning says.
Needs Linux 5.4 or later.
Not covered: a seccomp filter; memory between two measurements (the address space of each process is
limited all the same); without bubblewrap also the network, readable files of the host, disk space
outside the temporary folder, and daemons that left their group and replaced their environment.
"""

import binascii
import contextlib
import functools
import logging
import marshal
import math
import os
import resource
import select
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from blocks.bubblewrap import INTERPRETER_FLAGS, bubblewrap_command, interpreter
from blocks.bubblewrap import detect_isolation as detect_isolation
from blocks.limits import Limits
from tasks.sandbox import inside, values
from tasks.sandbox.processes import Usage, strays, threads_of, tree, usage_of
from tasks.sandbox.uids import own_uid, reachable_interpreter

log = logging.getLogger("consort.sandbox")


class Isolated:
    """A running Python process that executes `code` after it confined itself; close it to end its tree.

    `code` is given the names of `tasks.sandbox.inside`. `output` is the reading end of its stdout and
    stderr. Raises OSError where no process can be started. To be made, used and closed in one thread,
    because bubblewrap ends with the thread that started it.
    """

    def __init__(self, code: str, limits: Limits, descriptors: Sequence[int]) -> None:
        self.limits = limits
        self._cleanup = contextlib.ExitStack()
        with contextlib.ExitStack() as failed:
            failed.callback(self._cleanup.close)
            self._uid = self._cleanup.enter_context(own_uid()) if os.geteuid() == 0 else 0
            self.folder = "/tmp"
            command = bubblewrap_command(limits) if limits.isolation == "bubblewrap" else []
            python = interpreter()
            if not command:
                self.folder = self._cleanup.enter_context(_private_folder())
                if self._uid:
                    reachable = reachable_interpreter()
                    python, self._uid = reachable or python, self._uid if reachable else 0
                    os.chown(self.folder, self._uid, self._uid)
            self.output, writing = os.pipe()
            self._cleanup.callback(os.close, self.output)
            try:
                self.process = subprocess.Popen(
                    [*command, python, *INTERPRETER_FLAGS, "-c", self._confined(code, python)],
                    env={"PYTHONHASHSEED": "0", "TMPDIR": self.folder},
                    cwd=self.folder if not command else "/",
                    stdin=subprocess.DEVNULL,
                    stdout=writing,
                    stderr=writing,
                    pass_fds=descriptors,
                    start_new_session=True,
                )
            finally:
                os.close(writing)
            failed.callback(self.process.wait)
            failed.callback(self.process.kill)
            self.ended = os.pidfd_open(self.process.pid)
            failed.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def usage(self) -> Usage:
        """The tree's CPU time and memory, None where the machine does not tell."""
        return usage_of(tree(self.process.pid)[2 if self.limits.isolation == "bubblewrap" else 0 :])

    def status(self, patience: float) -> int | None:
        """How it ended: its exit code, the negative number of the signal, None if it goes on.

        It is not reaped yet, so that its process group keeps its number.
        """
        self._await_end(patience)
        end = os.waitid(os.P_PIDFD, self.ended, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if end is None:
            return None
        if end.si_code != os.CLD_EXITED:
            return -end.si_status
        number = end.si_status - 128
        by_signal = self.limits.isolation == "bubblewrap" and number in signal.valid_signals()
        return -number if by_signal else end.si_status

    def _await_end(self, patience: float) -> None:
        waiting = select.poll()
        waiting.register(self.ended, select.POLLIN)
        waiting.poll(patience * 1000)

    def end(self) -> None:
        """End the whole tree; returns when it has ended."""
        if self.limits.isolation == "bubblewrap":
            self._end_namespace()
        else:
            self._end_group()

    def close(self) -> None:
        """End the tree and leave nothing of it behind."""
        try:
            self.end()
        finally:
            self.process.wait()
            os.close(self.ended)
            self._cleanup.close()

    def _end_namespace(self) -> None:
        """The end of a namespace's first process is the end of all; bubblewrap itself follows."""
        inner = tree(self.process.pid)[1:2]
        if inner and self.status(0) is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(inner[0], signal.SIGKILL)
            self._await_end(2.0)
        signal.pidfd_send_signal(self.ended, signal.SIGKILL)

    def _end_group(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        for _ in range(1000):
            left = strays(self._uid, self.folder)
            for pid in left:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            if not left:
                return
        log.warning("processes of a program outlive it: %s", " ".join(map(str, left)))

    def _confined(self, code: str, python: str) -> str:
        alone = self.limits.isolation == "process"
        others = threads_of(os.getuid()) if alone and not self._uid else 0
        confine = (_numbers(self.limits, others), self._uid, alone)
        return f"{_inside_source(python == interpreter())}\nconfine(*{confine!r})\n{code}\n"


def _numbers(limits: Limits, others: int) -> list[tuple[int, int, int]]:
    """`(resource, soft, hard)` of every limit that a process sets for itself.

    The kernel counts processes by uid: `others` are those that the program shares its uid with.
    """
    cpu = math.ceil(limits.cpu_seconds)
    pairs = {
        resource.RLIMIT_AS: limits.memory_mb << 20,
        resource.RLIMIT_NPROC: limits.processes + others,
        resource.RLIMIT_NOFILE: limits.open_files,
        resource.RLIMIT_FSIZE: limits.file_mb << 20,
        resource.RLIMIT_CORE: 0,
    }
    return [(what, most, most) for what, most in pairs.items()] + [(resource.RLIMIT_CPU, cpu + 1, cpu + 2)]


@functools.cache
def _inside_source(compiled: bool) -> str:
    """The modules that run inside, as code that defines their names in one namespace.

    Compiled, which only this very Python can read, it saves 5 ms a process.
    """
    sources = [Path(str(module.__file__)).read_text(encoding="utf-8") for module in (values, inside)]
    if not compiled:
        return "\n".join(f"exec(compile({source!r}, '<sandbox>', 'exec'))" for source in sources)
    lines = ["import binascii, marshal"]
    for source in sources:
        code = marshal.dumps(compile(source, "<sandbox>", "exec", dont_inherit=True, optimize=2))
        lines.append(f"exec(marshal.loads(binascii.a2b_base64({binascii.b2a_base64(code)!r})))")
    return "\n".join(lines)


@contextlib.contextmanager
def _private_folder() -> Iterator[str]:
    folder = tempfile.mkdtemp(prefix="consort-")
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)

"""The Prefect Block that says how programs are isolated and what they may use."""

import shutil
from typing import Literal

from prefect.blocks.core import Block
from pydantic import Field

from blocks.bubblewrap import detect_isolation
from blocks.limits import LARGEST_KB, LARGEST_MB, LONGEST_SECONDS, Limits


class Sandbox(Block):
    """How a program that nobody trusts is run.

    Covered, on both levels: expected values never enter the program's process, and the verdict is made outside of
    it; limits on CPU and wall time, memory of the whole process tree, processes, open files, file size and output;
    an empty environment, no inherited descriptors, no capabilities, no new privileges; a system-call filter that
    refuses mounts, namespaces, ptrace, keyrings, memfd, SysV IPC, io_uring and bpf; one deadline for running and for
    reading what is left; the whole process tree ends with the grading. As root every program runs under a uid of its
    own, which nothing else has.

    Covered under `bubblewrap` only: a network namespace with nothing in it; a root of system libraries and the
    language's runtime, read-only, and nothing else of the host; a private /tmp of bounded bytes and inodes; a
    process namespace, so that no other process can be seen or signalled.

    Covered under `process` where the kernel has Landlock (5.13, in part later): files outside the system's libraries
    and the language's runtime cannot be read, nothing outside the program's folder can be written, and processes
    outside can be neither read nor signalled.

    Not covered: a hole in the kernel is a way out. Where no memory cgroup can be had, memory is looked at from time
    to time, and what grows faster may overshoot for a moment; buffers of pipes and sockets do not count. A neighbour
    that the scheduler prefers (a nice value below 10, a session of more weight) takes wall time from a program.

    Not covered under `process`, because it makes no namespaces: the list of the host's processes and the names of its
    files are in sight; sockets are refused by the system-call filter alone (all but those of AF_UNIX); disk space and
    inodes are bounded for each file, not in sum. As an ordinary user the limit on processes is that of all programs
    that run at the same time together, and the program may change the mode and the times of that user's files and
    connect to Unix sockets by their path. Without a memory cgroup /dev/shm is not counted as memory. Without Landlock
    also: the host's files that everybody may read; and as an ordinary user the program runs as that user, whose other
    processes it may read (an API key in an environment) and signal, and whose files it may write.
    """

    _block_type_name = "Sandbox"
    _block_type_slug = "sandbox"

    isolation: Literal["auto", "bubblewrap", "process"] = Field(
        default="auto", description="bubblewrap, process (limits only), or auto: bubblewrap where it works."
    )
    cpu_seconds: float = Field(
        default=10.0, gt=0, le=LONGEST_SECONDS, description="CPU time of one test, in seconds; of a function's suite."
    )
    wall_seconds: float | None = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        description="Wall time that goes with it, in seconds; empty: three times the CPU time.",
    )
    memory_mb: int = Field(
        default=1024, ge=64, le=LARGEST_MB, description="Memory of the whole process tree, in MiB."
    )
    output_kb: int = Field(default=1024, ge=1, le=LARGEST_KB, description="What a program may print, in KiB.")
    processes: int = Field(default=64, ge=1, description="Processes and threads at one time.")
    open_files: int = Field(default=256, ge=16, description="Open files of one process.")
    file_mb: int = Field(default=64, ge=1, description="Size of one file, in MiB.")
    tmp_mb: int = Field(default=128, ge=1, description="Size of the private /tmp, in MiB (bubblewrap only).")
    tmp_inodes: int = Field(default=16_384, ge=16, description="Files in the private /tmp (bubblewrap only).")
    time_by_problem: bool = Field(default=True, description="A problem's own time limit goes before cpu_seconds.")
    memory_by_problem: bool = Field(default=True, description="A problem's own memory limit goes before memory_mb.")

    def limits(self) -> Limits:
        """The limits as a plain record; "auto" becomes what this machine grants."""
        fields = {name: getattr(self, name) for name in Limits.model_fields if name in Sandbox.model_fields}
        fields["isolation"] = detect_isolation() if self.isolation == "auto" else self.isolation
        fields["wall_seconds"] = self.wall_seconds or 3 * self.cpu_seconds
        return Limits(**fields)


def no_bubblewrap() -> str:
    """Say why this machine grants no bubblewrap isolation, and what mends it."""
    if shutil.which("bwrap") is None:
        return "bubblewrap is missing on this machine; install it (apt-get install bubblewrap)"
    return (
        "bubblewrap is refused on this machine; allow unprivileged user namespaces (sysctl "
        "kernel.apparmor_restrict_unprivileged_userns=0, user.max_user_namespaces above 0; in a container, a profile "
        "that lets it make namespaces)"
    )

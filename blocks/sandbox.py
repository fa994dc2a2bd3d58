"""The Prefect Block that says how programs are isolated and what they may use."""

from typing import Literal

from prefect.blocks.core import Block
from pydantic import Field

from blocks.bubblewrap import detect_isolation
from blocks.limits import Limits


class Sandbox(Block):
    """How a program that nobody trusts is run.

    Covered, on both levels: the tests' expected values never enter the program's process; limits on CPU
    and wall time, memory, processes, open files, file size and output; an empty environment, no
    inherited descriptors, no new privileges; the whole process tree ends with the grading.
    Covered under `bubblewrap` only: no network, nothing of the host's files but system libraries and
    the Python runtime (read-only), a private and bounded /tmp, no sight of other processes; daemons end
    with the sandbox.
    Under `process` as root the program drops to an unused uid. Where that uid can reach no interpreter,
    it keeps root, which is said in one loud warning.

    Not covered: system calls are not filtered (a hole in the kernel is a way out); the number of
    inodes. Under `process`: the network and the host's readable files; and where the programs run as an
    ordinary user, that user's other processes, which they may read (an API key in the environment, the
    tests) and end, and daemons that replaced their environment.
    """

    _block_type_name = "Sandbox"
    _block_type_slug = "sandbox"

    isolation: Literal["auto", "bubblewrap", "process"] = Field(
        default="auto", description="bubblewrap, process (limits only), or auto: bubblewrap where it works."
    )
    cpu_seconds: float = Field(default=10.0, gt=0, description="CPU time of one grading, in seconds.")
    wall_seconds: float | None = Field(
        default=None, gt=0, description="Wall time of one grading, in seconds; empty: three times the CPU time."
    )
    memory_mb: int = Field(default=1024, ge=64, description="Memory of the whole process tree, in MiB.")
    output_kb: int = Field(default=1024, ge=1, description="What a program may print, in KiB.")
    processes: int = Field(default=64, ge=1, description="Processes and threads at one time.")
    open_files: int = Field(default=256, ge=16, description="Open files of one process.")
    file_mb: int = Field(default=64, ge=0, description="Size of one file, in MiB.")
    tmp_mb: int = Field(default=128, ge=1, description="Size of the private /tmp, in MiB (bubblewrap only).")

    def limits(self) -> Limits:
        """The limits as a plain record; "auto" becomes what this machine grants."""
        fields = {name: getattr(self, name) for name in Limits.model_fields}
        fields["isolation"] = detect_isolation() if self.isolation == "auto" else self.isolation
        fields["wall_seconds"] = self.wall_seconds or 3 * self.cpu_seconds
        return Limits(**fields)

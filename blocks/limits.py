"""What a program that nobody trusts may use, and how it is kept apart."""

from typing import Literal

from pydantic import Field

from blocks.records import Record

Isolation = Literal["bubblewrap", "process"]

LONGEST_SECONDS = 86_400.0  # of CPU time: a day
LARGEST_MB = 1 << 20
LARGEST_KB = 1 << 20


class Limits(Record):
    """The limits of one program's process tree. Times in seconds.

    `isolation` is what the machine gives, no longer "auto". `memory_mb` is for the whole tree; `file_mb` bounds one
    file, `tmp_mb` and `tmp_inodes` what the private /tmp holds (bubblewrap only). Where `time_by_problem` or
    `memory_by_problem` is set, a problem's own limit takes the place of `cpu_seconds` (and the wall limit that goes
    with it) or `memory_mb`. `scale` is what the host's calibration multiplied CPU and wall limits by: it is found
    once per execution, no setting.
    """

    isolation: Isolation
    cpu_seconds: float = Field(default=10.0, gt=0, allow_inf_nan=False)
    wall_seconds: float = Field(default=30.0, gt=0, allow_inf_nan=False)
    memory_mb: int = Field(default=1024, ge=64, le=LARGEST_MB)
    output_kb: int = Field(default=1024, ge=1, le=LARGEST_KB)
    processes: int = Field(default=64, ge=1)
    open_files: int = Field(default=256, ge=16)
    file_mb: int = Field(default=64, ge=1)
    tmp_mb: int = Field(default=128, ge=1)
    tmp_inodes: int = Field(default=16_384, ge=16)
    time_by_problem: bool = True
    memory_by_problem: bool = True
    scale: float = Field(default=1.0, ge=1.0, allow_inf_nan=False)

    def unusual(self) -> dict[str, bool | int | float]:
        """Return the limits that were set to other than the usual; what the machine gives is not among them."""
        usual = Limits(isolation=self.isolation, scale=self.scale)
        return {name: value for name, value in self.model_dump().items() if value != getattr(usual, name)}

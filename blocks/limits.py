"""What a program that nobody trusts may use, and how it is kept apart."""

from typing import Literal

from pydantic import Field

from blocks.records import Record

Isolation = Literal["bubblewrap", "process"]


class Limits(Record):
    """The limits of one program's process tree. Times in seconds.

    `isolation` is what the machine gives, no longer "auto". `memory_mb` is for the whole tree, measured
    every 50 ms (so a burst may overshoot), and for the address space of each process, which is strict.
    `file_mb` bounds one file, `tmp_mb` the private temporary folder (bubblewrap only).
    """

    isolation: Isolation
    cpu_seconds: float = Field(default=10.0, gt=0)
    wall_seconds: float = Field(default=30.0, gt=0)
    memory_mb: int = Field(default=1024, ge=64)
    output_kb: int = Field(default=1024, ge=1)
    processes: int = Field(default=64, ge=1)
    open_files: int = Field(default=256, ge=16)
    file_mb: int = Field(default=64, ge=0)
    tmp_mb: int = Field(default=128, ge=1)

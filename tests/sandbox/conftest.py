"""Limits for both isolation levels, and a check that a test leaves nothing behind."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from blocks.limits import Limits
from tasks.sandbox import grader
from tests.processes import until
from tests.sandbox.machine import left_behind, tight


@pytest.fixture(params=["bubblewrap", "process"])
def limits(request: pytest.FixtureRequest) -> Limits:
    """Tight limits, on each isolation level that the machine grants."""
    return tight(request.param)


@pytest.fixture
def bubblewrap() -> Limits:
    return tight("bubblewrap")


@pytest.fixture
def process() -> Limits:
    return tight("process")


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """After a test the grading host has idle workers and those have nothing, and this process is as it was."""
    descriptors, files, mounts = _descriptors(), _files(), _mounts()
    yield
    with contextlib.suppress(AssertionError):
        until(lambda: left_behind() == [], 10)  # a grading that was cancelled ends a moment after its test
    assert left_behind() == []
    assert _descriptors() - descriptors <= _of_the_host()
    assert _files() - files == set()
    assert _mounts() == mounts


def _mounts() -> str:
    return Path("/proc/self/mountinfo").read_text()


def _files() -> set[Path]:
    """What programs that run as this user would leave; those of root have uids that tell: see `left_behind`."""
    found = set()
    for folder in ("/dev/shm", "/var/tmp", "/"):
        for path in Path(folder).glob("*consort*"):
            with contextlib.suppress(FileNotFoundError):
                found |= {path} if path.lstat().st_uid == os.geteuid() else set()
    return found


def _descriptors() -> set[str]:
    found = set()
    for entry in os.scandir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            found.add(f"{entry.name} {Path(entry.path).readlink()}")
    return {text for text in found if "/proc/" not in text}


def _of_the_host() -> set[str]:
    """The one socket by which this process knows its grading host."""
    control = grader.control()
    return set() if control is None else {f"{control} {Path(f'/proc/self/fd/{control}').readlink()}"}

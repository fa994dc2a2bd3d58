"""Limits for both isolation levels, and a check that a grading leaves nothing behind."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from blocks.bubblewrap import detect_isolation
from blocks.limits import Limits
from tasks.sandbox.judging import start_judge
from tasks.sandbox.processes import tree
from tasks.sandbox.uids import uids


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


def tight(isolation: str) -> Limits:
    if isolation == "bubblewrap" and detect_isolation() != "bubblewrap":
        pytest.skip("bubblewrap is missing or refused here")
    return Limits.model_validate(
        {"isolation": isolation, "cpu_seconds": 1.0, "wall_seconds": 3.0, "memory_mb": 256, "processes": 32}
    )


@pytest.fixture(scope="session", autouse=True)
def judges_have_a_host() -> None:
    """Start the process that judges are forked from: it stays as long as this one."""
    with Path(os.devnull).open("r+b") as nothing:
        start_judge([nothing.fileno()] * 5).end()


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """Neither a descriptor, nor a process, nor a temporary folder of this process's gradings."""
    folders, descriptors, processes = _folders(), _descriptors(), set(tree(os.getpid()))
    yield
    assert _descriptors() - descriptors == set()
    assert _folders() - folders == set()
    assert set(tree(os.getpid())) - processes == set()
    assert _of_our_uids() == []


def _descriptors() -> set[str]:
    found = set()
    for entry in os.scandir("/proc/self/fd"):
        try:
            found.add(f"{entry.name} {Path(entry.path).readlink()}")
        except OSError:
            continue
    return {text for text in found if "/proc/" not in text}


def _folders() -> set[Path]:
    """Folders of our own uids: other gradings may run on this machine."""
    found = Path(tempfile.gettempdir()).glob("consort-*")
    return {path for path in found if path.stat().st_uid in (os.getuid(), *_our_uids())}


def _our_uids() -> range:
    if os.geteuid() != 0:
        return range(0)
    return uids()


def _of_our_uids() -> list[int]:
    ours, found = _our_uids(), []
    for path in Path("/proc").glob("[0-9]*/status"):
        try:
            lines = path.read_text().splitlines()
        except OSError:
            continue
        uid = next(int(line.split()[1]) for line in lines if line.startswith("Uid:"))
        if uid in ours and "Z" not in next(line for line in lines if line.startswith("State:")):
            found.append(int(path.parent.name))
    return found

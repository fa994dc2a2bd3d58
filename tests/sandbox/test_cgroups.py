"""Memory cgroups, made for real where this machine lets us, and where they are looked for elsewhere."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.sandbox import cgroups
from tasks.sandbox.cgroups import MemoryGroup

MB = 1 << 20


@pytest.fixture
def parent() -> Path:
    found = cgroups.find()
    if found is None:
        pytest.skip("this process may not make memory cgroups here")
    return found


@pytest.fixture
def group(parent: Path) -> Iterator[MemoryGroup]:
    before = groups(parent)
    with MemoryGroup.create(parent) as made:
        yield made
    assert groups(parent) == before


@pytest.fixture
def worker() -> Iterator["Worker"]:
    with Worker() as started:
        yield started


class Worker:
    """A warm Python that forks a child for each source, which the kernel is to prefer when it kills."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", WORKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout and self.process.stdin
        self.answers, self.sources = self.process.stdout, self.process.stdin
        assert self.answers.readline() == "ready\n"

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *error: object) -> None:
        """Nobody waits for the end of its output, which what it left behind may hold."""
        self.process.kill()
        self.process.wait()
        self.answers.close()
        self.sources.close()

    def run(self, source: str) -> int:
        """How the child ended: its exit code, or the negative number of the signal."""
        print(repr(source), file=self.sources, flush=True)
        return int(self.answers.readline())


WORKER = """
import mmap, os, signal, sys, tempfile
print("ready", flush=True)
for line in sys.stdin:
    child = os.fork()
    if not child:
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write("1000")
        try:
            exec(eval(line))
            os._exit(0)
        finally:
            os._exit(1)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
TAKE = "x = bytearray({size})\nfor place in range(0, {size}, 4096): x[place] = 1\n"
TAKE_SHARED = "x = mmap.mmap(-1, {size})\nfor place in range(0, {size}, 4096): x[place] = 1\n"
TAKE_TMPFS = """
with tempfile.TemporaryFile(dir="/dev/shm") as file:
    for _ in range({size} >> 20):
        file.write(bytes(1 << 20))
    file.flush()
"""
TAKE_TOGETHER = """
children = []
for _ in range(8):
    child = os.fork()
    if not child:
        x = bytearray({size} // 8)
        for place in range(0, len(x), 4096): x[place] = 1
        signal.pause()
    children.append(child)
os._exit(sum(os.waitpid(-1, 0)[1] != 0 for _ in range({deaths})))
"""
TAKES = [
    pytest.param(TAKE, id="own"),
    pytest.param(TAKE_SHARED, id="shared"),
    pytest.param(TAKE_TMPFS, id="tmpfs"),
]


@pytest.mark.parametrize("take", TAKES)
def test_the_limit_kills_the_program_and_nobody_else(take: str, group: MemoryGroup, worker: Worker) -> None:
    group.add(worker.process.pid)
    group.begin(64 * MB)
    assert worker.run(take.format(size=512 * MB)) == -9
    assert group.killed() == 1
    group.begin(64 * MB)
    assert group.killed() == 0
    assert worker.run(take.format(size=16 * MB)) == 0
    assert group.killed() == 0


def test_the_limit_is_of_all_processes_together(group: MemoryGroup, worker: Worker) -> None:
    group.add(worker.process.pid)
    group.begin(64 * MB)
    worker.run(TAKE_TOGETHER.format(size=96 * MB, deaths=1))
    assert group.killed() >= 1
    assert worker.process.poll() is None


@pytest.mark.parametrize("take", TAKES)
def test_the_peak_is_the_programs_own(take: str, group: MemoryGroup, worker: Worker) -> None:
    group.add(worker.process.pid)
    for size in (128 * MB, 64 * MB, 128 * MB):
        group.begin(256 * MB)
        assert worker.run(take.format(size=size)) == 0
        peak = group.peak()
        if peak is None:
            pytest.skip("this kernel tells no peak of each program")
        assert size * 0.8 < peak < size * 1.2
        assert group.used() < 16 * MB


def test_a_higher_limit_after_a_lower_one(group: MemoryGroup, worker: Worker) -> None:
    group.add(worker.process.pid)
    ends = []
    for limit in (32, 256, 64, 512, 32):
        group.begin(limit * MB)
        ends.append(worker.run(TAKE.format(size=128 * MB)))
    assert ends == [-9, 0, -9, 0, -9]


def test_page_cache_of_earlier_programs_makes_no_difference(
    group: MemoryGroup, worker: Worker, tmp_path: Path
) -> None:
    """What they wrote stays charged to the group. The next program has what it was promised, and no more."""
    group.add(worker.process.pid)
    group.begin(64 * MB)
    assert worker.run(WRITE.format(size=48 * MB, folder=str(tmp_path))) == 0
    assert charged(group) > 40 * MB
    group.begin(64 * MB)
    assert worker.run(TAKE.format(size=48 * MB)) == 0
    peak = group.peak()
    assert peak is None or 40 * MB < peak < 56 * MB
    group.begin(64 * MB)
    assert worker.run(TAKE.format(size=80 * MB)) == -9


WRITE = """
with open({folder!r} + "/large", "wb") as file:
    for _ in range({size} >> 20):
        file.write(bytes(1 << 20))
    file.flush()
    os.fsync(file.fileno())
"""


def test_a_program_that_left_root_is_killed_before_its_worker(group: MemoryGroup, worker: Worker) -> None:
    """Its children are smaller than the worker, which the kernel would choose by size alone."""
    leave = "os.setresuid(65534, 65534, 65534)\n" if os.geteuid() == 0 else ""
    group.add(worker.process.pid)
    for _ in range(3):
        group.begin(64 * MB)
        worker.run(leave + MANY)
        assert group.killed() >= 1
        assert worker.run("") == 0


MANY = """
for _ in range(8):
    if not os.fork():
        os.execv("/bin/sh", ["sh", "-c", "x=xxxxxxxx; while :; do x=$x$x; done"])
for _ in range(8):
    os.wait()
"""


def test_what_is_used_stays_flat(group: MemoryGroup, worker: Worker) -> None:
    group.add(worker.process.pid)
    program = TAKE.format(size=MB // 2) + TAKE_SHARED.format(size=MB // 2) + TAKE_TMPFS.format(size=MB)
    held = []
    for _ in range(1000):
        group.begin(64 * MB)
        assert worker.run(program) == 0
        held.append(charged(group))
    assert max(held[500:]) < max(held[:500]) + 2 * MB
    assert max(held) < 16 * MB


def test_closing_ends_what_is_left_and_twice_is_once(parent: Path, worker: Worker) -> None:
    before, opened = groups(parent), descriptors()
    group = MemoryGroup.create(parent)
    group.add(worker.process.pid)
    assert group.members() == [worker.process.pid]
    group.close()
    group.close()
    assert worker.process.wait() == -9
    assert groups(parent) == before
    assert descriptors() == opened


def test_a_process_that_is_gone_cannot_be_added(group: MemoryGroup) -> None:
    child = subprocess.Popen(["true"])
    child.wait()
    with pytest.raises(ProcessLookupError):
        group.add(child.pid)


def test_no_group_where_there_is_no_cgroup(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="memory"):
        MemoryGroup.create(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_sweeping_removes_the_groups_of_the_dead_alone(parent: Path) -> None:
    before = groups(parent)
    host = subprocess.Popen(
        [sys.executable, "-c", HOST.format(path=sys.path, parent=str(parent))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert host.stdout
    member = int(host.stdout.readline())
    theirs = groups(parent, host.pid)
    assert len(theirs) == 2
    with MemoryGroup.create(parent) as ours:
        cgroups.sweep(parent)
        assert groups(parent, host.pid) == theirs
        host.kill()
        host.communicate()
        reused = parent / f"consort-{os.getpid()}-1-0"
        reused.mkdir()
        cgroups.sweep(parent)
        assert groups(parent, host.pid) == set()
        assert groups(parent) == before | {ours.path.name}
    assert not alive(member)


HOST = """
import subprocess, sys
sys.path[:] = {path}
from pathlib import Path
from tasks.sandbox.cgroups import MemoryGroup
with MemoryGroup.create(Path({parent!r})), MemoryGroup.create(Path({parent!r})) as group:
    child = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"], stdout=subprocess.DEVNULL)
    group.add(child.pid)
    print(child.pid, flush=True)
    sys.stdin.read()
"""

MOUNTS = """\
22 1 0:20 / /proc rw,nosuid shared:5 - proc proc rw
24 22 0:22 {root} {memory} rw,relatime shared:9 - cgroup cgroup rw,memory
25 22 0:23 / {other} rw,relatime - cgroup cgroup rw,cpu,cpuacct
26 22 0:24 {root} {unified} rw,relatime - cgroup2 cgroup2 rw,nsdelegate
"""


@pytest.mark.parametrize(
    ("root", "own", "below"),
    [("/", "/a/b", "a/b"), ("/a/b", "/a/b", "."), ("/a", "/a/b", "b"), ("/", "/", "."), ("/x", "/a", None)],
)
def test_where_groups_are_looked_for_under_v1(root: str, own: str, below: str | None) -> None:
    mounts = MOUNTS.format(root=root, memory="/m", other="/c", unified="/nowhere")
    memberships = f"4:memory:{own}\n3:cpu,cpuacct:/elsewhere\n0::/\n"
    found = list(cgroups.parents(memberships, mounts))
    assert found == ([] if below is None else [Path("/m", below)])


def test_nothing_outside_the_mount_is_looked_at() -> None:
    mounts = MOUNTS.format(root="/", memory="/m", other="/c", unified="/u")
    assert list(cgroups.parents("4:memory:/../a\n0::/../b\n", mounts)) == []
    assert list(cgroups.parents("", mounts)) == []


@pytest.mark.parametrize(
    ("own_delegates", "above_delegates", "found"),
    [(True, True, ["a/b", "a"]), (False, True, ["a"]), (False, False, []), (True, False, ["a/b"])],
)
def test_where_groups_are_looked_for_under_v2(
    own_delegates: bool, above_delegates: bool, found: list[str], tmp_path: Path
) -> None:
    """Files in a folder stand for the hierarchy: the paths are tried, not the kernel."""
    (tmp_path / "a/b").mkdir(parents=True)
    for path, delegates in (("a/b", own_delegates), ("a", above_delegates)):
        (tmp_path / path / "cgroup.controllers").write_text("cpu pids\n")
        (tmp_path / path / "cgroup.subtree_control").write_text("cpu memory\n" if delegates else "cpu\n")
    mounts = MOUNTS.format(root="/", memory="/m", other="/c", unified=str(tmp_path))
    assert list(cgroups.parents("0::/a/b\n", mounts)) == [tmp_path / path for path in found]


def test_a_v2_hierarchy_without_memory_is_no_place() -> None:
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    unified = [line for line in mounts if " - cgroup2 " in line]
    tops = [Path(line.split()[4]) for line in unified]
    if not tops or any("memory" in (top / "cgroup.controllers").read_text().split() for top in tops):
        pytest.skip("there is no v2 hierarchy without the memory controller here")
    assert list(cgroups.parents(Path("/proc/self/cgroup").read_text(), "\n".join(unified))) == []


def test_v2_for_real(group: MemoryGroup) -> None:
    if not (group.path / "memory.max").exists():
        pytest.skip("memory is not controlled by v2 here")
    group.begin(64 * MB)
    assert int((group.path / "memory.max").read_text()) >= 64 * MB
    assert not (group.path / "memory.swap.max").exists() or (group.path / "memory.swap.max").read_text() == "0\n"


def charged(group: MemoryGroup) -> int:
    names = ("memory.current", "memory.usage_in_bytes")
    return next(int((group.path / name).read_text()) for name in names if (group.path / name).exists())


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def groups(parent: Path, pid: int | None = None) -> set[str]:
    """The groups that a process has made, this one without a `pid`: others grade beside these tests."""
    return {path.name for path in parent.glob(f"consort-{pid or os.getpid()}-*")}

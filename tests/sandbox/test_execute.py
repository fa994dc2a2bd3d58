"""Gradings as a whole: many at once, cancelled, from threads, after accidents, in the long run."""

import asyncio
import gc
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from blocks.bubblewrap import bubblewrap_command, detect_isolation, python_runtime
from blocks.errors import UsageError
from blocks.limits import Limits
from blocks.sandbox import Sandbox
from tasks.grading import HarnessError, grade, prepare, run_samples
from tasks.records import Pair, Problem, Suite, Verdict
from tasks.sandbox import calls, cgroups, grader, programs
from tasks.sandbox.execute import Ended
from tasks.sandbox.uids import AT_ONCE, uids
from tests.processes import CHECKOUT, children, tree, until
from tests.sandbox import machine

ADD = Problem(
    id="add",
    statement="",
    entry_point="add",
    hidden=Suite(
        setup="def check(candidate):\n    for n in range(20):\n        assert candidate(n, b=1) == n + 1\n",
        assertions=("check(candidate)",),
    ),
    samples=Suite(assertions=("assert add(1, 2) == 3",)),
)
SUM = Problem(
    id="sum",
    statement="",
    hidden=Suite(pairs=tuple(Pair(input=f"{n} 1\n", output=f"{n + 1}\n") for n in range(3))),
    samples=Suite(pairs=(Pair(input="1 2", output="3"),)),
)
RIGHT = {"add": "def add(a, b): return a + b\n", "sum": "print(sum(map(int, input().split())))\n"}
SLOW = {"add": "import time\ndef add(a, b):\n    time.sleep(0.03)\n    return a + b\n"}
SLOW["sum"] = "import time\ntime.sleep(0.3)\n" + RIGHT["sum"]
HANG = {"add": "import time\ndef add(a, b): time.sleep(1e9)\n", "sum": "import time\ntime.sleep(1e9)\n"}
PROBLEMS = {"add": ADD, "sum": SUM}
LONG = {"cpu_seconds": 100.0, "wall_seconds": 300.0}

kinds = pytest.mark.parametrize("kind", PROBLEMS)


def host() -> int:
    """The grading host of this process, which is running."""
    pid = grader.process()
    assert pid is not None
    return pid


@kinds
async def test_sixteen_at_once_do_not_mix(kind: str, limits: Limits) -> None:
    right = RIGHT[kind]
    wrong = {"add": "def add(a, b): return a + b + 1\n", "sum": right.replace("sum(", "1 + sum(")}[kind]
    verdicts = await asyncio.gather(*(grade(PROBLEMS[kind], each, limits) for each in (right, wrong) * 16))
    assert [verdict.outcome for verdict in verdicts] == ["passed", "wrong_answer"] * 16
    for verdict in verdicts[::2]:
        assert [test.outcome for test in verdict.tests] == ["passed"] * PROBLEMS[kind].hidden.size


@kinds
async def test_cancelling_ends_the_tree_and_is_not_swallowed(kind: str, limits: Limits) -> None:
    patient = limits.model_copy(update=LONG)
    await grade(PROBLEMS[kind], RIGHT[kind], limits)
    gradings = [asyncio.create_task(grade(PROBLEMS[kind], HANG[kind], patient)) for _ in range(grader.at_once())]
    await asyncio.to_thread(until, lambda: len(machine.programs(host())) >= grader.at_once(), 20)
    for grading in gradings:
        grading.cancel()
    results = await asyncio.gather(*gradings, return_exceptions=True)
    assert all(isinstance(result, asyncio.CancelledError) for result in results)
    await asyncio.to_thread(until, lambda: not machine.programs(host()), 10)
    assert (await grade(PROBLEMS[kind], RIGHT[kind], limits)).passed


@kinds
async def test_one_that_waits_for_its_turn_can_be_cancelled(kind: str, limits: Limits) -> None:
    patient = limits.model_copy(update=LONG)
    first = [asyncio.create_task(grade(PROBLEMS[kind], HANG[kind], patient)) for _ in range(grader.at_once() * 2)]
    await asyncio.to_thread(until, lambda: len(_programs_if_any()) >= grader.at_once(), 20)
    for grading in reversed(first):
        grading.cancel()
    await asyncio.gather(*first, return_exceptions=True)
    assert (await grade(PROBLEMS[kind], RIGHT[kind], limits)).passed


def _programs_if_any() -> list[int]:
    pid = grader.process()
    return machine.programs(pid) if pid is not None else []


KILLED = """
import asyncio, sys
from blocks.limits import Limits
from tasks.grading import grade
from tasks.records import Problem
limits = Limits.model_validate_json({limits!r})

async def main():
    work = {work!r}
    await asyncio.gather(*(grade(Problem.model_validate_json(problem), program, limits) for problem, program in work))

asyncio.run(main())
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_outlives_a_consort_that_is_killed(how: signal.Signals, limits: Limits, tmp_path: Path) -> None:
    """Host, workers, judges and programs end by themselves; what a killed host leaves, the next one sweeps."""
    patient = limits.model_copy(update=LONG)
    work = [(problem.model_dump_json(), HANG[kind]) for kind, problem in PROBLEMS.items()]
    script = tmp_path / "run.py"
    script.write_text(KILLED.format(limits=patient.model_dump_json(), work=work))
    consort = subprocess.Popen(
        [sys.executable, str(script)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(CHECKOUT), *filter(None, sys.path)])},
    )

    def under_way() -> bool:
        hosts = children(consort.pid)
        return bool(hosts) and len(machine.programs(hosts[0])) >= 2 and bool(_judges(hosts[0]))

    until(under_way, 60)
    started = tree(consort.pid)[1:]
    folders = list(Path(tempfile.gettempdir()).glob(f"consort-{started[0]}-*"))
    consort.send_signal(how)
    consort.wait()
    until(lambda: all(machine.state(pid) in ("", "Z") for pid in started), 20)
    assert not [folder for folder in folders if folder.exists()]


def _judges(host: int) -> list[int]:
    return children(machine.judge_host(host))


@kinds
async def test_a_timeout_of_the_caller_ends_it(kind: str, limits: Limits) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await grade(PROBLEMS[kind], HANG[kind], limits.model_copy(update=LONG))


async def test_the_event_loop_goes_on_meanwhile(limits: Limits) -> None:
    grading = asyncio.create_task(grade(ADD, SLOW["add"], limits))
    turns = 0
    while not grading.done():
        turns += 1
        await asyncio.sleep(0)
    assert turns > 10 and grading.result().passed


@kinds
def test_event_loops_in_other_threads(kind: str, limits: Limits) -> None:
    found: list[str] = []

    def run() -> None:
        found.append(asyncio.run(grade(PROBLEMS[kind], RIGHT[kind], limits)).outcome)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == ["passed"] * 4


def test_a_fork_of_this_process_has_a_host_of_its_own(limits: Limits) -> None:
    assert asyncio.run(grade(ADD, RIGHT["add"], limits)).passed
    code = f"import sys; sys.path[:0] = {sys.path!r}"
    forking = f"""{code}
import asyncio, os
from blocks.limits import Limits
from tasks.grading import grade
from tasks.records import Problem
from tasks.sandbox import grader
problem = Problem.model_validate_json({ADD.model_dump_json()!r})
limits = Limits.model_validate_json({limits.model_dump_json()!r})
def passed(): return asyncio.run(grade(problem, {RIGHT["add"]!r}, limits)).passed
first = passed() and grader.process()
child = os.fork()
if child == 0:
    good = passed() and grader.process() != first
    grader.close()
    os._exit(not good)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert passed() and grader.process() == first
"""
    done = subprocess.run([sys.executable, "-c", forking], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


BROKEN_TESTS = {
    "tests that are no Python": Suite(setup="def check(candidate:", assertions=("check(candidate)",)),
    "tests that import what is missing": Suite(setup="import no_such_module", assertions=("check(candidate)",)),
    "tests that fail while they load": Suite(setup="1 / 0", assertions=("check(candidate)",)),
    "an assertion that is no Python": Suite(assertions=("assert add(",)),
    "an assertion that names nothing": Suite(assertions=("assert nonsense",)),
    "an argument that cannot be sent": Suite(assertions=("assert add((x for x in []).gi_frame, 2)",)),
}


@pytest.mark.parametrize("name", BROKEN_TESTS)
async def test_broken_tests_are_a_harness_error(name: str, limits: Limits) -> None:
    verdict = await grade(ADD.model_copy(update={"hidden": BROKEN_TESTS[name]}), RIGHT["add"], limits)
    assert verdict.outcome == "harness_error" and verdict.tests[0].detail
    with pytest.raises(HarnessError):
        await run_samples(ADD.model_copy(update={"samples": BROKEN_TESTS[name]}), RIGHT["add"], limits)


@contextmanager
def another_path(path: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A grading host that was started with another PATH."""
    grader.close()
    with monkeypatch.context() as patched:
        patched.setenv("PATH", path)
        yield
        grader.close()


@kinds
async def test_a_bubblewrap_that_refuses_is_a_harness_error(
    kind: str, bubblewrap: Limits, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "bwrap").write_text("#!/bin/sh\necho 'bwrap: refused' >&2\nexit 1\n")
    (tmp_path / "bwrap").chmod(0o755)
    with another_path(f"{tmp_path}:{os.environ['PATH']}", monkeypatch):
        verdict = await grade(PROBLEMS[kind], RIGHT[kind], bubblewrap)
        assert verdict.outcome == "harness_error" and "bwrap: refused" in verdict.tests[0].detail
        with pytest.raises(HarnessError, match="bwrap: refused"):
            await run_samples(PROBLEMS[kind], RIGHT[kind], bubblewrap)
        with pytest.raises(UsageError, match=r"bwrap: refused.*--isolation process"):
            await prepare(bubblewrap)
    assert (await grade(PROBLEMS[kind], RIGHT[kind], bubblewrap)).passed


async def test_prepare_scales_the_limits(limits: Limits) -> None:
    prepared = await prepare(limits)
    assert prepared.scale >= 1.0
    assert prepared.cpu_seconds == limits.cpu_seconds * prepared.scale
    assert prepared.wall_seconds == limits.wall_seconds * prepared.scale
    assert prepared.memory_mb == limits.memory_mb


@kinds
async def test_a_grading_host_that_is_killed(kind: str, limits: Limits) -> None:
    """The grading that was under way is done again by the next host, and nothing of the old one is left."""
    grading = asyncio.create_task(grade(PROBLEMS[kind], SLOW[kind], limits))
    await asyncio.to_thread(until, lambda: bool(_programs_if_any()), 20)
    killed, before = host(), tree(host())
    os.kill(killed, signal.SIGKILL)
    assert (await grading).passed
    assert host() != killed
    await asyncio.to_thread(until, lambda: all(machine.state(pid) in ("", "Z") for pid in before), 10)
    assert list(Path(tempfile.gettempdir()).glob(f"consort-{killed}-*")) == []
    parent = cgroups.find()
    assert parent is None or list(parent.glob(f"consort-{killed}-*")) == []


@kinds
async def test_a_grading_host_that_is_killed_again_and_again(kind: str, limits: Limits) -> None:
    """Twice is a harness error; the next grading works."""
    grading = asyncio.create_task(grade(PROBLEMS[kind], HANG[kind], limits.model_copy(update=LONG)))
    for _ in range(2):
        await asyncio.to_thread(until, lambda: bool(_programs_if_any()), 20)
        killed = host()
        os.kill(killed, signal.SIGKILL)
        await asyncio.to_thread(until, lambda pid=killed: machine.state(pid) in ("", "Z"), 10)  # type: ignore[misc]
    assert (await grading).outcome == "harness_error"
    assert (await grade(PROBLEMS[kind], RIGHT[kind], limits)).passed


@kinds
async def test_a_worker_that_is_killed_is_replaced(kind: str, limits: Limits) -> None:
    """Its program is run again in another, and idle workers that ended meanwhile are not given any."""
    grader.close()  # those of other tests are not to be among them
    grading = asyncio.create_task(grade(PROBLEMS[kind], SLOW[kind], limits))
    await asyncio.to_thread(until, lambda: bool(_programs_if_any()), 20)
    for worker in machine.workers(host()):
        os.kill(worker, signal.SIGKILL)
    assert (await grading).passed
    for worker in machine.workers(host()):
        os.kill(worker, signal.SIGKILL)
    verdicts = await asyncio.gather(*(grade(PROBLEMS[kind], RIGHT[kind], limits) for _ in range(8)))
    assert all(verdict.passed for verdict in verdicts)


async def test_a_judge_that_is_killed_ends_its_grading_alone(limits: Limits) -> None:
    """What killed it cannot be told; nobody waits for it, and the next program has another."""
    grading = asyncio.create_task(grade(ADD, HANG["add"], limits.model_copy(update=LONG)))
    await asyncio.to_thread(until, lambda: bool(_programs_if_any() and _judges(host())), 20)
    for judge in _judges(host()):
        os.kill(judge, signal.SIGKILL)
    assert (await grading).outcome in ("wrong_answer", "harness_error")
    assert (await grade(ADD, RIGHT["add"], limits)).passed


async def test_a_host_of_judges_that_is_killed_is_replaced(limits: Limits) -> None:
    assert (await grade(ADD, RIGHT["add"], limits)).passed
    killed = machine.judge_host(host())
    os.kill(killed, signal.SIGKILL)
    await asyncio.to_thread(until, lambda: machine.state(killed) in ("", "Z"), 10)
    try:
        assert (await grade(ADD, RIGHT["add"], limits)).passed
        assert (await grade(ADD, RIGHT["add"], limits)).passed
    finally:
        grader.close()


async def test_large_sources_and_values_cross(limits: Limits) -> None:
    test = "value = list(range(100_000))\nassert add(value, 1) == value\nassert add('x' * 10**7, 1) == 'x' * 10**7"
    problem = ADD.model_copy(update={"hidden": Suite(assertions=(test,))})
    assert (await grade(problem, f"# {'x' * 3_000_000}\ndef add(a, b): return a", limits)).passed
    large = "x" * 900_000
    problem = SUM.model_copy(update={"hidden": Suite(pairs=(Pair(input=large, output=large),))})
    assert (await grade(problem, f"# {'x' * 3_000_000}\nprint(input())", limits)).passed


async def test_many_tests_and_none(limits: Limits) -> None:
    many = ADD.model_copy(update={"hidden": Suite(assertions=("assert add(1, 2) == 3",) * 1000)})
    verdict = await grade(many, RIGHT["add"], limits)
    assert len(verdict.tests) == 1000 and verdict.passed
    for problem in PROBLEMS.values():
        verdict = await grade(problem.model_copy(update={"hidden": Suite()}), RIGHT[problem.id], limits)
        assert (verdict.outcome, verdict.tests) == ("passed", ())


async def test_limits_are_given_back(limits: Limits) -> None:
    verdict = await grade(ADD, RIGHT["add"], limits)
    assert verdict.limits == limits and verdict.isolation == limits.isolation
    own = SUM.model_copy(update={"time_limit": 2.0, "memory_limit_mb": 512})
    verdict = await grade(own, RIGHT["sum"], limits.model_copy(update={"scale": 1.5}))
    assert (verdict.limits.cpu_seconds, verdict.limits.wall_seconds, verdict.limits.memory_mb) == (3.0, 9.0, 512)
    fixed = limits.model_copy(update={"time_by_problem": False, "memory_by_problem": False})
    assert (await grade(own, RIGHT["sum"], fixed)).limits == fixed


async def test_a_problems_own_limits_are_in_force(limits: Limits) -> None:
    own = SUM.model_copy(update={"time_limit": 0.1})
    assert (await grade(own, "while True: pass", limits)).outcome == "time_limit"
    own = SUM.model_copy(update={"memory_limit_mb": 64})  # a busy machine may take longer than 0.1 s over it
    assert (await grade(own, "x = bytearray(100 << 20)\n" + RIGHT["sum"], limits)).outcome == "memory_limit"
    assert (await grade(SUM, "x = bytearray(100 << 20)\n" + RIGHT["sum"], limits)).passed


@pytest.mark.parametrize("limit", ["output_kb", "file_mb", "open_files", "processes"])
@kinds
async def test_each_limit_counts(kind: str, limit: str, limits: Limits) -> None:
    """What is just allowed with one value of a limit is not with a lower one."""
    if limit == "processes" and limits.isolation == "process" and os.geteuid() != 0:
        pytest.skip("not covered: the kernel counts an ordinary user's processes together")
    need = {
        "output_kb": "import os\nos.write(1, b' ' * 100_000)\n",
        "file_mb": "import os\nopen('x', 'wb').write(bytes(3 << 20))\n",
        "open_files": "kept = [open('/dev/null') for _ in range(100)]\n",
        "processes": "import threading as t\n"
        "for _ in range(40): t.Thread(target=t.Event().wait, args=(9,), daemon=True).start()\n",
    }[limit]
    low = {"output_kb": 64, "file_mb": 2, "open_files": 64, "processes": 8}[limit]
    high = {"output_kb": 128, "file_mb": 4, "open_files": 128, "processes": 60}[limit]
    program = need + RIGHT[kind]
    refused = await grade(PROBLEMS[kind], program, limits.model_copy(update={limit: low}))
    assert refused.outcome == ("output_limit" if limit == "output_kb" else "runtime_error")
    assert (await grade(PROBLEMS[kind], program, limits.model_copy(update={limit: high}))).passed


USUAL: dict[str, Any] = {
    "broken": "", "status": 0, "cut": "", "cpu": 0.5, "wall": 0.5, "peak": 1 << 20, "state": "R", "waited": 0.0,
    "error": b"", "output": b"",
}  # fmt: skip


class Near(NamedTuple):
    """How a program ended under limits of 1 s and 3 s, and whether that is looked at once more."""

    ended: dict[str, Any]
    whole: bool


NEAR = {
    "in time": Near({}, False),
    "a little more CPU time": Near({"cpu": 1.1}, True),
    "much more CPU time": Near({"cpu": 1.2, "cut": "cpu"}, False),
    "wall time, asleep": Near({"cut": "wall", "wall": 3.0, "waited": 0.1}, False),
    "wall time, waiting for a processor": Near({"cut": "wall", "wall": 3.0, "waited": 1.0}, True),
    "wall time, in a thread that outlives main": Near(
        {"cut": "wall", "wall": 3.0, "waited": 1.0, "state": "RM"}, False
    ),
    "memory": Near({"cut": "memory"}, False),
    "output": Near({"cut": "output"}, False),
}


@pytest.mark.parametrize("name", NEAR)
def test_what_is_near_a_time_limit_is_looked_at_once_more(name: str) -> None:
    ended = Ended(**{**USUAL, **NEAR[name].ended})
    assert programs.near(ended, {"cpu": 1.0}) == NEAR[name].whole
    if ended.cut and "M" not in ended.state:  # functions have no main part, and a limit is asked about alone
        assert calls._near(ended) == NEAR[name].whole


BURNING = "import time\nwhile time.process_time() < 0.6: pass\n"


@kinds
def test_four_busy_processes_beside_it_change_no_verdict(kind: str, limits: Limits) -> None:
    """The program needs 0.6 of its 1.0 s of CPU time; one that needs more than all of it does not pass."""
    hogs = [subprocess.Popen([sys.executable, "-S", "-c", "while True: pass"]) for _ in range(4)]

    short = PROBLEMS[kind].hidden.model_copy(update={"pairs": PROBLEMS[kind].hidden.pairs[:1]})
    problem = PROBLEMS[kind].model_copy(update={"hidden": short})

    async def verdicts() -> list[str]:
        sources = [BURNING + RIGHT[kind], BURNING.replace("0.6", "9.9")]
        return [each.outcome for each in await asyncio.gather(*(grade(problem, s, limits) for s in sources))]

    try:
        assert asyncio.run(verdicts()) == ["passed", "time_limit"]
    finally:
        for hog in hogs:
            hog.kill()
            hog.wait()


class Size(NamedTuple):
    """One process: KiB of memory that no other shares, and descriptors."""

    memory: int
    descriptors: int


async def _sizes() -> dict[str, Size]:
    """This process, the grading host, the host of judges, and the workers as one; once all has been put away."""
    gc.collect()
    held = list[int]()

    def settled() -> bool:
        held.append(_descriptors(host()))
        return len(held) > 3 and len(set(held[-3:])) == 1

    await asyncio.to_thread(until, settled, 10)
    groups = {"consort": [os.getpid()], "host": [host()], "judges": [machine.judge_host(host())]}
    groups["workers"] = list(machine.workers(host()).values())
    return {name: Size(sum(map(_memory, pids)), sum(map(_descriptors, pids))) for name, pids in groups.items()}


def _memory(pid: int) -> int:
    """Anonymous memory in KiB, which forked processes do not share for long."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("RssAnon:")[2].split()[0])


def _descriptors(pid: int) -> int:
    try:
        return len(list(Path(f"/proc/{pid}/fd").iterdir()))
    except PermissionError:  # a worker of an ordinary user's
        return 0


async def test_2000_gradings_leave_memory_descriptors_and_processes_flat(limits: Limits) -> None:
    at_once = asyncio.Semaphore(grader.at_once())

    async def one(number: int) -> Verdict:
        async with at_once:
            kind = ("add", "sum")[number % 10 == 0]
            return await grade(PROBLEMS[kind], RIGHT[kind], limits)

    async def many(count: int) -> None:
        for begin in range(0, count, 100):
            verdicts = await asyncio.gather(*map(one, range(begin, begin + 100)))
            assert all(verdict.passed for verdict in verdicts)

    grader.close()
    each = 500 if limits.isolation == detect_isolation() else 200
    await many(each)
    first, processes = await _sizes(), len(tree(host()))
    await many(3 * each)
    then = await _sizes()
    assert len(tree(host())) == processes
    for name, size in first.items():
        assert then[name].descriptors == size.descriptors, name
        assert then[name].memory <= size.memory + 2048, (name, first, then)


def test_isolation_falls_back_where_bubblewrap_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    detect_isolation.cache_clear()
    try:
        assert detect_isolation() == "process"
        assert Sandbox(isolation="auto").limits().isolation == "process"
    finally:
        monkeypatch.undo()
        detect_isolation.cache_clear()


def test_the_block_gives_limits() -> None:
    limits = Sandbox(isolation="process", cpu_seconds=2.0, memory_mb=512).limits()
    assert limits == Limits(isolation="process", cpu_seconds=2.0, wall_seconds=6.0, memory_mb=512)
    assert Sandbox(isolation="bubblewrap", wall_seconds=4).limits().wall_seconds == 4
    assert all(field.description for name, field in Sandbox.model_fields.items() if name in Limits.model_fields)


def test_bubblewrap_shows_nothing_but_the_runtime() -> None:
    if detect_isolation() != "bubblewrap":
        pytest.skip("bubblewrap is missing or refused here")
    command = bubblewrap_command(python_runtime())
    shown = [command[place + 1] for place, word in enumerate(command) if word.startswith(("--ro-bind", "--bind"))]
    system = ("/usr/lib", "/lib", "/etc/ld.so.cache", "/etc/alternatives")
    assert all(path.startswith(system) or path in python_runtime() for path in shown)
    assert "--bind" not in command and "--dev-bind" not in command


def test_uids_are_of_no_account() -> None:
    accounts = {int(line.split(":")[2]) for line in Path("/etc/passwd").read_text().splitlines()}
    assert len(uids()) == AT_ONCE and not accounts & set(uids()) and 0 not in uids()


def test_waiting_is_not_busy(limits: Limits) -> None:
    """Grading of what sleeps costs this process next to nothing."""
    began = time.process_time()
    asyncio.run(grade(SUM, "import time\ntime.sleep(0.3)\n" + RIGHT["sum"], limits))
    assert time.process_time() - began < 0.3

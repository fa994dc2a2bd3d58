"""Isolated processes and sessions: many at once, cancelled, from threads, and where things are missing."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from blocks.bubblewrap import bubblewrap_command, detect_isolation
from blocks.limits import Limits
from blocks.sandbox import Sandbox
from tasks.grading import HarnessError, grade, run_samples
from tasks.records import Problem
from tasks.sandbox.calls import Work, run_tests
from tasks.sandbox.execute import Isolated
from tasks.sandbox.processes import tree
from tasks.sandbox.uids import AT_ONCE, own_uid, uids

ADD = Problem(
    id="add",
    statement="",
    entry_point="add",
    test="def check(candidate):\n    for n in range(20):\n        assert candidate(n, b=1) == n + 1\n",
    samples=("assert add(1, 2) == 3",),
)
HANG = "import time\ndef add(a, b):\n    time.sleep(1e9)\n"


def until(condition: Callable[[], bool]) -> None:
    """Wait for what another process does, which offers nothing to wait on."""
    while not condition():
        os.sched_yield()


async def test_sixteen_at_once_do_not_mix(limits: Limits) -> None:
    programs = [f"def add(a, b): return a + b + {n % 2}" for n in range(32)]
    verdicts = await asyncio.gather(*(grade(ADD, program, limits) for program in programs))
    assert [verdict.outcome for verdict in verdicts] == ["passed", "wrong_answer"] * 16


async def test_cancelling_ends_the_tree_and_is_not_swallowed(limits: Limits) -> None:
    patient = limits.model_copy(update={"cpu_seconds": 100.0, "wall_seconds": 300.0})
    before = set(tree(os.getpid()))
    gradings = [asyncio.create_task(grade(ADD, HANG, patient)) for _ in range(4)]
    await asyncio.to_thread(until, lambda: len(tree(os.getpid())) >= len(before) + 4 * 2)
    for grading in gradings:
        grading.cancel()
    results = await asyncio.gather(*gradings, return_exceptions=True)
    assert all(isinstance(result, asyncio.CancelledError) for result in results)
    assert set(tree(os.getpid())) - before == set()


def test_nothing_outlives_a_killed_consort(limits: Limits, tmp_path: Path) -> None:
    """Its processes end by themselves; a temporary folder stays, which nobody is left to remove."""
    (tmp_path / "run.py").write_text(
        KILLED.format(limits=limits.model_dump_json(), hang=HANG, problem=ADD.model_dump_json())
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TMPDIR": str(tmp_path)}
    tmp_path.chmod(0o777)
    consort = subprocess.Popen([sys.executable, str(tmp_path / "run.py")], env=environment)
    until(lambda: len(tree(consort.pid)) >= 1 + 2 and "S" in state(tree(consort.pid)[-1]))
    started = tree(consort.pid)[1:]
    os.kill(consort.pid, signal.SIGKILL)
    consort.wait()
    until(lambda: all(state(pid) in ("", "Z") for pid in started))


KILLED = """
import asyncio
import contextlib
from blocks.limits import Limits
from tasks.grading import grade
from tasks.records import Problem
limits = Limits.model_validate_json({limits!r}).model_copy(update={{"cpu_seconds": 100.0, "wall_seconds": 300.0}})
asyncio.run(grade(Problem.model_validate_json({problem!r}), {hang!r}, limits))
"""


def state(pid: int) -> str:
    """The kernel's letter for what a process does; empty where it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


async def test_a_timeout_of_the_caller_ends_it(limits: Limits) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await grade(ADD, HANG, limits)


async def test_the_event_loop_goes_on_meanwhile(limits: Limits) -> None:
    grading = asyncio.create_task(grade(ADD, "def add(a, b): return a + b", limits))
    turns = 0
    while not grading.done():
        turns += 1
        await asyncio.sleep(0)
    assert turns > 10


def test_an_event_loop_in_another_thread(limits: Limits) -> None:
    found: list[str] = []

    def run() -> None:
        found.append(asyncio.run(grade(ADD, "def add(a, b): return a + b", limits)).outcome)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert found == ["passed"]


def test_an_isolated_process_is_measured_and_ended(limits: Limits) -> None:
    with Isolated("import time\nprint('here', flush=True)\ntime.sleep(1e9)", limits, ()) as isolated:
        assert os.read(isolated.output, 100) == b"here\n"
        usage = isolated.usage()
        assert usage.cpu_seconds and usage.memory_mb and usage.peak_mb
        assert isolated.status(0) is None


@pytest.mark.parametrize(
    ("code", "status"), [("import os; os._exit(3)", 3), ("import os; os.abort()", -6), ("pass", 0)]
)
def test_the_status_of_an_ended_process(code: str, status: int, limits: Limits) -> None:
    with Isolated(code, limits, ()) as isolated:
        assert isolated.status(10.0) == status


def test_uids_are_not_shared_and_go_round() -> None:
    with contextlib.ExitStack() as held:
        taken = [held.enter_context(own_uid()) for _ in range(AT_ONCE)]
        assert sorted(taken) == list(uids())
        with own_uid() as shared:
            assert shared in taken
    with own_uid() as one:
        pass
    with own_uid() as other:
        assert one != other


async def test_broken_tests_are_a_harness_error(limits: Limits) -> None:
    for test in ("def check(candidate:", "import no_such_module", "1 / 0", "def check(candidate): nonsense"):
        verdict = await grade(ADD.model_copy(update={"test": test}), "def add(a, b): return a + b", limits)
        assert verdict.outcome == "harness_error", test
        assert verdict.tests[0].detail
    unsendable = "def check(candidate):\n    candidate(lambda: 1, 2)\n"
    verdict = await grade(ADD.model_copy(update={"test": unsendable}), "def add(a, b): return 1", limits)
    assert verdict.outcome == "harness_error" and "function" in verdict.tests[0].detail


async def test_a_sandbox_that_does_not_start_is_a_harness_error(
    limits: Limits, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if limits.isolation == "process":
        pytest.skip("nothing to break from outside")
    (tmp_path / "bwrap").write_text("#!/bin/sh\necho 'bwrap: refused' >&2\nexit 1\n")
    (tmp_path / "bwrap").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    verdict = await grade(ADD, "def add(a, b): return a + b", limits)
    assert verdict.outcome == "harness_error" and "bwrap: refused" in verdict.tests[0].detail
    with pytest.raises(HarnessError, match="bwrap: refused"):
        await run_samples(ADD, "def add(a, b): return a + b", limits)


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


def test_bubblewrap_shows_nothing_but_the_runtime(bubblewrap: Limits) -> None:
    command = bubblewrap_command(bubblewrap)
    shown = [command[place + 1] for place, word in enumerate(command) if word == "--ro-bind"]
    assert all(
        path.startswith(("/usr/lib", "/lib")) or "python" in path or path == "/etc/ld.so.cache" for path in shown
    )


async def test_large_sources_and_values_cross(limits: Limits) -> None:
    program = f"# {'x' * 300_000}\ndef add(a, b): return a"
    test = "def check(candidate):\n    value = list(range(100_000))\n    assert candidate(value, 1) == value\n"
    assert (await grade(ADD.model_copy(update={"test": test}), program, limits)).outcome == "passed"


async def test_a_session_tells_each_test(limits: Limits) -> None:
    work = Work("def add(a, b): return a + b", "", "add", "", ("assert add(1, 1) == 2", "assert add(1, 1) == 3"))
    session = await run_tests(work, limits)
    assert [test.outcome for test in session.judged] == ["passed", "wrong_answer"]
    assert session.judged[1][1:] == ("assert add(1, 1) == 3", "add(1, 1)", "2", "3", "", 0)
    assert session.stopped is None and session.loaded

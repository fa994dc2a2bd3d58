"""Programs that want a verdict they did not earn, or want out: as functions and whole, on both isolation levels."""

import asyncio
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pytest

from blocks.limits import Limits
from tasks.grading import grade
from tasks.records import Pair, Problem, Suite, Verdict
from tasks.sandbox import grader
from tests.sandbox.hostile_programs import (
    ACTIONS,
    CORRECT_FUNCTIONS,
    CORRECT_WHOLE,
    COSTLY_TO_JUDGE,
    COSTLY_TO_LOAD,
    FORGED_LOADING,
    FORGERIES,
    FUNCTIONS,
    SHORT,
    WHOLE,
    Hostile,
)
from tests.sandbox.machine import LANDLOCK_SIGNALS, has_landlock, skip_unless, tight, unmet

Kind = Literal["function", "whole"]

TESTS = """
SECRET = "expected-value-of-the-tests"

def check(candidate):
    assert candidate(1) == helper(1), "one"
    assert candidate([3, 1, 2]) == [1, 2, 3]
"""
FUNCTION = Problem(
    id="function",
    statement="",
    entry_point="f",
    context="import math\n\ndef helper(x):\n    return x + 1\n",
    hidden=Suite(setup=TESTS, assertions=("check(candidate)",)),
)
PROGRAM = Problem(id="whole", statement="", hidden=Suite(pairs=(Pair(input="3\n1 2 3\n", output="6\n"),)))
# The action is done in the middle of a test, or before the answer is printed.
ACTING: dict[Kind, str] = {
    "function": "\ndef f(x):\n    if x == 1: act()\n    return x + 1 if x == 1 else sorted(x)\n",
    "whole": "\nact()\nprint(6)\n",
}


async def verdict(kind: Kind, program: str, limits: Limits, **own: Any) -> Verdict:
    problem = FUNCTION if kind == "function" else PROGRAM
    found = await grade(problem, program, limits.model_copy(update=own))
    assert found.isolation == limits.isolation
    assert len(found.tests) == 1 and found.outcome == found.tests[0].outcome
    assert len(found.tests[0].detail) <= (500 if kind == "function" else 1100)
    assert found.outcome != "harness_error", found.tests[0].detail
    return found


async def check(kind: Kind, hostile: Hostile, program: str, limits: Limits) -> None:
    skip_unless(hostile.needs, limits.isolation)
    found = await verdict(kind, program, limits, **hostile.limits)
    assert found.outcome in hostile.outcomes.split(), found.tests[0].detail


@pytest.mark.parametrize("kind", ACTING)
@pytest.mark.parametrize("name", ACTIONS)
async def test_actions(name: str, kind: Kind, limits: Limits) -> None:
    await check(kind, ACTIONS[name], ACTIONS[name].source + ACTING[kind], limits)


@pytest.mark.parametrize("name", FUNCTIONS)
async def test_functions(name: str, limits: Limits) -> None:
    await check("function", FUNCTIONS[name], FUNCTIONS[name].source, limits)


@pytest.mark.parametrize("name", WHOLE)
async def test_whole_programs(name: str, limits: Limits) -> None:
    await check("whole", WHOLE[name], WHOLE[name].source, limits)


@pytest.mark.parametrize("name", CORRECT_FUNCTIONS)
async def test_correct_functions(name: str, limits: Limits) -> None:
    found = await verdict("function", CORRECT_FUNCTIONS[name], limits)
    test = found.tests[0]
    assert (test.outcome, test.detail, test.comparison) == ("passed", "", "assertion")
    assert test.cpu_seconds and test.wall_seconds and test.peak_memory


@pytest.mark.parametrize("name", CORRECT_WHOLE)
async def test_correct_whole_programs(name: str, limits: Limits) -> None:
    waits = SHORT if name == "a thread that outlives main" else {}
    found = await verdict("whole", CORRECT_WHOLE[name], limits, **waits)
    test = found.tests[0]
    assert (test.outcome, test.detail, test.comparison) == ("passed", "", "tokens")
    assert test.cpu_seconds and test.wall_seconds and test.peak_memory


WRITING = """
import os
def write(numbers, junk):
    for number in numbers:
        try: os.write(number, junk * 5)
        except OSError: pass

"""


@pytest.mark.parametrize("when", ["at import", "in a call"])
@pytest.mark.parametrize("name", FORGERIES)
async def test_what_is_written_to_every_descriptor_passes_nothing(name: str, when: str, limits: Limits) -> None:
    write = f"write(range(300), b'{FORGERIES[name]}')\n"
    function = f"{write}def f(x): return 99\n" if when == "at import" else f"def f(x):\n    {write}    return 99\n"
    found = await verdict("function", WRITING + function, limits, **SHORT)
    assert found.outcome in ("wrong_answer", "runtime_error", "time_limit")


@pytest.mark.parametrize("name", FORGERIES)
async def test_what_is_written_to_every_other_descriptor_changes_no_output(name: str, limits: Limits) -> None:
    write = f"write([0, *range(2, 300)], b'{FORGERIES[name]}')\nprint(6)\n"
    assert (await verdict("whole", WRITING + write, limits)).passed


async def judged_of_one(source: str, assertion: str, limits: Limits) -> str:
    """The outcome of one assertion, with time for the program, and for the judge, which takes a second more."""
    problem = FUNCTION.model_copy(update={"hidden": Suite(assertions=(assertion,))})
    roomy = limits.model_copy(update={"cpu_seconds": 3.0, "wall_seconds": 60.0})
    return (await grade(problem, source, roomy)).outcome


async def test_what_is_costly_to_compare_is_wrong(limits: Limits) -> None:
    """The judge ends itself; where it runs has nothing to do with the isolation, so that two are enough for one."""
    costly = dict(list(COSTLY_TO_JUDGE.items())[: None if limits.isolation == "bubblewrap" else 2])
    found = await asyncio.gather(
        *(judged_of_one(source, f"assert {test}", limits) for source, test in costly.values())
    )
    assert dict(zip(costly, found, strict=True)) == dict.fromkeys(costly, "wrong_answer")


async def test_what_is_costly_to_load_is_wrong(process: Limits) -> None:
    """The judge may end before it has heard anything of the program: that is the program's doing, too."""
    sources = [FORGED_LOADING.format(frame) for frame in COSTLY_TO_LOAD.values()]
    found = await asyncio.gather(*(judged_of_one(source, "assert f(1) == 3", process) for source in sources))
    assert dict(zip(COSTLY_TO_LOAD, found, strict=True)) == dict.fromkeys(COSTLY_TO_LOAD, "wrong_answer")


async def test_tests_that_swallow_everything_are_not_fooled(limits: Limits) -> None:
    swallowing = "try:\n    assert candidate(1) == 2\nexcept BaseException:\n    pass\n"
    problem = FUNCTION.model_copy(update={"hidden": Suite(assertions=(swallowing,))})
    assert (await grade(problem, "def f(x): return object()", limits)).outcome == "wrong_answer"
    assert (await grade(problem, "import os\ndef f(x): os._exit(0)", limits)).outcome == "runtime_error"
    assert (await grade(problem, "def f(x): return 2", limits)).outcome == "passed"


async def test_what_compared_is_recorded(limits: Limits) -> None:
    """The dataset's own assertion takes True for 1 and 1.0 for 1; tokens of an output are numbers or text."""
    problem = FUNCTION.model_copy(update={"hidden": Suite(assertions=("assert f(1) == 1",) * 2)})
    for value in ("True", "1.0", "1 + 0j"):
        tests = (await grade(problem, f"def f(x): return {value}", limits)).tests
        assert [(test.outcome, test.comparison) for test in tests] == [("passed", "assertion")] * 2
    for printed, outcome in {"6.0": "passed", "6": "passed", "True": "wrong_answer"}.items():
        (test,) = (await verdict("whole", f"print('{printed}')", limits)).tests
        assert (test.outcome, test.comparison) == (outcome, "tokens")
    (test,) = (await verdict("whole", "raise ValueError", limits)).tests
    assert test.comparison == ""


async def test_arguments_are_copies(limits: Limits) -> None:
    """A test that uses its argument again finds it as it was."""
    suite = Suite(assertions=("x = [3, 1]\nassert f(x) == sorted(x)\nassert x == [3, 1]",))
    problem = FUNCTION.model_copy(update={"hidden": suite})
    assert (await grade(problem, "def f(x):\n    x.clear()\n    return x", limits)).outcome == "wrong_answer"
    assert (await grade(problem, "def f(x):\n    x.sort()\n    return x", limits)).outcome == "passed"


LONG = "7" * 300_000


@pytest.mark.parametrize("kind", ACTING)
async def test_300_kb_of_output_are_no_fault(kind: Kind, limits: Limits) -> None:
    printing = f"print('7' * {len(LONG)})\n"
    if kind == "function":
        assert (await verdict(kind, printing + CORRECT_FUNCTIONS["plain"], limits)).passed
        return
    problem = PROGRAM.model_copy(update={"hidden": Suite(pairs=(Pair(input="", output=LONG),))})
    assert (await grade(problem, printing, limits)).passed


@pytest.mark.parametrize("read", ["0", "len(open(0).read(5))", "len(open(0).read())"])
async def test_10_mb_of_stdin_need_not_be_read(read: str, limits: Limits) -> None:
    given = "x" * 10_000_000
    problem = PROGRAM.model_copy(update={"hidden": Suite(pairs=(Pair(input=given, output="6"),) * 3)})
    found = await grade(problem, f"print({read} * 0 + 6)", limits)
    assert [test.outcome for test in found.tests] == ["passed"] * 3


async def test_a_daemon_that_holds_stdout_delays_nothing(limits: Limits) -> None:
    """The wall limit would make it a time limit."""
    program = ACTIONS["a daemon that holds stdout"].source + ACTING["whole"]
    found = await verdict("whole", program, limits, cpu_seconds=20.0, wall_seconds=60.0)
    assert found.passed and (found.tests[0].wall_seconds or 60) < 60


class Told(NamedTuple):
    """What a program found out: the text of its value, or that it raised."""

    outcome: str
    text: str


async def tell(expression: str, limits: Limits, setup: str = "") -> Told:
    """What the program sees: its value's text, from the detail of a test that fails on purpose."""
    suite = Suite(assertions=("assert candidate(1) == ('nothing',)",))
    program = f"import os, sys\n{setup}\ndef f(x):\n    return repr({expression})\n"
    found = await grade(FUNCTION.model_copy(update={"hidden": suite}), program, limits)
    return Told(found.outcome, found.tests[0].detail)


async def test_no_descriptor_is_inherited(limits: Limits, tmp_path: Path) -> None:
    secret = os.open(tmp_path / "secret.txt", os.O_CREAT | os.O_RDWR)
    os.set_inheritable(secret, True)
    grader.close()  # the next host is started with this descriptor open
    told = await tell("sorted(os.readlink(e.path).split(':')[0] for e in os.scandir('/proc/self/fd'))", limits)
    os.close(secret)
    # Its three streams, two pipes to the judge, and the folder that is read.
    assert told.outcome == "wrong_answer" and told.text.count("'pipe'") == 5, told
    assert "secret" not in told.text and "socket" not in told.text and "memfd" not in told.text


@contextmanager
def listening(folder: Path) -> Iterator[tuple[dict[str, Any], threading.Event]]:
    """Listeners of every kind on this machine, and whether anybody came."""
    folder.chmod(0o777)
    listeners: dict[str, tuple[int, Any]] = {
        "AF_INET": (socket.AF_INET, ("127.0.0.1", 0)),
        "AF_INET6": (socket.AF_INET6, ("::1", 0)),
        "AF_UNIX": (socket.AF_UNIX, f"\0consort-{os.getpid()}"),
        "path": (socket.AF_UNIX, str(folder / "socket")),
    }
    arrived, opened, addresses, threads = threading.Event(), list[socket.socket](), dict[str, Any](), []

    def accept(listener: socket.socket) -> None:
        try:
            listener.accept()[0].close()
            arrived.set()
        except OSError:
            return

    for name, (family, address) in listeners.items():
        listener = socket.socket(family)
        try:
            listener.bind(address)
        except OSError:  # a machine without IPv6
            listener.close()
            continue
        listener.listen()
        opened.append(listener)
        addresses[name] = listener.getsockname()
        threads.append(threading.Thread(target=accept, args=(listener,)))
        threads[-1].start()
    try:
        yield addresses, arrived
    finally:
        for listener in opened:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        for thread in threads:
            thread.join()


@pytest.mark.parametrize("family", ["AF_INET", "AF_INET6", "AF_UNIX", "path"])
async def test_services_of_the_host_are_not_reached(family: str, limits: Limits, tmp_path: Path) -> None:
    if limits.isolation == "process":
        if family == "AF_UNIX" and not has_landlock(LANDLOCK_SIGNALS):
            pytest.skip("not covered: process isolation without Landlock reaches abstract sockets")
        if family == "path" and os.geteuid() != 0:
            pytest.skip("not covered: an ordinary user's program reaches that user's sockets by their paths")
    with listening(tmp_path) as (addresses, arrived):
        if family not in addresses:
            pytest.skip(f"this machine has no {family}")
        kind = "AF_UNIX" if family == "path" else family
        connect = f"[s.settimeout(1) or s.connect({addresses[family]!r}) for s in [socket.socket(socket.{kind})]]"
        told = await tell(connect, limits, "import socket")
    assert told.outcome == "runtime_error" and "Error" in told.text, told
    assert not arrived.is_set()


async def test_the_host_is_not_there(bubblewrap: Limits) -> None:
    assert f"'{os.getpid()}'" not in (await tell("[e for e in os.listdir('/proc') if e.isdigit()]", bubblewrap)).text
    for path in (Path(__file__), Path("/etc/passwd"), Path("/etc/hostname"), Path("/sys/kernel"), Path("/boot")):
        assert "FileNotFoundError" in (await tell(f"os.stat({str(path)!r})", bubblewrap)).text
    assert "'sandbox'" in (await tell("os.uname().nodename", bubblewrap)).text


async def test_the_hosts_files_are_out_of_reach(limits: Limits) -> None:
    skip_unless("files", limits.isolation)
    for path in (Path(__file__), Path("/etc/passwd"), Path("/proc/1/environ"), Path(f"/proc/{os.getpid()}/mem")):
        told = await tell(f"open({str(path)!r}, 'rb').read(9)", limits)
        assert told.outcome == "runtime_error" or told.text.endswith("returned \"b''\", expected ('nothing',)"), told


async def test_tmp_is_private_bounded_and_empty_for_each(bubblewrap: Limits) -> None:
    limited = bubblewrap.model_copy(update={"tmp_mb": 1, "file_mb": 64})
    assert "No space left" in (await tell("open('/tmp/x', 'wb').write(bytes(2 << 20))", limited)).text
    for _ in range(2):
        assert "returned '[]'" in (await tell("os.listdir('/tmp') or open('/tmp/x', 'w') and []", limited)).text
    assert "returned '[]'" in (await tell("os.listdir('/dev/shm')", limited)).text


async def test_a_folder_is_empty_for_each(limits: Limits) -> None:
    for _ in range(2):
        assert "returned '[]'" in (await tell("os.listdir('.') or open('x', 'w') and []", limits)).text


async def test_the_program_is_not_root(limits: Limits) -> None:
    if os.geteuid() == 0:
        told = await tell("{*os.getresuid(), *os.getresgid(), *os.getgroups()}", limits)
        assert told.outcome == "wrong_answer" and "{0" not in told.text and " 0" not in told.text
    told = await tell("[line for line in open('/proc/self/status') if line.startswith('Cap')]", limits)
    assert told.text.count("0" * 16) >= 4 and "CapEff:\\\\t" + "0" * 16 in told.text


async def test_two_programs_at_once_have_different_uids(limits: Limits) -> None:
    if os.geteuid() != 0:
        pytest.skip("an ordinary user's programs all run as that user")
    told = await asyncio.gather(*(tell("__import__('time').sleep(0.3) or os.getuid()", limits) for _ in range(2)))
    assert told[0].text != told[1].text


KEY = "sk-consort-in-the-environment"
EXPECTED = "the-expected-output"
SEARCH = """
import os, re
patterns = [re.compile(text) for text in (b"sk-conso[r]t-in", b"the-expecte[d]-output", b"expected-valu[e]-of")]
decoy = re.compile(b"a-deco[y]-that-is-there")
kept = "-".join(["a", "decoy", "that", "is", "there"])

def contents():
    with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb", 0) as memory:
        for line in maps.read().splitlines():
            first, last = (int(end, 16) for end in line.split()[0].split("-"))
            if line.split()[1][0] != "r" or "[v" in line: continue
            for place in range(first, last, 1 << 24):
                try:
                    memory.seek(place)
                    yield memory.read(min(1 << 24, last - place))
                except OSError: continue
    for process in os.listdir("/proc"):
        for name in ("environ", "cmdline", "mem", "maps", "stat", "comm") if process.isdigit() else ():
            if int(process) == os.getpid() and name == "mem": continue
            try:
                with open(f"/proc/{process}/{name}", "rb") as file: yield file.read(1 << 20)
            except OSError: continue
    for number in range(300):
        try: yield os.readlink(f"/proc/self/fd/{number}").encode()
        except OSError: continue
    for folder in (".", "/tmp", "/dev/shm", "/var/tmp", "/run"):
        for path, folders, names in os.walk(folder):
            for name in names:
                try: opened = os.open(f"{path}/{name}", os.O_RDONLY | os.O_NONBLOCK)
                except OSError: continue
                with open(opened, "rb") as file: yield file.read(1 << 20)
    yield repr(dict(os.environ)).encode()

def search():
    found, control = set(), 0
    for data in contents():
        control += len(decoy.findall(data))
        found.update(pattern.pattern.decode() for pattern in patterns if pattern.search(data))
    return f"searched {control > 0}, found {sorted(found)}"
"""


@pytest.mark.parametrize("kind", ACTING)
async def test_secrets_are_nowhere_in_sight(kind: Kind, limits: Limits, monkeypatch: pytest.MonkeyPatch) -> None:
    """An API key of this process and one of the grading host, and what tests expect: also not in its own memory."""
    skip_unless("files", limits.isolation)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("HOME", f"/nowhere/{KEY}")  # of which the grading host gets a copy
    grader.close()
    patient = limits.model_copy(update={"cpu_seconds": 5.0, "wall_seconds": 15.0})
    if kind == "function":
        suite = Suite(setup=TESTS, assertions=(f"assert candidate(1) == '{EXPECTED}'",))
        problem = FUNCTION.model_copy(update={"hidden": suite})
        found = await grade(problem, f"{SEARCH}\ndef f(x): return search()\n", patient)
    else:
        problem = PROGRAM.model_copy(update={"hidden": Suite(pairs=(Pair(input="", output=EXPECTED),))})
        found = await grade(problem, f"{SEARCH}\nprint(search())\n", patient)
    grader.close()
    assert found.outcome == "wrong_answer"
    assert "searched True, found []" in found.tests[0].detail


async def test_a_program_finds_nothing_of_the_one_before(limits: Limits) -> None:
    """Its worker is the same, and has read neither source nor input."""
    problem = PROGRAM.model_copy(update={"hidden": Suite(pairs=(Pair(input=EXPECTED, output=EXPECTED),))})
    patient = limits.model_copy(update={"cpu_seconds": 5.0, "wall_seconds": 15.0})
    assert (await grade(problem, f"print(input())\nsecret = '{KEY}'", patient)).passed
    problem = PROGRAM.model_copy(update={"hidden": Suite(pairs=(Pair(input="", output="nothing"),))})
    found = await grade(problem, f"{SEARCH}\nprint(search())\n", patient)
    assert "searched True, found []" in found.tests[0].detail


def _round(number: int) -> Iterator[tuple[Kind, str, Hostile, str]]:
    """Every hostile program once: its kind, name, what is right of it, source. Actions change kinds by turns."""
    kinds: tuple[Kind, Kind] = ("function", "whole")
    for place, (name, hostile) in enumerate(ACTIONS.items()):
        kind = kinds[(place + number) % 2]
        yield kind, name, hostile, hostile.source + ACTING[kind]
    for name, hostile in FUNCTIONS.items():
        yield "function", name, hostile, hostile.source
    for name, hostile in WHOLE.items():
        yield "whole", name, hostile, hostile.source


async def test_all_of_them_twice_and_four_at_a_time_beside_correct_programs(limits: Limits) -> None:
    """Every fifth is a correct program, which passes all the same."""
    at_once, wrong = asyncio.Semaphore(4), list[str]()
    correct: list[tuple[Kind, str, str]] = [
        *(("function", name, source) for name, source in CORRECT_FUNCTIONS.items()),
        *(("whole", name, source) for name, source in CORRECT_WHOLE.items() if name != "a thread that outlives main"),
    ]
    patient = {"cpu_seconds": 5.0, "wall_seconds": 30.0}

    async def one(kind: Kind, name: str, source: str, outcomes: str, own: dict[str, Any]) -> None:
        async with at_once:
            problem = FUNCTION if kind == "function" else PROGRAM
            found = await grade(problem, source, limits.model_copy(update=own))
            if found.outcome not in outcomes.split():
                wrong.append(f"{kind} {name}: {found.outcome}, not {outcomes}: {found.tests[0].detail[-200:]}")

    work = []
    for number in range(2):
        for place, (kind, name, hostile, source) in enumerate(_round(number)):
            if not unmet(hostile.needs, limits.isolation):
                work.append(one(kind, name, source, hostile.outcomes, hostile.limits))
            if place % 5 == 0:
                work.append(one(*correct[(place // 5 + number * 50) % len(correct)], "passed", dict(patient)))
    await asyncio.gather(*work)
    assert wrong == []


def test_there_are_enough_of_them() -> None:
    assert len(ACTIONS) + len(FUNCTIONS) + len(WHOLE) + len(FORGERIES) > 250
    assert tight("process").isolation == "process"

"""Programs that want a verdict they did not earn, or want out. Each on both isolation levels."""

import os
import socket
import threading
from pathlib import Path

import pytest

from blocks.limits import Limits
from tasks.grading import grade
from tasks.records import Problem, Verdict

SUITE = """
SECRET = "expected-value-of-the-tests"

def check(candidate):
    assert candidate(1) == helper(1), "one"
    assert candidate([3, 1, 2]) == [1, 2, 3]
    assert candidate("secret") != SECRET
"""
RIGHT = """
def f(x):
    if isinstance(x, int):
        return helper(x)
    return sorted(x) if isinstance(x, list) else x
"""


def problem(test: str = SUITE) -> Problem:
    context = "import math\n\ndef helper(x):\n    return x + 1\n"
    return Problem(id="hostile", statement="", entry_point="f", context=context, test=test)


async def outcome(program: str, limits: Limits, test: str = SUITE) -> str:
    verdict = await grade(problem(test), program, limits)
    assert verdict.isolation == limits.isolation
    assert verdict.outcome == verdict.tests[0].outcome
    assert len(verdict.tests[0].detail) <= 500
    return verdict.outcome


WRONG = {
    "an object equal to everything": """
class Yes:
    def __eq__(self, other): return True
    def __ne__(self, other): return True
    def __hash__(self): return 1
def f(x): return Yes()
""",
    "a class equal to everything": """
class Meta(type):
    def __eq__(self, other): return True
class Yes(metaclass=Meta): pass
def f(x): return Yes
""",
    "an int with its own __eq__": """
class Int(int):
    def __eq__(self, other): return True
    def __hash__(self): return 1
def f(x): return Int(7)
""",
    "a list with its own __eq__ in a list": """
class List(list):
    def __eq__(self, other): return True
def f(x): return helper(x) if x == 1 else [List([1]), 2]
""",
    "an object that pretends to be an int": """
class Pretender:
    __class__ = int
    def __eq__(self, other): return True
    def __int__(self): return 2
def f(x): return Pretender()
""",
    "expected values from stack frames": """
import sys, gc
def f(x):
    frame = sys._getframe()
    while frame:
        for names in (frame.f_locals, frame.f_globals):
            if "expected-value-of-the-tests" in map(str, names.values()): return helper(1)
        frame = frame.f_back
    if [o for o in gc.get_objects() if isinstance(o, dict) and "SECRET" in o]: return helper(1)
    return 0
""",
    "the helper redefined": "def helper(x): return 5\ndef f(x): return 5\n",
    "the argument cleared and returned": """
def f(x):
    if x == 1: return 2
    x.clear()
    return x
""",
    "prints that all passed": 'def f(x):\n    print("passed")\n    return "passed"\n',
    "a generator": "def f(x):\n    yield 2\n",
    "a value that hangs a conversion": 'from decimal import Decimal\ndef f(x): return Decimal("1e99999999")\n',
    "None": "def f(x): pass\n",
    "a cyclic list": "def f(x):\n    x = []\n    x.append(x)\n    return x\n",
}


@pytest.mark.parametrize("name", WRONG)
async def test_wrong_answer(name: str, limits: Limits) -> None:
    assert await outcome(WRONG[name], limits) == "wrong_answer"


ERRORS = {
    "ends in the middle of a test": "import os\ndef f(x): os._exit(0)\n",
    "ends at import": "import sys\nsys.exit(0)\n",
    "ends hard at import": "import os\nos._exit(0)\n",
    "ends by SystemExit in a call": "def f(x): raise SystemExit\n",
    "crashes": "import ctypes\ndef f(x): ctypes.string_at(0)\n",
    "recurses without end": "def f(x): return f(x)\n",
    "raises": "def f(x): return {}[x]\n",
    "raises what cannot be told": """
class Mute(Exception):
    def __str__(self): raise Mute
def f(x): raise Mute
""",
    "raises an AssertionError": "def f(x): assert False\n",
    "no entry point": "def g(x): return x\n",
    "an entry point that cannot be called": "f = 5\n",
    "imports what is not there": "import no_such_module\n" + RIGHT,
    "a status that is no signal": "import os\ndef f(x): os._exit(200)\n",
    "a real-time signal": "import os\ndef f(x): os.kill(os.getpid(), 40)\n",
    "a group of exceptions": "def f(x): raise ExceptionGroup('two', [ValueError(), KeyError()])\n",
    "an exception that decodes": "def f(x): b'\\xff'.decode()\n",
    "leaves a daemon and ends": """
import os, time
def f(x):
    if os.fork() == 0:
        os.setsid()
        time.sleep(1e6)
    os._exit(0)
""",
    "closes every descriptor": "import os\ndef f(x):\n    os.closerange(0, 1000)\n    return 2\n",
    "kills its group": "import os\ndef f(x): os.killpg(0, 9)\n",
    "kills its parent": "import os\nif os.getppid() != 1:\n    os.kill(os.getppid(), 9)\nraise ValueError\n",
    "opens without end": "def f(x): return [open('/dev/null') for _ in range(100000)] and 2\n",
    "writes a huge file": "def f(x): open('big', 'wb').write(bytes(2 << 20)) and [][1]\n",
    "writes beside itself": "open('/usr/lib/consort-was-here', 'w')\n" + RIGHT,
}


@pytest.mark.parametrize("name", ERRORS)
async def test_runtime_error(name: str, limits: Limits) -> None:
    if name == "kills its parent" and limits.isolation == "process" and os.geteuid() != 0:
        pytest.skip("not covered: an ordinary user's program may signal that user's processes")
    limited = limits.model_copy(update={"file_mb": 1})
    assert await outcome(ERRORS[name], limited) == "runtime_error"


LATE = {
    "a loop": "def f(x):\n    while True: pass\n",
    "a loop at import": "while True: pass\n",
    "a loop in C": "def f(x): return 9**9**9\n",
    "stops itself": "import os, signal\ndef f(x): os.kill(os.getpid(), signal.SIGSTOP)\n",
    "sleeps": "import time\ndef f(x): time.sleep(1e9)\n",
    "ignores every signal": """
import signal
for number in range(1, 65):
    try: signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError): pass
def f(x):
    while True: pass
""",
    "a fork bomb": """
import os
def f(x):
    while True:
        try: os.fork()
        except OSError: pass
""",
    "reads the judge's calls itself": """
import os
def f(x):
    for number in range(3, 100):
        try: os.read(number, 100)
        except OSError: pass
""",
    "a message without end": """
class Endless(Exception):
    def __str__(self):
        while True: pass
def f(x): raise Endless
""",
}


@pytest.mark.parametrize("name", LATE)
async def test_time_limit(name: str, limits: Limits) -> None:
    limited = limits.model_copy(update={"cpu_seconds": 0.3, "wall_seconds": 0.9})
    assert await outcome(LATE[name], limited) == "time_limit"


GREEDY = {
    "10 GB at once": "def f(x): return len(bytearray(10**10))\n",
    "10 GB bit by bit": "def f(x):\n    kept = []\n    while True: kept.append(bytearray(10**6))\n",
    "a huge result": "def f(x): return [0] * 10**8\n",
    "over children": """
import os, time
def f(x):
    kept = []
    for _ in range(8):
        if os.fork() == 0:
            kept = b"x" * (100 << 20)
            time.sleep(60)
    time.sleep(60)
""",
}


@pytest.mark.parametrize("name", GREEDY)
async def test_memory_limit(name: str, limits: Limits) -> None:
    assert await outcome(GREEDY[name], limits) == "memory_limit"


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
async def test_output_limit(stream: str, limits: Limits) -> None:
    program = f"import sys\ndef f(x):\n    while True: print('x' * 1000, file=sys.{stream})\n"
    assert await outcome(program, limits) == "output_limit"


async def test_a_syntax_error_is_a_compile_error(limits: Limits) -> None:
    for program in ("def f(:", "return 1", "def f(x):\n\tif x:\n        pass\n", "x = '\0'", "(" * 5000):
        assert await outcome(program, limits) == "compile_error"


FORGERS = {
    "junk at import": "passed",
    "a protocol frame": "\\0\\0\\0\\1L",
    "a value": "\\0\\0\\0\\6Vi\\2\\0\\0\\0",
    "code": "\\0\\0\\0\\2Vc",
    "a size without end": "\\xff\\xff\\xff\\xff",
}


@pytest.mark.parametrize("name", FORGERS)
async def test_junk_on_every_descriptor_does_not_pass(name: str, limits: Limits) -> None:
    program = f"""
import os
for number in range(200):
    try: os.write(number, b"{FORGERS[name]}" * 5)
    except OSError: pass
""" + RIGHT.replace("helper(x)", "99")
    assert await outcome(program, limits) not in ("passed", "harness_error")


RIGHT_PROGRAMS = {
    "plain": RIGHT,
    "300 KB of output": RIGHT + "\nprint('x' * 300_000)\n",
    "a main block that must not run": RIGHT + '\nif __name__ == "__main__":\n    raise SystemExit(3)\n',
    "patches what others use": """
import builtins, marshal, os, sys
def f(x):
    return x + 1 if x == 1 else sorted_(x) if x != "secret" else x
sorted_ = sorted
for name in ("len", "isinstance", "type", "set", "range", "ValueError", "BaseException", "AssertionError", "repr"):
    setattr(builtins, name, None)
marshal.dumps = marshal.loads = os.read = os.write = None
""",
    "mutates its argument": "def f(x):\n    if x == 1: return 2\n    y = sorted(x)\n    x[:] = []\n    return y\n",
    "a daemon that holds stdout": """
import os, time
def f(x):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(1e6)
        os._exit(0)
    return helper(x) if x == 1 else sorted(x)
""",
    "a thread that outlives it": RIGHT
    + "\nimport threading, time\nthreading.Thread(target=time.sleep, args=(1e6,)).start()\n",
    "a dataclass": "from dataclasses import dataclass\n@dataclass\nclass A:\n    x: 'int' = 0\n" + RIGHT,
    "a pool": """
from multiprocessing import Pool
def square(x): return x * x
def f(x):
    with Pool(2) as pool:
        assert pool.map(square, [1, 2]) == [1, 4]
    return helper(x) if x == 1 else sorted(x)
""",
    "temporary files": "import tempfile\nwith tempfile.TemporaryFile() as file: file.write(b'x' * 1000)\n" + RIGHT,
    "reads an empty stdin": "import sys\nassert sys.stdin.read() == ''\n" + RIGHT,
    "a lambda": "f = lambda x: x + 1 if x == 1 else sorted(x)\n",
    "a callable object": "class F:\n    def __call__(self, x): return x + 1 if x == 1 else sorted(x)\nf = F()\n",
    "uses the context": "def f(x): return math.floor(1.5) + 1 if x == 1 else sorted(x)\n",
    "a future import": "from __future__ import annotations\ndef f(x: Undefined): return 2 if x == 1 else sorted(x)\n",
}


@pytest.mark.parametrize("name", RIGHT_PROGRAMS)
async def test_passed(name: str, limits: Limits) -> None:
    verdict = await grade(
        problem(SUITE.replace('candidate("secret") != SECRET', "True")), RIGHT_PROGRAMS[name], limits
    )
    assert (verdict.outcome, verdict.tests[0].detail) == ("passed", "")
    assert verdict.tests[0].cpu_seconds and verdict.tests[0].wall_seconds and verdict.tests[0].peak_memory


async def test_values_that_kill_the_judge_are_a_wrong_answer(limits: Limits) -> None:
    suite = "def check(candidate):\n    assert int(candidate(1)) == 5\n"
    program = 'from decimal import Decimal\ndef f(x): return Decimal("1e99999999")\n'
    assert await outcome(program, limits.model_copy(update={"cpu_seconds": 0.5}), suite) == "wrong_answer"
    suite = "def check(candidate):\n    assert len(candidate(1) * 10**9) == 5\n"
    assert await outcome("def f(x): return [1, 2]", limits, suite) == "wrong_answer"


async def test_a_suite_that_swallows_everything_is_not_fooled(limits: Limits) -> None:
    suite = (
        "def check(candidate):\n    try:\n        assert candidate(1) == 2\n    except BaseException:\n        pass\n"
    )
    assert await outcome("def f(x): return object()", limits, suite) == "wrong_answer"
    assert await outcome("import os\ndef f(x): os._exit(0)", limits, suite) == "runtime_error"


async def test_an_exception_comes_back_by_its_built_in_type(limits: Limits) -> None:
    suite = """
def check(candidate):
    try:
        candidate(1)
    except ValueError as error:
        assert str(error) == "no"
    else:
        assert False
"""
    assert await outcome("def f(x): raise ValueError('no')", limits, suite) == "passed"
    assert (
        await outcome("class ValueError(Exception): pass\ndef f(x): raise KeyError('no')", limits, suite) != "passed"
    )


async def tell(expression: str, limits: Limits) -> str:
    """What the program sees: its value's repr, from the detail of a test that fails on purpose."""
    suite = "def check(candidate):\n    assert candidate(1) == ('nothing',)\n"
    program = f"import os, sys\ndef f(x):\n    return repr({expression})\n"
    verdict: Verdict = await grade(problem(suite), program, limits)
    assert verdict.outcome in ("wrong_answer", "runtime_error")
    return verdict.tests[0].detail


async def test_the_key_in_the_environment_is_absent(limits: Limits, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-in-the-environment")
    told = await tell("dict(os.environ)", limits)
    assert "returned" in told and "sk-in" not in told and "PATH" not in told
    for process in ("self", "1", "thread-self/../../2"):
        assert "sk-in" not in await tell(f"open('/proc/{process}/environ').read()", limits)
    if limits.isolation == "process" and os.geteuid() != 0:
        return  # not covered: an ordinary user's program may read that user's processes
    assert "sk-in" not in await tell(f"open('/proc/{os.getpid()}/environ').read()", limits)


async def test_no_descriptor_is_inherited(limits: Limits, tmp_path: Path) -> None:
    secret = os.open(tmp_path / "secret.txt", os.O_CREAT | os.O_RDWR)
    os.set_inheritable(secret, True)
    told = await tell("[os.readlink(e.path) for e in os.scandir('/proc/self/fd') if int(e.name) > 2]", limits)
    os.close(secret)
    assert "returned" in told and "secret" not in told


async def test_the_network_and_the_host_are_absent(bubblewrap: Limits) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    arrived = threading.Event()

    def accept() -> None:
        try:
            listener.accept()
            arrived.set()
        except OSError:
            return

    thread = threading.Thread(target=accept)
    thread.start()
    port = listener.getsockname()[1]
    told = await tell(f"__import__('socket').create_connection(('127.0.0.1', {port}), 1)", bubblewrap)
    listener.shutdown(socket.SHUT_RDWR)
    thread.join()
    listener.close()
    assert "raised" in told and not arrived.is_set()
    assert f"{os.getpid()}" not in await tell("[e for e in os.listdir('/proc') if e.isdigit()]", bubblewrap)
    assert "FileNotFoundError" in await tell(f"open({str(Path(__file__))!r}).read()", bubblewrap)
    assert "FileNotFoundError" in await tell("open('/etc/passwd').read()", bubblewrap)


@pytest.mark.parametrize("path", ["/x", "/usr/lib/x", "/dev/x", "/proc/sys/kernel/hostname"])
async def test_the_root_is_read_only(path: str, bubblewrap: Limits) -> None:
    assert "OSError" in (told := await tell(f"open({path!r}, 'w')", bubblewrap)) or "PermissionError" in told


async def test_tmp_is_private_and_bounded(bubblewrap: Limits) -> None:
    limited = bubblewrap.model_copy(update={"tmp_mb": 1, "file_mb": 64})
    assert "No space left" in await tell("open('/tmp/x', 'wb').write(bytes(2 << 20))", limited)
    assert "returned '[]'" in await tell("os.listdir('/tmp')", limited)


async def test_the_program_is_not_root(limits: Limits) -> None:
    if os.geteuid() != 0:
        pytest.skip("an ordinary user's programs are not root")
    told = await tell("os.getresuid(), os.getresgid(), os.getgroups()", limits)
    assert "(0" not in told and ", 0" not in told
    assert "PermissionError" in await tell("os.setuid(0)", limits)


async def test_the_program_cannot_raise_its_limits(limits: Limits) -> None:
    change = "__import__('resource').setrlimit(9, (1 << 40, 1 << 40))"
    assert "ValueError" in await tell(change, limits)

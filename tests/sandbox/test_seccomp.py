"""The seccomp filter: its tables, what it refuses of a real kernel, and what goes on working under it."""

import errno
import os
import re
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tasks.sandbox import seccomp
from tasks.sandbox.languages import located

ALLOW, EPERM, ENOSYS, KILL = 0x7FFF0000, 0x50000 | errno.EPERM, 0x50000 | errno.ENOSYS, 0x80000000
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
HEADERS = {
    "x86_64": ("x86_64-linux-gnu/asm/unistd_64.h", "asm/unistd_64.h"),
    "aarch64": ("asm-generic/unistd.h",),
}
HERE = os.uname().machine
ROOT = Path(__file__).parents[2]

here_only = pytest.mark.skipif(HERE not in ARCHITECTURES, reason=f"no filter for {HERE}")


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_every_number_is_answered_as_the_tables_say(machine: str) -> None:
    column = list(ARCHITECTURES).index(machine)
    refused = {numbers[column] for numbers in seccomp.DENIED.values()}
    absent = {numbers[column] for numbers in seccomp.ABSENT.values()}
    judged = {pair[column] for pair in (seccomp.CLONE, seccomp.IOCTL, seccomp.SOCKET, seccomp.SOCKETPAIR)}
    for filter in (seccomp.program(True, machine), seccomp.program(False, machine)):
        for number in set(range(seccomp.NEWEST + 1)) - judged:
            wanted = EPERM if number in refused else ENOSYS if number in absent else ALLOW
            assert answer(filter, machine, number) == wanted, number
        for number in (seccomp.NEWEST + 1, 1000, 2**30 - 1, 2**32 - 1):
            assert answer(filter, machine, number) == ENOSYS


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_the_tables_agree_with_the_kernels_headers(machine: str) -> None:
    paths = [Path("/usr/include", name) for name in HEADERS[machine]]
    found = next((path for path in paths if path.exists()), None)
    if found is None:
        pytest.skip(f"no kernel headers for {machine} here")
    defined = re.findall(r"^#define __NR(?:3264)?_(\w+)\s+(\d+)", found.read_text(), re.MULTILINE)
    numbers = {name: int(number) for name, number in defined}
    newest = max(numbers.values())
    column = list(ARCHITECTURES).index(machine)
    judged = {
        "clone": seccomp.CLONE,
        "ioctl": seccomp.IOCTL,
        "socket": seccomp.SOCKET,
        "socketpair": seccomp.SOCKETPAIR,
    }
    tables = {**seccomp.DENIED, **seccomp.ABSENT, **judged}
    assert all(numbers.get(name) == pair[column] for name, pair in tables.items() if (pair[column] or 0) <= newest)


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_arguments_decide_by_their_lower_word(machine: str) -> None:
    column = list(ARCHITECTURES).index(machine)
    with_network, without = seccomp.program(True, machine), seccomp.program(False, machine)
    clone, ioctl = seccomp.CLONE[column], seccomp.IOCTL[column]
    single, paired = seccomp.SOCKET[column], seccomp.SOCKETPAIR[column]
    for filter in (with_network, without):
        for flag in (0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000):
            assert answer(filter, machine, clone, flag | 0x11) == EPERM
            assert answer(filter, machine, clone, 1 << 32 | flag) == EPERM
        assert answer(filter, machine, clone, 0x3D0F00) == ALLOW  # a thread of glibc's
        assert answer(filter, machine, clone, 0x1200011) == ALLOW  # fork
        for request in (0x5412, 0x541C, 1 << 32 | 0x5412):
            assert answer(filter, machine, ioctl, 0, request) == EPERM
        assert answer(filter, machine, ioctl, 0, 0x5401) == ALLOW  # isatty
        assert [answer(filter, machine, paired, family) for family in (1, 2, 10, 30)] == [ALLOW] + 3 * [EPERM]
        for family in (0, 3, 16, 17, 30, 38, 40, 44, 1 << 32 | 16):
            assert answer(filter, machine, single, family) == EPERM
        assert answer(filter, machine, single, 1) == ALLOW
    for family in (2, 10, 1 << 32 | 2):
        assert answer(with_network, machine, single, family) == ALLOW
        assert answer(without, machine, single, family) == EPERM


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_another_table_of_numbers_ends_the_program(machine: str) -> None:
    filter = seccomp.program(True, machine)
    other = next(name for name in ARCHITECTURES if name != machine)
    assert answer(filter, other, 39) == KILL
    assert answer(filter, machine, 0, architecture=0x40000003) == KILL  # i386
    x32 = [answer(filter, machine, 0x40000000 | number) for number in (0, 39, 101, 0x3FFFFFFE)]
    assert x32 == 4 * [KILL if machine == "x86_64" else ENOSYS]


def test_no_filter_where_there_are_no_tables() -> None:
    assert seccomp.program(True, "riscv64") == b""


@here_only
@pytest.mark.parametrize("network", [True, False])
def test_the_kernel_refuses_what_the_tables_deny(network: bool) -> None:
    """All arguments are -1, so that nothing would come of a call that a filter let pass."""
    column = list(ARCHITECTURES).index(HERE)
    wanted = dict.fromkeys((numbers[column] for numbers in seccomp.DENIED.values()), errno.EPERM)
    wanted |= dict.fromkeys((numbers[column] for numbers in seccomp.ABSENT.values()), errno.ENOSYS)
    wanted |= {seccomp.NEWEST + 1: errno.ENOSYS, seccomp.CLONE[column]: errno.EPERM}
    wanted.pop(None, None)
    run = confined(CALLS.format(wanted=wanted), network)
    assert (run.stdout, run.stderr, run.returncode) == ("2 1 {}\n", "", 0)


CALLS = """
import ctypes
status = dict(line.split(":\\t") for line in open("/proc/self/status") if ":\\t" in line)
syscall = ctypes.CDLL(None, use_errno=True).syscall
wrong = {{}}
for number, wanted in {wanted}.items():
    ctypes.set_errno(0)
    syscall(*[ctypes.c_long(word) for word in (number, -1, -1, -1, -1, -1, -1)])
    if ctypes.get_errno() != wanted:
        wrong[number] = ctypes.get_errno()
print(int(status["Seccomp"]), int(status["NoNewPrivs"]), wrong)
"""


@here_only
@pytest.mark.parametrize("network", [True, False])
def test_sockets(network: bool) -> None:
    run = confined(SOCKETS, network)
    internet = "ok" if network else "EPERM"
    wanted = ["ok", "ok", internet, internet, "EPERM", "EPERM", "EPERM", "EPERM"]
    assert (run.stdout.split(), run.stderr) == (wanted, "")


SOCKETS = """
import errno, socket
def tried(make):
    try:
        for one in make():
            one.close()
        return "ok"
    except OSError as error:
        return errno.errorcode[error.errno]
print(tried(socket.socketpair))
for family in (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK, socket.AF_ALG, 17, 40):
    print(tried(lambda: [socket.socket(family, socket.SOCK_DGRAM)]))
"""


@here_only
def test_typing_into_a_terminal_is_refused() -> None:
    run = confined(TERMINAL, False)
    assert (run.stdout, run.stderr) == ("True EPERM EPERM\n", "")


TERMINAL = """
import errno, fcntl, os, struct
leader, follower = os.openpty()
def tried(request):
    try:
        fcntl.ioctl(follower, request, b"x")
    except OSError as error:
        return errno.errorcode[error.errno]
print(os.isatty(follower), tried(0x5412), tried(0x541C))
"""


@pytest.mark.skipif(HERE != "x86_64", reason="int 0x80 and x32 are of x86")
@pytest.mark.parametrize(
    "code",
    [
        pytest.param("b8 14 00 00 00 cd 80 c3", id="int 0x80, getpid"),
        pytest.param("b8 27 00 00 40 0f 05 c3", id="x32, getpid"),
    ],
)
def test_calls_by_another_table_end_the_program(code: str) -> None:
    free = subprocess.run([sys.executable, "-c", MACHINE_CODE.format(code=code)], capture_output=True, check=False)
    if free.returncode:
        pytest.skip("this kernel has no 32-bit calls at all")
    assert confined(MACHINE_CODE.format(code=code), False).returncode == -signal.SIGSYS


MACHINE_CODE = """
import ctypes, mmap
page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
page.write(bytes.fromhex("{code}"))
ctypes.CFUNCTYPE(ctypes.c_long)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()
"""


@here_only
def test_syscall_minus_one_is_no_such_call() -> None:
    source = "import ctypes; c = ctypes.CDLL(None, use_errno=True); print(c.syscall(-1), ctypes.get_errno())"
    assert confined(source, False).stdout == f"-1 {errno.ENOSYS}\n"


@here_only
def test_a_refused_filter_is_an_error() -> None:
    to_nowhere = struct.pack("=HBBI", 0x05, 0, 0, 1000)
    assert forked(seccomp.prepare(to_nowhere)) == errno.EINVAL


def test_without_a_filter_new_privileges_are_refused_all_the_same() -> None:
    install = seccomp.prepare(b"")

    def looked_at() -> None:
        install()
        status = Path("/proc/self/status").read_text()
        if "NoNewPrivs:\t1" not in status or "Seccomp:\t2" in status:
            raise OSError

    assert forked(looked_at) == 0


@here_only
def test_one_prepared_filter_serves_many_children_of_any_user() -> None:
    install = seccomp.prepare(seccomp.program(False))

    def refused_a_socket() -> None:
        if os.geteuid() == 0:
            os.setresuid(65534, 65534, 65534)
        install()
        socket.socket(socket.AF_INET).close()

    assert [forked(refused_a_socket) for _ in range(20)] == 20 * [errno.EPERM]
    assert "Seccomp:\t2" not in Path("/proc/self/status").read_text()


PYTHON = {
    "threads": "import threading; t = threading.Thread(target=print, args=('ok',)); t.start(); t.join()",
    "fork": "import multiprocessing as m\nif __name__ == '__main__': "
    "m.set_start_method('fork'); p = m.Pool(2); print('ok' * (p.map(abs, [-1, 2]) == [1, 2])); p.close(); p.join()",
    "spawn": "import multiprocessing as m\nif __name__ == '__main__': "
    "m.set_start_method('spawn'); p = m.Pool(2); print('ok' * (p.map(abs, [-1, 2]) == [1, 2])); p.close(); p.join()",
    "forkserver": "import multiprocessing as m\nif __name__ == '__main__': "
    "m.set_start_method('forkserver'); p = m.Process(target=print, args=('ok',)); p.start(); p.join()",
    "manager": "import multiprocessing as m\nif __name__ == '__main__': "
    "m = m.Manager(); d = m.dict(); d['x'] = 'ok'; print(d['x']); m.shutdown()",
    "executors": "from concurrent import futures as f\nif __name__ == '__main__':\n"
    " for kind in (f.ThreadPoolExecutor, f.ProcessPoolExecutor):\n"
    "  with kind(2) as pool: assert list(pool.map(abs, [-1, 2])) == [1, 2]\n print('ok')",
    "shared memory": "from multiprocessing import Array, shared_memory as s; a = Array('i', 3); "
    "b = s.SharedMemory(create=True, size=9); b.buf[0] = 7; b.close(); b.unlink(); print('ok')",
    "subprocess": "import subprocess; print(subprocess.check_output(['/bin/sh', '-c', 'echo ok | cat'], text=True))",
    "asyncio": "import asyncio\nasync def main():\n"
    " p = await asyncio.create_subprocess_exec('/bin/echo', 'ok', stdout=-1)\n"
    " print((await p.communicate())[0].decode())\nasyncio.run(main())",
    "files": "import tempfile, os, mmap, fcntl, shutil\nwith tempfile.TemporaryFile() as f:\n"
    " f.write(b'ok'); f.flush(); fcntl.flock(f, 2); print(mmap.mmap(f.fileno(), 2)[:].decode())",
    "time and chance": "import time, os, random, signal; time.sleep(0); os.urandom(9); os.nice(1); "
    "signal.setitimer(signal.ITIMER_REAL, 0); os.sched_getaffinity(0); print('ok')",
}


@here_only
@pytest.mark.parametrize("name", PYTHON)
def test_ordinary_python_goes_on_working(name: str, tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(PYTHON[name])
    run = confined(EXECUTE.format(command=[sys.executable, "main.py"]), False, tmp_path)
    assert (run.stdout.strip(), run.stderr, run.returncode) == ("ok", "", 0)


EXECUTE = "import os; os.execvp({command!r}[0], {command!r})"

C = """
#include <pthread.h>
#include <stdio.h>
static void *say(void *text) { puts(text); return 0; }
int main(void) { pthread_t t; pthread_create(&t, 0, say, "ok"); return pthread_join(t, 0); }
"""
CPP = """
#include <iostream>
#include <thread>
int main() { std::thread t([] { std::cout << "ok" << std::endl; }); t.join(); }
"""
RUST = 'fn main() { std::thread::spawn(|| println!("ok")).join().unwrap(); }\n'
JAVA = """
public class Main {
    public static void main(String[] words) throws Exception {
        Thread t = new Thread(() -> System.out.println("ok"));
        t.start();
        t.join();
    }
}
"""
NODE = """
const { Worker, isMainThread, parentPort } = require("worker_threads");
const fs = require("fs"), { execSync } = require("child_process");
if (isMainThread)
  new Worker(__filename).on("message", (text) =>
    fs.promises.readFile(__filename).then(() => console.log(execSync("echo " + text).toString())));
else parentPort.postMessage("ok");
"""
GO = 'package main\nfunc main() { c := make(chan string); go func() { c <- "ok" }(); println(<-c) }\n'
LANGUAGES: dict[str, tuple[str, str, list[list[str]]]] = {
    "gcc": ("main.c", C, [["gcc", "-O2", "-pthread", "main.c", "-o", "main"], ["./main"]]),
    "g++": ("main.cpp", CPP, [["g++", "-O2", "-pthread", "main.cpp", "-o", "main"], ["./main"]]),
    "rustc": ("main.rs", RUST, [["rustc", "-O", "main.rs"], ["./main"]]),
    "javac": ("Main.java", JAVA, [["javac", "Main.java"], ["java", "Main"]]),
    "node": ("main.js", NODE, [["node", "main.js"]]),
    "go": ("main.go", GO, [["go", "build", "main.go"], ["./main"]]),
}


@here_only
@pytest.mark.parametrize("tool", LANGUAGES)
def test_other_languages_go_on_working(tool: str, tmp_path: Path) -> None:
    if located(tool) is None:
        pytest.skip(f"{tool} is not on this machine")
    name, source, commands = LANGUAGES[tool]
    (tmp_path / name).write_text(source)
    for command in commands:
        run = confined(EXECUTE.format(command=command), False, tmp_path)
        assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == "ok"


def answer(filter: bytes, machine: str, number: int, *arguments: int, architecture: int | None = None) -> int:
    """What the filter returns for a call, by the rules of classic BPF."""
    words = [number, ARCHITECTURES[machine] if architecture is None else architecture, 0, 0]
    for argument in (*arguments, *[0] * 6)[:6]:
        words += [argument & 0xFFFFFFFF, argument >> 32]
    place = loaded = 0
    while True:
        operation, yes, no, value = struct.unpack_from("=HBBI", filter, 8 * place)
        place += 1
        match operation:
            case 0x06:
                return value
            case 0x20:
                loaded = words[value // 4]
            case 0x15 | 0x35 | 0x45:
                holds = {0x15: loaded == value, 0x35: loaded >= value, 0x45: bool(loaded & value)}
                place += yes if holds[operation] else no
            case _:
                raise AssertionError(f"unknown operation {operation:#x}")


def confined(source: str, network: bool, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run Python under the filter, in a session of its own."""
    begin = f"import sys; sys.path.insert(0, {str(ROOT)!r})\nfrom tasks.sandbox import seccomp\n"
    begin += f"seccomp.install(seccomp.program({network}))\n"
    command: Sequence[str] = [sys.executable, "-c", begin + source]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, start_new_session=True, check=False, timeout=120
    )


def forked(call: Callable[[], None]) -> int:
    """The errno that a call in a forked child ends with; 0 without an error."""
    child = os.fork()
    if not child:
        number = 255
        try:
            call()
            number = 0
        except OSError as error:
            number = error.errno or 254
        finally:
            os._exit(number)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

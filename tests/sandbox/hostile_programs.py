"""Programs that want a verdict they did not earn, or want out: name, source, and the outcomes that are right.

ACTIONS are done by functions and by whole programs alike: a source that defines `act`, which is called before the
right answer is given. So `passed` says that the action was refused or did no harm; where it must be refused, `act`
raises when it is not. FUNCTIONS and WHOLE have what only one of the two kinds can do.

One function, `f`, is asked for: of 1 it makes 2, of a list the sorted list; `helper` is given. A whole program reads
a list of numbers and prints their sum, which is 6.
"""

from typing import Any, NamedTuple

NO_LIMITS: dict[str, Any] = {}


class Hostile(NamedTuple):
    """One program: `outcomes` are those that are right, in words; `needs` says what refuses it without namespaces.

    `needs` is "namespaces" (only bubblewrap), "files" or "signals" (of other processes: Landlock, since the version
    that has them), or "uid" (an own uid or Landlock). `limits` are this program's own.
    """

    source: str
    outcomes: str
    needs: str = ""
    limits: dict[str, Any] = NO_LIMITS


REFUSED = """
import ctypes, errno, os, signal, socket, sys, time
libc = ctypes.CDLL(None, use_errno=True)

def refused(attempt, *arguments):
    try:
        result = attempt(*arguments)
    except (OSError, NotImplementedError):
        return
    raise SystemExit(f"not refused: {attempt} {arguments} {result}")

def call(number, *arguments):
    if libc.syscall(number, *arguments) != -1:
        raise SystemExit(f"not refused: system call {number}")
"""
SHORT: dict[str, Any] = {"cpu_seconds": 0.1, "wall_seconds": 0.4}
LONG: dict[str, Any] = {"cpu_seconds": 5.0, "wall_seconds": 15.0}
SMALL: dict[str, Any] = {"memory_mb": 96}


def _of(outcomes: str, programs: dict[str, str], needs: str = "", **limits: Any) -> dict[str, Hostile]:
    return {name: Hostile(source, outcomes, needs, limits) for name, source in programs.items()}


def _refused(programs: dict[str, str], needs: str = "") -> dict[str, Hostile]:
    sources = {name: f"{REFUSED}\ndef act():\n    {body}\n" for name, body in programs.items()}
    return _of("passed", sources, needs)


WITHOUT_END = {
    "a loop": "def act():\n    while True: pass\n",
    "a loop at import": "while True: pass\n",
    "a loop in C": "def act(): 9**9**9\n",
    "a sum in C": "def act(): sum(range(10**12))\n",
    "a regular expression": "import re\ndef act(): re.match('(a*)*b', 'a' * 64)\n",
    "a sleep": "import time\ndef act(): time.sleep(1e9)\n",
    "stops itself": "import os, signal\ndef act(): os.kill(os.getpid(), signal.SIGSTOP)\n",
    "stops its whole group": "import os, signal\ndef act(): os.kill(0, signal.SIGSTOP)\n",
    "ignores every signal": """
import signal
def act():
    for number in range(1, 65):
        try: signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError): pass
    while True: pass
""",
    "blocks every signal": """
import signal, time
def act():
    signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
    while True: pass
""",
    "catches everything and goes on": """
def act():
    while True:
        try:
            while True: pass
        except BaseException: pass
""",
    "waits for a lock of its own": """
import threading
def act():
    lock = threading.Lock()
    lock.acquire(); lock.acquire()
""",
    "waits for a signal": "import signal\ndef act(): signal.pause()\n",
    "reads a pipe of its own": "import os\ndef act(): os.read(os.pipe()[0], 1)\n",
    "reads a fifo": "import os\ndef act():\n    os.mkfifo('fifo')\n    open('fifo')\n",
    "waits for a child that sleeps": """
import os, time
def act():
    if os.fork() == 0: time.sleep(1e9)
    os.wait()
""",
    "sleeps while children work": """
import os, time
def act():
    for _ in range(4):
        if os.fork() == 0:
            while True: pass
    time.sleep(1e9)
""",
    "sleeps while daemons work": """
import os, time
def act():
    for _ in range(2):
        if os.fork() == 0:
            os.setsid()
            if os.fork(): os._exit(0)
            while True: pass
    time.sleep(1e9)
""",
    "threads that work": """
import threading
def loop():
    while True: pass
def act():
    for _ in range(4): threading.Thread(target=loop, daemon=True).start()
    loop()
""",
    "a text without end": """
class Endless(Exception):
    def __str__(self):
        while True: pass
def act(): raise Endless
""",
}
BOMBS = {
    "a fork bomb": """
import os
def act():
    while True:
        try: os.fork()
        except OSError: pass
""",
    "a fork bomb that gives up": "import os\ndef act():\n    while True: os.fork()\n",
    "a thread bomb": """
import threading, time
def act():
    while True: threading.Thread(target=time.sleep, args=(1e9,)).start()
""",
    "a bomb of shells": """
import subprocess, sys
def act():
    while True: subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(1e9)"])
""",
    "processes that end as they multiply": """
import os
def act():
    for _ in range(4):
        if os.fork() == 0:
            while True:
                try:
                    if os.fork(): os._exit(0)
                except OSError: pass
    while True: pass
""",
}
GREEDY = {
    "10 GB at once": "def act(): return len(bytearray(10**10))\n",
    "10 GB of a number": "def act(): return 1 << 10**11\n",
    "bit by bit": "def act():\n    kept = []\n    while True: kept.append(bytearray(10**6))\n",
    "a text that doubles": "def act():\n    x = 'x'\n    while True: x += x\n",
    "small objects": "def act():\n    x = []\n    while True: x = [x, {}]\n",
    "the C library's memory": """
import ctypes
def act():
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    while True:
        place = libc.malloc(ctypes.c_size_t(1 << 22))
        if not place: raise MemoryError
        ctypes.memset(place, 1, 1 << 22)
""",
    "a mapping": """
import mmap
def act():
    kept = mmap.mmap(-1, 1 << 29)
    for place in range(0, 1 << 29, 4096): kept[place] = 1
""",
    "a mapping without a reserve": """
import mmap
def act():
    kept = [mmap.mmap(-1, 1 << 26, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000) for _ in range(8)]
    for each in kept:
        for place in range(0, 1 << 26, 4096): each[place] = 1
""",
    "a bomb of zeros": """
import zlib
def act():
    x = zlib.compress(bytes(10**7))
    return [zlib.decompress(x) for _ in range(100)]
""",
    "over children": """
import os, time
def act():
    for _ in range(8):
        if os.fork() == 0:
            kept = b"x" * (40 << 20)
            time.sleep(60)
    time.sleep(1)
""",
    "over children that copy on write": """
import os, time
def act():
    kept = bytearray(40 << 20)
    for _ in range(8):
        if os.fork() == 0:
            for place in range(0, len(kept), 4096): kept[place] = 1
            time.sleep(60)
    time.sleep(1)
""",
    "over daemons": """
import os, time
def act():
    for _ in range(8):
        if os.fork() == 0:
            os.setsid()
            if os.fork(): os._exit(0)
            kept = b"x" * (40 << 20)
            time.sleep(60)
    time.sleep(1)
""",
}
REFUSED_MEMORY = {
    "memory in a memfd": """
import os
def act():
    file = os.memfd_create("x")
    while True: os.write(file, bytes(1 << 20))
""",
    "memory in System V shared memory": """
import ctypes, os
def act():
    libc = ctypes.CDLL(None, use_errno=True)
    for _ in range(200):
        if libc.shmget(0, ctypes.c_size_t(1 << 26), 0o1600) == -1: raise OSError(ctypes.get_errno(), "refused")
""",
    "memory in message queues": """
import ctypes
def act():
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.msgget(0, 0o1600) == -1: raise OSError(ctypes.get_errno(), "refused")
""",
    "memory in keyrings": """
import ctypes
def act():
    if ctypes.CDLL(None).syscall(248, b"user", b"x", b"x" * 1000, 1000, -1) == -1: raise OSError("refused")
""",
}
CHATTER = {
    "endless stdout": "def act():\n    while True: print('x' * 1000)\n",
    "endless stderr": "import sys\ndef act():\n    while True: print('x' * 1000, file=sys.stderr)\n",
    "endless output by descriptor": "import os\ndef act():\n    while True: os.write(1, b'x' * 1000)\n",
    "endless output of one line": "import sys\ndef act():\n    while True: sys.stdout.write('x' * 1000)\n",
    "100 MB at once": "def act(): print('x' * 10**8)\n",
    "endless output of a child": """
import os
def act():
    if os.fork() == 0:
        while True: os.write(1, b"x" * 1000)
    os.wait()
""",
    "endless output of threads": """
import os, threading
def write():
    while True: os.write(2, b"x" * 1000)
def act():
    for _ in range(4): threading.Thread(target=write).start()
    write()
""",
    "endless output by a file's name": """
def act():
    with open('/dev/stdout', 'w') as file:
        while True: file.write('x' * 1000)
""",
}
CRASHES = {
    "reads address 0": "import ctypes\ndef act(): ctypes.string_at(0)\n",
    "runs bytes that are no code": """
import ctypes
def act(): ctypes.CFUNCTYPE(None)(ctypes.addressof(ctypes.create_string_buffer(9)))()
""",
    "aborts": "import os\ndef act(): os.abort()\n",
    "kills itself": "import os\ndef act(): os.kill(os.getpid(), 9)\n",
    "kills its group": "import os\ndef act(): os.killpg(0, 9)\n",
    "a real-time signal": "import os\ndef act(): os.kill(os.getpid(), 40)\n",
    "a status that is no signal": "import os\ndef act(): os._exit(200)\n",
    "an alarm": """
import signal, time
def act():
    signal.alarm(1)
    signal.setitimer(signal.ITIMER_REAL, 0.01)
    time.sleep(9)
""",
    "a broken pipe": """
import os, signal
def act():
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    reading, writing = os.pipe()
    os.close(reading)
    os.write(writing, b"x")
""",
    "recurses without end": "def act(): return act()\n",
    "recurses until the stack overflows": """
import sys
def deeper(key=None): return [key].sort(key=deeper)
def act():
    sys.setrecursionlimit(1 << 30)
    deeper()
""",
    "overflows the stack in C": """
def act():
    x = ()
    for _ in range(10**6): x = (x,)
    hash(x)
""",
    "overflows the stack with JSON": """
import json, sys
def act():
    sys.setrecursionlimit(1 << 30)
    json.loads("[" * 10**6)
""",
    "overflows the stack of the compiler": """
import ast, sys
def act():
    sys.setrecursionlimit(1 << 30)
    compile(ast.Expression(eval("ast.UnaryOp(ast.Not(), " * 50 + "ast.Constant(1)" + ")" * 50)), "", "eval")
    eval("-" * 10**6 + "1")
""",
    "overflows the stack of a thread": """
import os, sys, threading
def deeper(key=None): return [key].sort(key=deeper)
def act():
    sys.setrecursionlimit(1 << 30)
    thread = threading.Thread(target=deeper)
    thread.start()
    thread.join()
    os._exit(3)
""",
    "raises": "def act(): return {}[1]\n",
    "raises what cannot be told": """
class Mute(Exception):
    def __str__(self): raise Mute
def act(): raise Mute
""",
    "raises an AssertionError": "def act(): assert False\n",
    "raises a group": "def act(): raise ExceptionGroup('two', [ValueError(), KeyError()])\n",
    "an exception that decodes": "def act(): b'\\xff'.decode()\n",
    "an exception of 10 MB": "def act(): raise ValueError('x' * 10**7)\n",
    "imports what is not there": "import no_such_module\ndef act(): pass\n",
    "opens 100,000 files": "def act(): kept = [open('/dev/null') for _ in range(100_000)]\n",
    "opens 100,000 pipes": "import os\ndef act(): kept = [os.pipe() for _ in range(100_000)]\n",
    "opens 100,000 sockets": "import socket\ndef act(): kept = [socket.socketpair() for _ in range(100_000)]\n",
    "a file beyond its size": """
def act():
    with open('big', 'wb') as file:
        while True: file.write(bytes(1 << 20))
""",
    "a file of a huge offset": "import os\ndef act(): os.truncate(open('big', 'wb').fileno(), 1 << 60)\n",
}
FULL_DISK = {
    "fills the disk": """
def act():
    for number in range(100_000):
        with open(f"file{number}", "wb") as file: file.write(bytes(1 << 20))
""",
    "fills the shared memory folder": """
def act():
    for number in range(100_000):
        with open(f"/dev/shm/file{number}", "wb") as file: file.write(bytes(1 << 20))
""",
    "fills the disk with empty files": """
def act():
    for number in range(100_000): open(f'file{number}', 'w').close()
""",
    "fills the disk with folders": "import os\ndef act():\n    for number in range(100_000): os.mkdir(str(number))\n",
    "folders in folders": """
import os
def act():
    for _ in range(100_000):
        os.mkdir("x")
        os.chdir("x")
""",
}
# Calls by number on x86_64: what the filter of system calls refuses, asked for past the C library.
CALLS = _refused(
    {
        "mount": "call(165, b'none', b'/tmp', b'tmpfs', 0, None)",
        "mount a bind": "call(165, b'/', b'/tmp', None, 4096, None)",
        "mount /proc writable": "call(165, None, b'/', None, 32 | 4096, None)",
        "umount": "call(166, b'/proc', 2); call(166, b'/tmp', 2)",
        "the new mount calls": "call(428, -100, b'/', 1); call(430, b'tmpfs', 0); call(442, -100, b'/', 0, None, 0)",
        "pivot_root and chroot": "call(155, b'/tmp', b'/tmp'); call(161, b'/tmp')",
        "ptrace of itself": "call(101, 0, 0, 0, 0)",
        "ptrace of its parent": "call(101, 16, os.getppid(), 0, 0); call(101, 0x4206, os.getppid(), 0, 0)",
        "memory of its parent": "call(310, os.getppid(), None, 0, None, 0, 0); call(311, 1, None, 0, None, 0, 0)",
        "unshare": "[call(272, 1 << bit) for bit in (17, 25, 26, 27, 28, 29, 30)]",
        "a user namespace by clone": "[call(56, 1 << bit | 17, 0, 0, 0, 0) for bit in (17, 25, 26, 27, 28, 29, 30)]",
        "clone3": "call(435, (ctypes.c_uint64 * 11)(1 << 28), 88)",
        "setns": "[call(308, os.open(f'/proc/self/ns/{name}', 0), 0) for name in ('mnt', 'net', 'pid', 'user')]",
        "descriptors of other processes": "call(438, os.pidfd_open(os.getpid()), 0, 0)",
        "keyrings": "call(248, b'user', b'x', b'x', 1, -3); call(249, b'user', b'x', None, -3); call(250, 0, -3, 1)",
        "io_uring": "call(425, 8, ctypes.create_string_buffer(120))",
        "bpf": "call(321, 0, ctypes.create_string_buffer(128), 128)",
        "perf events": "call(298, ctypes.create_string_buffer(128), 0, -1, -1, 0)",
        "userfaultfd": "call(323, 0); call(323, 1)",
        "memfd": "call(319, b'x', 0); call(447, 0)",
        "System V memory": "call(29, 0, 4096, 0o1600); call(64, 0, 1, 0o1600); call(68, 0, 0o1600)",
        "message queues": "call(240, b'/x', 0o102, 0o600, None)",
        "modules and kexec": "call(175, b'', 0, b''); call(313, 0, b'', 0); call(246, 0, 0, None, 0)",
        "reboot and swap": "call(169, 0xfee1dead, 672274793, 0x89abcdef); call(167, b'x', 0); call(168, b'x')",
        "clocks": """
    call(164, None, None)
    call(227, 0, b'0' * 16)
    call(159, ctypes.create_string_buffer(b'1' * 208))
""",
        "host names": "call(170, b'x', 1); call(171, b'x', 1)",
        "files by handle": "call(304, -100, ctypes.create_string_buffer(128), 0)",
        "watching the whole machine": "call(300, 0, 0); call(103, 3, ctypes.create_string_buffer(99), 99)",
        "ports of the machine": "call(172, 3); call(173, 0, 1, 1); call(154, 0, None, 0)",
        "typing into a terminal": "[call(16, 0, request, b'x') for request in (0x5412, 0x541c, 1 << 32 | 0x5412)]",
        "raw and kernel sockets": "[refused(socket.socket, kind, 3) for kind in (10, 16, 17, 38, 40, 44)]",
        "other users": "[refused(os.setresuid, *[uid] * 3) for uid in (0, 1, 1000) if uid != os.getuid()]",
        "other groups": """
    [refused(os.setresgid, *[gid] * 3) for gid in {0, 1} - {os.getgid()}]
    refused(os.setgroups, [1])
""",
        "capabilities": """
    call(126, (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)(*[0xffffffff] * 6))
    status = open("/proc/self/status").read()
    for name in ("CapInh", "CapPrm", "CapEff", "CapAmb"): assert f"{name}:\\t0000000000000000" in status, status
    assert "NoNewPrivs:\\t1" in status and "Seccomp:\\t2" in status, status
""",
        "higher limits": """
    import resource
    for what in (resource.RLIMIT_AS, resource.RLIMIT_NPROC, resource.RLIMIT_NOFILE, resource.RLIMIT_FSIZE):
        hard = resource.getrlimit(what)[1]
        try: resource.setrlimit(what, (hard + 1, hard + 1))
        except ValueError: continue
        raise SystemExit("not refused")
""",
        "limits of its parent": """
    import resource
    refused(resource.prlimit, os.getppid(), 7, (9, 9)) if os.getppid() else 0
""",
        "a higher priority": "refused(os.nice, -5); refused(os.sched_setscheduler, 0, 1, os.sched_param(9))",
        "devices": "refused(os.mknod, 'sda', 0o60666, os.makedev(8, 0)); refused(os.mknod, 'mem', 0o20666, 257)",
        "files of another owner": "open('x', 'w').close(); refused(os.chown, 'x', 0, 0) if os.getuid() else 0",
    }
)
OUTSIDE = _refused(
    {
        "writes in the root": """
    [refused(open, f'/{name}consort-x', 'w') for name in ('', 'usr/', 'etc/', 'root/', 'opt/')]
""",
        "writes beside the libraries": """
    [refused(open, f'/usr/{name}/consort-x', 'w') for name in ('bin', 'lib', 'local/lib')]
""",
        "writes into Python": """
    refused(open, os.__file__, 'a')
    refused(open, os.path.dirname(os.__file__) + '/x.py', 'w')
""",
        "writes over its interpreter": "refused(open, sys.executable, 'r+'); refused(open, '/proc/self/exe', 'r+')",
        "makes folders outside": """
    [refused(os.mkdir, f'{name}/consort-x') for name in ('/', '/usr', '/var', '/run', '/proc', '/dev')]
""",
        "removes libraries": """
    refused(os.unlink, os.__file__)
    refused(os.rmdir, '/usr/lib')
    refused(os.rename, '/usr', '/x')
""",
        "changes modes outside": """
    [refused(os.chmod, path, 0o777) for path in ('/', '/usr', os.__file__) if os.getuid()]
""",
        "symbolic links out of it": """
    os.symlink("/usr/lib", "out")
    refused(open, "out/consort-x", "w")
    os.symlink("/consort-x", "target")
    refused(open, "target", "w")
""",
        "hard links to what is outside": "refused(os.link, os.__file__, 'linked.py')",
        "climbs out of its folder": """
    refused(open, '../' * 20 + 'consort-x', 'w')
    os.chdir('/')
    refused(open, 'consort-x', 'w')
""",
        "climbs by descriptors": """
    root = os.open('/', os.O_RDONLY | os.O_PATH)
    refused(lambda: os.open('consort-x', 66, dir_fd=root))
""",
        "climbs by its own root": "refused(open, '/proc/self/root/consort-x', 'w')",
        "settings of the kernel": """
    for name in ("kernel/core_pattern", "kernel/hostname", "vm/drop_caches", "kernel/randomize_va_space"):
        refused(open, f"/proc/sys/{name}", "w")
    refused(open, "/proc/sysrq-trigger", "w")
""",
        "protects itself from the memory killer": """
    try:
        with open("/proc/self/oom_score_adj", "w") as file: file.write("-1000")
    except OSError: return
    raise SystemExit("not refused")
""",
        "memory and disks of the machine": """
    for name in ("mem", "kmem", "port", "kmsg", "sda", "vda", "nvme0n1", "fuse", "kvm", "net/tun", "loop-control"):
        refused(os.open, f"/dev/{name}", os.O_RDWR)
    refused(open, "/proc/kcore", "rb") if os.getuid() else None
""",
    },
    "files",
)
READING = _refused(
    {
        "reads passwords": """
    refused(open, '/etc/shadow')
    refused(open, '/etc/passwd')
    refused(open, '/proc/self/root/etc/passwd')
""",
        "lists what is not its own": "[refused(os.listdir, path) for path in ('/etc/ssl', '/home', '/var', '/srv')]",
        "reads other processes' memory": """
    for pid in [int(name) for name in os.listdir("/proc") if name.isdigit()]:
        if pid == os.getpid(): continue
        for name in ("mem", "environ"):
            try:
                with open(f"/proc/{pid}/{name}", "rb") as file: read = file.read(10)
            except OSError: continue
            if read: raise SystemExit(f"not refused: {pid} {name}")
""",
        "opens other processes' files": """
    for pid in {1, os.getppid(), *range(2, 6)} - {os.getpid()}:
        for number in range(9):
            refused(os.readlink, f"/proc/{pid}/fd/{number}")
            refused(os.open, f"/proc/{pid}/fd/{number}", os.O_RDONLY | os.O_NONBLOCK)
""",
    },
    "files",
)
KILLING = {
    "kills whatever it may": Hostile(
        "import os\ndef act():\n    try: os.kill(-1, 9)\n    except ProcessLookupError: pass\n",
        "passed runtime_error",
        "signals",
    ),
    "stops whatever it may": Hostile(
        "import os, signal\ndef act():\n    try: os.kill(-1, signal.SIGSTOP)\n    except ProcessLookupError: pass\n",
        "passed runtime_error time_limit",
        "signals",
        SHORT,
    ),
    "kills its parent": Hostile("import os\ndef act(): os.kill(os.getppid(), 9)\n", "passed runtime_error", "uid"),
    "kills the first process": Hostile("import os\ndef act(): os.kill(1, 9)\n", "passed runtime_error", "uid"),
    "kills all numbers": Hostile(
        """
import os
def act():
    for number in range(1, 40_000):
        if number != os.getpid():
            try: os.kill(number, 9)
            except OSError: pass
""",
        "passed",
        "signals",
    ),
    "stops its parent": Hostile(
        "import os, signal\ndef act(): os.kill(os.getppid(), signal.SIGSTOP)\n",
        "passed runtime_error time_limit",
        "signals",
        SHORT,
    ),
}
LEAVINGS = _of(
    "passed",
    {
        "a daemon that holds stdout": """
import os, time
def act():
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0: time.sleep(1e6)
        os._exit(0)
""",
        "a daemon that ignores signals and works": """
import os, signal
def act():
    if os.fork() == 0:
        os.setsid()
        for number in range(1, 32):
            try: signal.signal(number, signal.SIG_IGN)
            except (OSError, ValueError): pass
        while True: pass
""",
        "daemons that found families": """
import os, time
def act():
    for _ in range(3):
        if os.fork() == 0:
            os.setsid()
            for _ in range(3):
                if os.fork() == 0: time.sleep(1e6)
            os._exit(0)
""",
        "a daemon that takes in orphans": """
import ctypes, os, time
def act():
    if os.fork() == 0:
        ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
        for _ in range(3):
            if os.fork() == 0:
                if os.fork(): os._exit(0)
                time.sleep(1e6)
        time.sleep(1e6)
""",
        "children that are stopped": """
import os, signal
def act():
    for _ in range(3):
        if os.fork() == 0: os.kill(os.getpid(), signal.SIGSTOP)
""",
        "siblings instead of children": """
import ctypes, os, time
def act():
    libc = ctypes.CDLL(None)
    for _ in range(3):
        if libc.syscall(56, 0x8000 | 17, 0, 0, 0, 0) == 0: os._exit(0)
    if libc.syscall(56, 0x8000 | 17, 0, 0, 0, 0) == 0: time.sleep(1e6)
""",
        "children that tell nobody of their end": """
import ctypes, os, time
def act():
    libc = ctypes.CDLL(None)
    if libc.syscall(56, 0, 0, 0, 0, 0) == 0:
        if libc.syscall(56, 0x8000, 0, 0, 0, 0) == 0: time.sleep(1e6)
        os._exit(0)
    if libc.syscall(56, 0, 0, 0, 0, 0) == 0: time.sleep(1e6)
""",
        "children that are never waited for": """
import os
def act():
    for _ in range(10):
        if os.fork() == 0: os._exit(0)
""",
        "files of every kind": """
import os, socket
def act():
    os.mkfifo("fifo")
    os.mkdir("locked")
    open("locked/file", "w").close()
    os.chmod("locked", 0)
    os.symlink("/", "link")
    kept = socket.socket(socket.AF_UNIX)
    kept.bind("socket")
""",
        "a folder name that is no text": """
import os
def act():
    os.mkdir(b'\\xff\\xfe')
    open(b'\\xff\\xfe/\\n', 'w').close()
""",
        "changes its own limits and name": """
import ctypes, os, resource, signal
def act():
    resource.setrlimit(resource.RLIMIT_NOFILE, (200, 200))
    ctypes.CDLL(None).prctl(15, b") S 1 (", 0, 0, 0)
    ctypes.CDLL(None).prctl(1, 0, 0, 0, 0)
    ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)
    os.setpriority(os.PRIO_PROCESS, 0, 19)
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
""",
    },
)
SHARED_MEMORY = _of(
    "passed",
    {
        "files in shared memory": """
import os
def act():
    open("/dev/shm/consort-was-here", "w").close()
    os.mkdir("/dev/shm/consort-folder")
    open("/dev/shm/consort-folder/file", "w").close()
""",
        "shared memory and a semaphore": """
import multiprocessing, os
from multiprocessing import resource_tracker, shared_memory
def act():
    resource_tracker.register = lambda *_: None
    kept = shared_memory.SharedMemory(create=True, size=4096)
    multiprocessing.Semaphore()
""",
    },
    "uid",
)
MEDDLING = _of(
    "passed",
    {
        "reloads modules": """
import importlib, os, sys, io
def act():
    for module in (os, io, importlib): importlib.reload(module)
""",
        "forgets every module": "import sys\ndef act(): sys.modules.clear()\n",
        "turns the collector against us": """
import gc
def act():
    gc.unfreeze(); gc.collect(); gc.disable(); gc.set_debug(0); gc.set_threshold(1)
""",
        "traces everything": """
import sys, threading
def act():
    sys.settrace(lambda *_: None); sys.setprofile(lambda *_: None)
""",
        "refuses imports": "import builtins\ndef act(): builtins.__import__ = None\n",
        "hooks of every kind": """
import sys, threading
def act():
    sys.excepthook = sys.unraisablehook = threading.excepthook = sys.displayhook = None
    sys.addaudithook(lambda *_: None)
""",
        "starts a Python of its own": """
import subprocess, sys
def act(): assert subprocess.run([sys.executable, "-c", "print(5)"], capture_output=True).stdout == b"5\\n"
""",
        "asks for a preloaded library": """
import os, subprocess, sys
def act():
    environment = {"LD_PRELOAD": "/tmp/x.so", "PYTHONSTARTUP": "/x"}
    subprocess.run([sys.executable, "-c", ""], env=environment, capture_output=True)
""",
        "looks for programs with rights": """
import os, subprocess
def act():
    for name in ("su", "sudo", "mount", "newuidmap", "ping", "pkexec", "unshare", "bwrap", "chsh"):
        for folder in ("/bin", "/usr/bin", "/usr/lib/polkit-1"):
            command = [f"{folder}/{name}", "-r", "-c", "id -u"]
            try: done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL)
            except OSError: continue
            assert not done.stdout.startswith(b"0"), name
""",
    },
)
EMPTYING = """
import os
def act():
    for number in range(3, 300):
        for how in (os.O_RDONLY, os.O_WRONLY, os.O_RDWR):
            try: opened = os.open(f"/proc/self/fd/{number}", how | os.O_NONBLOCK)
            except OSError: continue
            for do in (lambda: os.read(opened, 1 << 16), lambda: os.write(opened, b"Eforged")):
                try: do()
                except OSError: pass
"""
TABLES = _of(
    "sandbox_violation runtime_error",
    {
        "the table of x32": "import ctypes\ndef act(): ctypes.CDLL(None).syscall(0x40000000 | 39)\n",
        "the table of 32 bits": """
import ctypes, mmap
def act():
    code = mmap.mmap(-1, 4096, prot=7)
    code.write(b"\\xb8\\x14\\0\\0\\0\\xcd\\x80\\xc3")
    ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))()
""",
    },
)
NETWORK = _refused(
    {
        "connects to the host": """
    refused(socket.create_connection, ('127.0.0.1', 22), 1)
    refused(socket.create_connection, ('::1', 22), 1)
""",
        "connects to the world": """
    refused(socket.create_connection, ('192.0.2.1', 80), 1)
    refused(socket.create_connection, ('1.1.1.1', 53), 1)
""",
        "sends a datagram": """
    try: kept = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    except OSError: return
    refused(kept.sendto, b"x", ("192.0.2.1", 53))
""",
        "asks for a name": "refused(socket.getaddrinfo, 'example.com', 80)",
        "connects to the host's abstract sockets": """
    for name in ("consort", "/tmp/dbus-x", "/tmp/.X11-unix/X0"):
        refused(socket.socket(socket.AF_UNIX).connect, "\\0" + name)
""",
    }
)
ACTIONS: dict[str, Hostile] = {
    **_of("time_limit", WITHOUT_END, **SHORT),
    **_of("time_limit runtime_error", BOMBS, processes=16, **SHORT),
    **_of("memory_limit", GREEDY, **SMALL),
    **_of("runtime_error", REFUSED_MEMORY),
    **_of("output_limit", CHATTER, output_kb=64),
    **_of("runtime_error", CRASHES, file_mb=1, output_kb=1 << 14),
    **_of("runtime_error", FULL_DISK, "namespaces", tmp_mb=4, tmp_inodes=200),
    **CALLS,
    **OUTSIDE,
    **READING,
    **KILLING,
    **LEAVINGS,
    **SHARED_MEMORY,
    **MEDDLING,
    **TABLES,
    **_of("passed wrong_answer runtime_error time_limit", {"empties what it finds in /proc": EMPTYING}, **SHORT),
    **NETWORK,
}

EQUAL = """
class Equal:
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __lt__(self, other): return True
    __le__ = __gt__ = __ge__ = __contains__ = __lt__
    def __hash__(self): return 1
    def __bool__(self): return True

"""
WRONG_FUNCTIONS = {
    "an object equal to everything": f"{EQUAL}def f(x): return Equal()\n",
    "a class equal to everything": f"""{EQUAL}
class Yes(metaclass=type("Meta", (Equal, type), {{}})): pass
def f(x): return Yes
""",
    "a mock equal to everything": "from unittest.mock import ANY\ndef f(x): return ANY\n",
    "an int equal to everything": f"{EQUAL}class Int(Equal, int): pass\ndef f(x): return Int(7)\n",
    "a float equal to everything": f"{EQUAL}class Float(Equal, float): pass\ndef f(x): return Float(7)\n",
    "a text equal to everything": f"{EQUAL}class Str(Equal, str): pass\ndef f(x): return Str('2')\n",
    "a tuple equal to everything": f"{EQUAL}class Tuple(Equal, tuple): pass\ndef f(x): return Tuple([2])\n",
    "a list equal to everything": f"""{EQUAL}
class List(Equal, list): pass
def f(x): return 2 if x == 1 else List([1])
""",
    "such an int in a list": f"{EQUAL}class Int(Equal, int): pass\ndef f(x): return 2 if x == 1 else [Int(1)] * 3\n",
    "a dict equal to everything": f"{EQUAL}class Dict(Equal, dict): pass\ndef f(x): return Dict()\n",
    "a decimal equal to everything": f"""{EQUAL}
import decimal
class Number(Equal, decimal.Decimal): pass
def f(x): return Number(7)
""",
    "an enumeration equal to everything": f"""{EQUAL}
import enum
class Yes(Equal, enum.Enum):
    A = 1
def f(x): return Yes.A
""",
    "an object that pretends to be an int": """
class Pretender:
    __class__ = int
    def __eq__(self, other): return True
    def __int__(self): return 2
    __index__ = __int__
def f(x): return Pretender()
""",
    "an object that has every attribute": """
class All:
    def __getattr__(self, name): return lambda *_: True
def f(x): return All()
""",
    "a list that lies about its items": """
class List(list):
    def __iter__(self): return iter([1, 2, 3])
    __len__ = lambda self: 3
def f(x): return 2 if x == 1 else List()
""",
    "what is compared to itself": "def f(x): return f\n",
    "NotImplemented": "def f(x): return NotImplemented\n",
    "not a number": "def f(x): return float('nan')\n",
    "expected values from stack frames": """
import sys
def f(x):
    frame = sys._getframe()
    while frame:
        for names in (frame.f_locals, frame.f_globals, frame.f_builtins):
            if "expected-value-of-the-tests" in map(str, names.values()): return helper(1)
        frame = frame.f_back
    return 0
""",
    "expected values from the collector": """
import gc
def f(x):
    for found in gc.get_objects():
        if isinstance(found, dict) and ("SECRET" in found or "check" in found): return helper(1)
    return 0
""",
    "expected values by inspection": """
import inspect, sys
def f(x):
    for module in list(sys.modules.values()):
        if hasattr(module, "check") and hasattr(module, "SECRET"): return helper(1)
    for frame in inspect.stack():
        if "check(candidate)" in "".join(frame.code_context or ()): return helper(1)
    return 0
""",
    "expected values from the debugger of threads": """
import sys, threading
def f(x):
    for frame in sys._current_frames().values():
        while frame:
            if "check" in frame.f_code.co_name: return helper(1)
            frame = frame.f_back
    return 0
""",
    "the helper redefined": "def helper(x): return 5\ndef f(x): return 5\n",
    "the tests' names redefined": """
def check(candidate): pass
SECRET = 5
sorted = list = len = lambda *_: 0
def f(x): return 0
""",
    "built-in functions patched": """
import builtins
builtins.sorted = builtins.isinstance = builtins.len = builtins.repr = lambda *_: True
builtins.AssertionError = builtins.BaseException = builtins.Exception = None
def f(x): return 7
""",
    "an assertion that does not exist": """
import builtins
class AssertionError(BaseException): pass
builtins.AssertionError = AssertionError
def f(x): return 7
""",
    "what comparison uses patched": """
import math, operator, sys, types
math.isclose = operator.eq = lambda *_: True
sys.modules["suite"] = sys.modules["tasks"] = types.SimpleNamespace(passed=True)
def f(x): return 7
""",
    "the argument cleared and returned": "def f(x):\n    if x == 1: return 2\n    x.clear()\n    return x\n",
    "the argument filled": "def f(x):\n    if x == 1: return 2\n    x[:] = [0]\n    return x\n",
    "prints that all passed": 'def f(x):\n    print("passed", "1 passed in 0.01s", "OK")\n    return "passed"\n',
    "sets a verdict": """
passed = result = ok = True
def f(x):
    global passed
    passed = True
    return passed
""",
    "a generator": "def f(x):\n    yield 2\n",
    "a coroutine": "async def f(x): return 2\n",
    "None": "def f(x): pass\n",
    "a cyclic list": "def f(x):\n    x = []\n    x.append(x)\n    return x\n",
    "a cyclic dict": "def f(x):\n    x = {}\n    x[1] = x\n    return x\n",
    "a list nested deeply": "def f(x):\n    x = []\n    for _ in range(100_000): x = [x]\n    return x\n",
    "a list nested deeply of its own": """
class List(list): pass
def f(x):
    x = []
    for _ in range(900): x = List([x])
    return x
""",
    "too long a list": "def f(x): return [None] * 5_000_000\n",
    "a number too long to be printed": "def f(x): return 10 ** 1_000_000\n",
    "a text that is no Unicode": "def f(x): return '\\ud800' * 10_000\n",
    "an object whose deletion fails": "class Bad:\n    def __del__(self): raise ValueError\ndef f(x): return Bad()\n",
    "an object whose type cannot be told": """
class Meta(type):
    def __getattribute__(self, name): raise ValueError
    def __hash__(self): raise ValueError
class Bad(metaclass=Meta):
    def __getattribute__(self, name): raise ValueError
def f(x): return Bad()
""",
    "1 less": "def f(x): return x if x == 1 else sorted(x)\n",
}
# What takes long to make, on a slow machine.
LARGE_RESULTS = {
    "too many lists": "def f(x): return [[] for _ in range(3_000_000)]\n",
}
BROKEN_FUNCTIONS = {
    "ends in the middle of a test": "import os\ndef f(x): os._exit(0)\n",
    "ends at import": "import sys\nsys.exit(0)\n",
    "ends hard at import": "import os\nos._exit(0)\n",
    "ends by SystemExit in a call": "def f(x): raise SystemExit\n",
    "ends by KeyboardInterrupt in a call": "def f(x): raise KeyboardInterrupt\n",
    "ends by GeneratorExit in a call": "def f(x): raise GeneratorExit\n",
    "no entry point": "def g(x): return x\n",
    "an entry point that is gone": "def f(x): return x\ndel f\n",
    "an entry point that cannot be called": "f = 5\n",
    "nothing at all": "",
    "closes every descriptor": "import os\ndef f(x):\n    os.closerange(0, 1000)\n    return 2\n",
    "leaves a daemon and ends": """
import os, time
def f(x):
    if os.fork() == 0: time.sleep(1e6)
    os._exit(0)
""",
}
LATE_FUNCTIONS = {
    "reads the judge's questions itself": """
import os
def f(x):
    for number in range(3, 300):
        try: os.read(number, 1 << 20)
        except OSError: pass
""",
    "an entry point that loads without end": "import time\ntime.sleep(1e9)\n",
}
# What is written to every descriptor: text, frames of the protocol, values, code, a length without end.
FORGERIES = {
    "junk": "passed",
    "a frame that says loaded": "\\0\\0\\0\\1L",
    "a frame with a value": "\\0\\0\\0\\7AVi\\2\\0\\0\\0",
    "a frame with a wrong value": "\\0\\0\\0\\7AVi\\3\\0\\0\\0",
    "a frame with code": "\\0\\0\\0\\3AVc",
    "a frame without end": "\\xff\\xff\\xff\\xff",
    "an empty frame": "\\0\\0\\0\\0",
    "a question to the judge": "\\0\\0\\0\\2QV",
    "zeros": "\\0" * 100,
}
# Loading is where the judge hears of the program for the first time: what it sends then is costly to read.
COSTLY_TO_LOAD = {
    "many constants": """b"[" + (30_000_000).to_bytes(4, "little") + b"N" * 30_000_000""",
    "many dicts": """b"[" + (15_000_000).to_bytes(4, "little") + b"{0" * 15_000_000""",
    "numbers of one hash": """b"<" + marshal.dumps([n * (2**61 - 1) for n in range(60_000)], 2)[1:]""",
    "a number of 20 MB": """marshal.dumps(1 << (20 << 23), 2)""",
}
FORGED_LOADING = """
import marshal, os
body = b"L" + {}
for number in range(3, 300):
    try:
        view = memoryview(len(body).to_bytes(4, "big") + body)
        while view: view = view[os.write(number, view):]
    except OSError: pass
def f(x): return 2
"""
# A program and an assertion over what it returns, which hangs the judge or kills it.
COSTLY_TO_JUDGE = {
    "a conversion": ('from decimal import Decimal\ndef f(x): return Decimal("1e99999999")', "int(candidate(1)) == 2"),
    "numbers of one hash": ("def f(x): return [n * (2**61 - 1) for n in range(60_000)]", "set(candidate(1)) == {2}"),
    "a set of one hash": ("def f(x): return {n * (2**61 - 1) for n in range(9_000)}", "candidate(1) == {2}"),
    "a multiplication": ("def f(x): return [1, 2]", "len(candidate(1) * 10**9) == 2"),
    "a power": ("def f(x): return 10**9", "candidate(1) ** candidate(1) == 2"),
    "a huge range": ("def f(x): return range(10**18)", "list(candidate(1)) == [2]"),
    "a sum over a huge range": ("def f(x): return range(10**18)", "sum(candidate(1)) == 2"),
    "a huge count": (
        "from collections import Counter\ndef f(x): return Counter({1: 10**12})",
        "list(candidate(1).elements()) == [2]",
    ),
    "a huge fraction": (
        "from fractions import Fraction\ndef f(x): return Fraction(3**300_000, 5**200_000)",
        "candidate(1) + candidate(1) == 2",
    ),
    "a huge number's text": ("def f(x): return 1 << 10_000_000", "str(candidate(1)) == '2'"),
}
FUNCTIONS: dict[str, Hostile] = {
    **_of("wrong_answer", WRONG_FUNCTIONS),
    **_of("wrong_answer", LARGE_RESULTS, **LONG),
    **_of("runtime_error", BROKEN_FUNCTIONS),
    **_of("time_limit", LATE_FUNCTIONS, **SHORT),
}

CORRECT_FUNCTIONS = {
    "plain": "def f(x): return x + 1 if x == 1 else sorted(x)\n",
    "an int with its own comparison": """
class Int(int):
    def __eq__(self, other): return False
def f(x): return Int(2) if x == 1 else sorted(x)
""",
    "a list with its own comparison": """
class List(list):
    def __eq__(self, other): return False
def f(x): return 2 if x == 1 else List([1, 2, 3])
""",
    "members of an enumeration": """
import enum
class E(enum.IntEnum):
    A = 1
    B = 2
    C = 3
def f(x): return E.B if x == 1 else [E.A, E.B, E.C]
""",
    "True for 1 and 1.0 for 1": "def f(x): return 2.0 if x == 1 else [True, 2.0, 3 + 0j]\n",
    "300 KB of output": """
def f(x):
    print('x' * 100_000)
    return x + 1 if x == 1 else sorted(x)
print('x' * 100_000)
""",
    "a main block that must not run": """
def f(x): return x + 1 if x == 1 else sorted(x)
if __name__ == "__main__": raise SystemExit(3)
""",
    "patches what others use": """
import builtins, marshal, os, sys
def f(x): return x + 1 if x == 1 else sorted_(x)
sorted_ = sorted
for name in ("len", "isinstance", "type", "set", "range", "ValueError", "BaseException", "AssertionError", "repr"):
    setattr(builtins, name, None)
marshal.dumps = marshal.loads = os.read = os.write = None
""",
    "mutates its argument": "def f(x):\n    if x == 1: return 2\n    y = sorted(x)\n    x[:] = []\n    return y\n",
    "sorts its argument": "def f(x):\n    if x == 1: return 2\n    x.sort()\n    return x\n",
    "closes and replaces stdout": """
import os, sys
sys.stdout.close()
os.close(1)
sys.stdout = None
def f(x): return x + 1 if x == 1 else sorted(x)
""",
    "a thread that outlives it": """
import threading, time
def f(x): return x + 1 if x == 1 else sorted(x)
threading.Thread(target=time.sleep, args=(1e6,)).start()
""",
    "a global that counts": """
calls = 0
def f(x):
    global calls
    calls += 1
    return 2 if x == 1 else sorted(x)
""",
    "a cache": """
from functools import lru_cache
@lru_cache(None)
def g(x): return x + 1
def f(x): return g(x) if x == 1 else sorted(x)
""",
    "a dataclass": """
from dataclasses import dataclass
@dataclass
class A:
    x: 'int' = 0
def f(x): return A(2).x if x == 1 else sorted(x)
""",
    "a pool": """
from multiprocessing import Pool
def square(x): return x * x
def f(x):
    with Pool(2) as pool: assert pool.map(square, [1, 2]) == [1, 4]
    return helper(x) if x == 1 else sorted(x)
""",
    "temporary files": """
import tempfile
def f(x):
    with tempfile.TemporaryFile() as file: file.write(b"x" * 1000)
    with tempfile.TemporaryDirectory() as folder, open(f"{folder}/x", "w") as file: file.write("x")
    return helper(x) if x == 1 else sorted(x)
""",
    "reads an empty stdin": """
import sys
assert sys.stdin.read() == ''
def f(x): return x + 1 if x == 1 else sorted(x)
""",
    "a lambda": "f = lambda x: x + 1 if x == 1 else sorted(x)\n",
    "a callable object": "class F:\n    def __call__(self, x): return x + 1 if x == 1 else sorted(x)\nf = F()\n",
    "uses the context": "def f(x): return math.floor(1.5) + 1 if x == 1 else sorted(x)\n",
    "a future import": "from __future__ import annotations\ndef f(x: Undefined): return 2 if x == 1 else sorted(x)\n",
    "deep recursion": """
import sys
sys.setrecursionlimit(100_000)
def down(n): return 0 if n == 0 else 1 + down(n - 1)
def f(x): return 2 if x == 1 and down(20_000) else sorted(x)
""",
    "a deeper stack in a thread": """
import sys, threading
sys.setrecursionlimit(1 << 20)
threading.stack_size(1 << 27)
def down(n): return 0 if n == 0 else 1 + max(map(down, [n - 1]))
found = []
thread = threading.Thread(target=lambda: found.append(down(20_000)))
thread.start()
thread.join()
def f(x): return 2 if x == 1 and found == [20_000] else sorted(x)
""",
    "a name that tests use too": "check = SECRET = candidate = 5\ndef f(x): return x + 1 if x == 1 else sorted(x)\n",
    "ignores interrupts": """
import signal
signal.signal(signal.SIGINT, signal.SIG_IGN)
def f(x): return x + 1 if x == 1 else sorted(x)
""",
}
WRONG_WHOLE = {
    "ends without a word": "import sys\nsys.exit(0)\n",
    "ends hard without a word": "import os\nos._exit(0)\n",
    "ends hard with words in the buffer": "import os\nprint(6)\nos._exit(0)\n",
    "prints that all passed": "print('passed', 'OK', 'Accepted')\n",
    "prints a verdict": 'print(\'{"outcome": "passed"}\')\n',
    "prints to stderr": "import sys\nprint(6, file=sys.stderr)\n",
    "prints it twice": "print(6)\nprint(6)\n",
    "prints it and more": "print(6, '')\nprint('x')\n",
    "prints less": "print('', end='')\n",
    "prints a longer number": "print('06', '6.0000001')\n",
    "prints what is not text": "import os\nos.write(1, bytes(range(256)))\n",
    "prints zeros": "import os\nos.write(1, b'6\\0\\n')\n",
    "closes stdout": "import os\nos.close(1)\nos.open('/dev/null', 2)\nprint(6)\n",
    "prints to a stdout of its own": "import io, sys\nsys.stdout = io.StringIO()\nprint(6)\n",
    "prints through a file of its own": "import os\nos.dup2(os.open('x', os.O_CREAT | os.O_WRONLY), 1)\nprint(6)\n",
    "has a daemon print it": """
import os, time
if os.fork() == 0:
    os.setsid()
    time.sleep(5)
    print(6)
""",
    "writes it to every other descriptor": """
import os
for number in [0, *range(2, 300)]:
    try: os.write(number, b"6\\n" * 5)
    except OSError: pass
""",
    "looks for the expected output": """
import os, sys
def files(folder):
    for path, folders, names in os.walk(folder):
        folders[:] = folders[:50]
        yield from (f"{path}/{name}" for name in names[:50])
for folder in (".", "/tmp", "/dev/shm", "/proc/self", "/var", "/run", "/home"):
    for path in files(folder):
        if path.endswith(("main.py", "mem", "kmsg", "pagemap")) or "/task/" in path or "/fd" in path: continue
        try:
            with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file: found = file.read(1 << 16)
        except OSError: continue
        if b"the-expected" + b"-output" in found: print(path)
print([name for name, value in os.environ.items() if "expected" in value], "none")
""",
    "looks for it in its descriptors": """
import os
for number in range(300):
    for read in (lambda: os.read(number, 1 << 16), lambda: os.pread(number, 1 << 16, 0)):
        try:
            os.set_blocking(number, False)
            print(number, read())
        except OSError: pass
""",
    "reads nothing and guesses": "print(0)\n",
}
CORRECT_WHOLE = {
    "input": "n = int(input())\nprint(sum(map(int, input().split())))\n",
    "stdin's buffer": "import sys\ndata = sys.stdin.buffer.read().split()\nprint(sum(map(int, data[1:])))\n",
    "stdin's buffer by lines": """
import sys
read = sys.stdin.buffer.readline
read()
print(sum(map(int, read().split())))
""",
    "open(0)": "lines = open(0).read().split('\\n')\nprint(sum(map(int, lines[1].split())))\n",
    "open(0) of bytes": "data = open(0, 'rb').read().split()\nprint(sum(map(int, data[1:])))\n",
    "for line in stdin": "import sys\nnext(sys.stdin)\nfor line in sys.stdin: print(sum(map(int, line.split())))\n",
    "open('/dev/stdin')": "lines = open('/dev/stdin').readlines()\nprint(sum(map(int, lines[1].split())))\n",
    "open('/proc/self/fd/0')": """
lines = open('/proc/self/fd/0').readlines()
print(sum(map(int, lines[1].split())))
""",
    "os.read and os.write": """
import os
data = os.read(0, 1 << 16).split()
os.write(1, b'%d\\n' % sum(map(int, data[1:])))
""",
    "fileinput": "import fileinput\nlines = list(fileinput.input())\nprint(sum(map(int, lines[1].split())))\n",
    "stdin replaced": """
import io, os, sys
sys.stdin = io.BytesIO(os.read(0, 1 << 16))
input = sys.stdin.readline
input()
print(sum(map(int, input().split())))
""",
    "stdout replaced": "import sys\nsys.stdout = open(1, 'w')\nprint(6)\n",
    "open('/dev/stdout')": "with open('/dev/stdout', 'w') as file: file.write('6\\n')\n",
    "stdout's buffer": "import sys\nsys.stdout.buffer.write(b'6\\n')\n",
    "stdout at exit": "import atexit\natexit.register(print, 6)\n",
    "a finalizer": "class Last:\n    def __del__(self): print(6)\nlast = Last()\n",
    "no newline at the end": "print(6, end='')\n",
    "white space around": "print('6   \\n\\n')\n",
    "carriage returns": "print('6\\r')\n",
    "another writing of the number": "print(6.0)\n",
    "ends by sys.exit(0)": "import sys\nprint(6)\nsys.exit(0)\n",
    "ends by sys.exit()": "import sys\nprint(6)\nsys.exit()\n",
    "ends hard": "import os\nprint(6, flush=True)\nos._exit(0)\n",
    "global": """
total = 0
def add(n):
    global total
    total += n
input()
for n in input().split(): add(int(n))
print(total)
""",
    "a main block": "def main(): print(6)\nif __name__ == '__main__': main()\n",
    "temporary files": """
import os, tempfile
with tempfile.TemporaryFile() as file: file.write(b"6")
with open("notes", "w") as file: file.write("6")
os.mkdir("folder")
assert os.listdir("folder") == [] and tempfile.mkdtemp()
print(open("notes").read())
""",
    "threads": """
import threading
found = []
threads = [threading.Thread(target=found.append, args=(2,)) for _ in range(3)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(sum(found))
""",
    "a thread that outlives main": """
import threading, time
print(6)
threading.Thread(target=time.sleep, args=(1e6,)).start()
""",
    "a daemon thread that outlives main": """
import threading, time
threading.Thread(target=time.sleep, args=(1e6,), daemon=True).start()
print(6)
""",
    "a thread that prints after main": "import threading, time\nthreading.Timer(0.01, print, [6]).start()\n",
    "a thread pool": """
from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor() as pool: print(sum(pool.map(int, '123')))
""",
    "a pool": """
from multiprocessing import Pool
if __name__ == '__main__':
    with Pool(2) as pool: print(sum(pool.map(int, '123')))
""",
    "a process pool": """
from concurrent.futures import ProcessPoolExecutor
if __name__ == '__main__':
    with ProcessPoolExecutor(2) as pool: print(sum(pool.map(int, '123')))
""",
    "a process and a queue": """
from multiprocessing import Process, Queue
def work(queue): queue.put(6)
if __name__ == "__main__":
    queue = Queue()
    process = Process(target=work, args=(queue,))
    process.start()
    print(queue.get())
    process.join()
""",
    "an event loop": "import asyncio\nasync def main(): print(6)\nasyncio.run(main())\n",
    "a child": "import os\nif os.fork() == 0: os._exit(0)\nos.wait()\nprint(6)\n",
    "a child that prints": """
import os, sys
if os.fork() == 0:
    print(6, flush=True)
    os._exit(0)
os.wait()
""",
    "a command": """
import subprocess, sys
subprocess.run([sys.executable, '-c', 'print(sum(map(int, open(0).read().split()[1:])))'])
""",
    "deep recursion": """
import sys
sys.setrecursionlimit(10**6)
def down(n): return 0 if n == 0 else 1 + down(n - 1)
print(down(50_000) - 49_994)
""",
    "a deeper stack in a thread": """
import sys, threading
sys.setrecursionlimit(1 << 25)
threading.stack_size(2**27)
def down(n): return 0 if n == 0 else 1 + max(map(down, [n - 1]))
thread = threading.Thread(target=lambda: print(down(20_000) - 19_994))
thread.start()
thread.join()
""",
    "a signal handler": """
import signal
signal.signal(signal.SIGALRM, lambda *_: print(6))
signal.setitimer(signal.ITIMER_REAL, 0.01)
signal.pause()
""",
    "warnings on stderr": """
import sys, warnings
warnings.warn('careful')
print('debug', file=sys.stderr)
print(6)
""",
    "much on stderr": "import sys\nprint('x' * 60_000, file=sys.stderr)\nprint(6)\n",
    "an exception that is caught": "try: {}[1]\nexcept KeyError: print(6)\n",
    "a module of the standard library": """
import bisect, collections, decimal, heapq, itertools, math, random, re, string, sqlite3
print(math.factorial(3))
""",
    "its own source": "assert 'assert' in open(__file__).read()\nprint(6)\n",
    "its own module": "open('mine.py', 'w').write('x = 6')\nimport mine\nprint(mine.x)\n",
}
BROKEN_WHOLE = {
    "ends with an exit code after the answer": "import sys\nprint(6)\nsys.exit(3)\n",
    "ends with a text after the answer": "print(6)\nraise SystemExit('sorry')\n",
    "raises after the answer": "print(6)\n{}[1]\n",
    "aborts after the answer": "import os\nprint(6, flush=True)\nos.abort()\n",
    "crashes after the answer": "import ctypes\nprint(6, flush=True)\nctypes.string_at(0)\n",
    "fails to flush": "import os\nprint(6)\nos.close(1)\n",
    "reads more than there is": "while True: input()\n",
    "asks a debugger": "breakpoint()\nprint(6)\n",
    "reads a closed stdin": "import sys\nsys.stdin.close()\nprint(6)\ninput()\n",
}
LATE_WHOLE = {
    "prints the answer and goes on": "print(6, flush=True)\nwhile True: pass\n",
}
LATE_AT_EXIT = {
    "goes on at exit": "import atexit, time\nprint(6, flush=True)\natexit.register(time.sleep, 1e9)\n",
    "goes on in a finalizer": """
import time
class Late:
    def __del__(self): time.sleep(1e9)
late = Late()
print(6, flush=True)
""",
    "waits for a child at exit": """
import multiprocessing, time
if __name__ == '__main__':
    multiprocessing.Process(target=time.sleep, args=(1e9,)).start()
    print(6, flush=True)
""",
}
UNREADABLE = {
    "a bracket that is not closed": "print(6",
    "return at the top": "return 6\n",
    "mixed indentation": "if 1:\n\tif 1:\n        print(6)\n",
    "a zero": "x = '\0'\n",
    "brackets in brackets": "(" * 5000,
    "minus after minus": "x = " + "-" * 100_000 + "1\n",
    "an unknown encoding": "# coding: no-such-thing\nprint(6)\n",
    "no Unicode": "print('\ud800')\n",
    "a number without end": "x = " + "9" * 100_000 + "\n",
}
WHOLE: dict[str, Hostile] = {
    **_of("wrong_answer", WRONG_WHOLE),
    **_of("runtime_error", BROKEN_WHOLE),
    **_of("time_limit", LATE_WHOLE, **SHORT),
    **_of("passed time_limit", LATE_AT_EXIT, **SHORT),
    **_of("compile_error", UNREADABLE),
    "memory while it is compiled": Hostile("a;" * 1_500_000, "memory_limit compile_error", "", SMALL),
}

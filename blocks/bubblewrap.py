"""How bubblewrap is asked for an isolated worker, and whether this machine grants it.

Covered: namespaces of its own for processes, network, IPC, host name and cgroup; a read-only root that holds the
system libraries and what is named, and nothing else of the host. The worker in it keeps what it needs to make the
inner namespaces of each program, where everything is dropped: as root three capabilities without a user namespace
(one that maps to uid 0 would leave RLIMIT_NPROC without effect), as an ordinary user those of a user namespace.
Not covered: what is left to `tasks.sandbox.confine`: limits, uids, the system-call filter, each program's own /tmp.
"""

import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

SYSTEM = ("/usr/lib", "/usr/lib64", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/alternatives")
CAPABILITIES = ("CAP_SYS_ADMIN", "CAP_SETUID", "CAP_SETGID", "CAP_SYS_PTRACE")

_TRIAL = """
import ctypes, os
libc = ctypes.CDLL(None)
assert libc.unshare(0x28020000) == 0 and os.path.isdir('/proc/self/fd')
child = os.fork()
if child == 0:
    made = libc.mount(b'proc', b'/proc', b'proc', 14, None) or libc.mount(b'tmpfs', b'/tmp', b'tmpfs', 6, None)
    if os.geteuid() == 0 and not made and open('/proc/self/uid_map').read().split()[2] != '1':
        os.setgroups([])
        os.setresuid(65534, 65534, 65534)
    os._exit(bool(made))
print(os.waitpid(child, 0)[1] == 0 and 'isolated')
"""


def bubblewrap_command(readable: Sequence[str]) -> list[str]:
    """The command line up to and without the program: bwrap, its options, `--`.

    `readable`: the files and folders of the host that are there, read-only, besides the system's libraries.
    """
    command = [str(shutil.which("bwrap")), "--die-with-parent", "--unshare-pid", "--unshare-net"]
    command += ["--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try", "--hostname", "sandbox"]
    if os.geteuid() == 0:
        command += ["--cap-drop", "ALL"]
        for capability in CAPABILITIES:
            command += ["--cap-add", capability]
    else:
        command += ["--unshare-user", "--uid", "0", "--gid", "0", "--cap-add", "ALL"]
    bound: list[str] = []
    for name in [*SYSTEM, *readable]:
        command += _bound_read_only(name, bound)
    for packages in _site_packages():  # not of the runtime, and their start-up files cost every program
        command += ["--tmpfs", packages, "--remount-ro", packages]
    command += ["--proc", "/proc", "--dev", "/dev", "--perms", "1777", "--tmpfs", "/dev/shm", "--remount-ro", "/dev"]
    command += ["--perms", "1777", "--tmpfs", "/tmp", "--remount-ro", "/", "--chdir", "/tmp"]
    return [*command, "--"]


@functools.cache
def detect_isolation() -> Literal["bubblewrap", "process"]:
    """ "bubblewrap" where a Python started under it can make the inner namespaces, tried once; else "process"."""
    if sys.platform != "linux" or shutil.which("bwrap") is None:
        return "process"
    command = [*bubblewrap_command(python_runtime()), interpreter(), "-S", "-c", _TRIAL]
    try:
        trial = subprocess.run(
            command, env={}, stdin=subprocess.DEVNULL, capture_output=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return "process"
    return "bubblewrap" if trial.stdout.strip() == b"isolated" else "process"


def interpreter() -> str:
    """The real path of this interpreter, out of its virtual environment."""
    return str(Path(sys.executable).resolve())


def python_runtime() -> list[str]:
    """The files that Python needs: its executable, its standard library, its shared library."""
    base, library = Path(sys.base_prefix).resolve(), Path(os.__file__).resolve().parent
    shared = [str(path) for folder in ("lib", "lib64") for path in base.glob(f"{folder}/libpython*")]
    return [interpreter(), str(library), str(base / "lib64" / library.name), *shared]


def _site_packages() -> list[str]:
    """The folders of installed packages below what `python_runtime` and the system's libraries name."""
    folders = [Path(os.__file__).resolve().parent / "site-packages", Path("/usr/lib/python3/dist-packages")]
    return [str(folder) for folder in folders if folder.is_dir()]


def _bound_read_only(name: str, bound: list[str]) -> list[str]:
    """Options that show one host path; folders above it are made readable for every uid."""
    path = Path(name)
    if not path.exists() or any(path.is_relative_to(other) for other in bound):
        return []
    options = []
    for parent in reversed(path.parents[:-1]):
        options += ["--perms", "0755", "--dir", str(parent)]
    if path.is_symlink() and path.resolve().is_relative_to("/usr"):
        return [*options, "--symlink", str(path.readlink()), name]
    bound.append(name)
    return [*options, "--ro-bind", name, name]

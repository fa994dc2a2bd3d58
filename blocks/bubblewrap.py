"""How bubblewrap is asked for an isolated process, and whether this machine grants it.

Covered: namespaces of its own for processes, network, IPC, host name and cgroup; a read-only root that
holds the system libraries and the Python runtime and nothing else of the host; bounded private tmpfs
for /tmp and /dev/shm; no capabilities beyond those that drop root; no new privileges.
Not covered: a seccomp filter, the number of inodes in /tmp, memory of tmpfs counted to the program.
"""

import functools
import os
import shutil
import subprocess
import sys
from pathlib import Path

from blocks.limits import Isolation, Limits

INTERPRETER_FLAGS = ("-s", "-P", "-S", "-B")

_TRIAL = """
import os
if os.geteuid() == 0:
    os.setgroups([])
    os.setresuid(65534, 65534, 65534)
print(os.path.isdir('/proc/self/fd') and 'isolated')
"""


def bubblewrap_command(limits: Limits) -> list[str]:
    """The command line up to and without the program: bwrap, its options, `--`.

    As root no user namespace is made, because one that maps to uid 0 leaves RLIMIT_NPROC without
    effect: the process inside keeps CAP_SETUID and CAP_SETGID, to leave root before the program runs.
    """
    command = [str(shutil.which("bwrap")), "--die-with-parent", "--unshare-pid", "--unshare-net"]
    command += ["--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try", "--hostname", "sandbox"]
    command += ["--cap-drop", "ALL"]
    if os.geteuid() == 0:
        command += ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    else:
        command += ["--unshare-user"]
    bound: list[str] = []
    for name in ["/usr/lib", "/usr/lib64", "/lib", "/lib64", "/etc/ld.so.cache", *_runtime()]:
        command += _bound_read_only(name, bound)
    tmpfs = ["--perms", "1777", "--size", str(limits.tmp_mb << 20), "--tmpfs"]
    command += ["--proc", "/proc", "--dev", "/dev", *tmpfs, "/dev/shm", "--remount-ro", "/dev"]
    command += [*tmpfs, "/tmp", "--remount-ro", "/", "--chdir", "/tmp"]
    return [*command, "--"]


@functools.cache
def detect_isolation() -> Isolation:
    """ "bubblewrap" where a Python started under it answers, tried once for real; else "process"."""
    if sys.platform != "linux" or shutil.which("bwrap") is None:
        return "process"
    command = [*bubblewrap_command(Limits(isolation="bubblewrap")), interpreter(), *INTERPRETER_FLAGS]
    try:
        trial = subprocess.run(
            [*command, "-c", _TRIAL],
            env={},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=20,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return "process"
    return "bubblewrap" if trial.stdout.strip() == b"isolated" else "process"


def interpreter() -> str:
    """The real path of this interpreter, out of its virtual environment."""
    return str(Path(sys.executable).resolve())


def _runtime() -> list[str]:
    """The files that Python needs: its executable, its standard library, its shared library."""
    base, library = Path(sys.base_prefix).resolve(), Path(os.__file__).resolve().parent
    shared = [str(path) for folder in ("lib", "lib64") for path in base.glob(f"{folder}/libpython*")]
    return [interpreter(), str(library), str(base / "lib64" / library.name), *shared]


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

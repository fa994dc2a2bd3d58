"""Landlock: what a process without privileges may do to keep its own files and processes out of a program's reach.

Used with `process` isolation, where no namespaces hide the host. Shipped as source into the sandbox.
Source: the kernel's user-space API, Documentation/userspace-api/landlock.rst (Linux 5.13; TCP since 6.7, scopes since
6.12).

Covered: reading and executing files outside the readable paths; writing, making and removing files outside the
writable ones; TCP; signals to processes outside, and abstract sockets of theirs; reaching into other processes
(ptrace, and through it /proc/PID/environ and mem), as the kernel grants it.
Not covered: stat(2) and chdir(2), so that names and sizes of files are visible; UDP; Unix sockets by path.
"""

from __future__ import annotations

import ctypes
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # the same numbers on every architecture
ASK_VERSION, PATH_BENEATH = 1, 1
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1, 2, 4, 8
OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | 1 << 14  # truncate, since version 3
FILE_RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1}
NETWORK_SINCE, SCOPES_SINCE = 4, 6
TCP, SCOPES = 3, 3

_syscall = ctypes.CDLL(None, use_errno=True).syscall


def prepare(readable: Sequence[str], writable: Sequence[str]) -> int | None:
    """A descriptor of the rules, made once for all programs; None where the kernel has no Landlock."""
    version = _syscall(CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(ASK_VERSION))
    if version < 1:
        return None
    handled = FILE_RIGHTS.get(version, FILE_RIGHTS[4])
    fields = [handled, TCP if version >= NETWORK_SINCE else 0, SCOPES if version >= SCOPES_SINCE else 0]
    attributes = (ctypes.c_uint64 * 3)(*fields)
    size = 8 if version < NETWORK_SINCE else 16 if version < SCOPES_SINCE else 24
    rules = _checked(_syscall(CREATE_RULESET, attributes, ctypes.c_size_t(size), ctypes.c_uint32(0)))
    for path in readable:
        _allow(rules, path, (EXECUTE | READ_FILE | READ_DIR) & handled)
    for path in writable:
        _allow(rules, path, handled)
    for path in ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"):
        _allow(rules, path, (READ_FILE | WRITE_FILE) & handled)
    _allow(rules, "/proc", (READ_FILE | READ_DIR) & handled)

    return rules


def restrict(rules: int) -> None:
    """Confine this process, which can gain no new privileges, for good; the descriptor is closed."""
    _checked(_syscall(RESTRICT_SELF, ctypes.c_int(rules), ctypes.c_uint32(0)))
    os.close(rules)


def _allow(rules: int, path: str, rights: int) -> None:
    try:
        beneath = os.open(path, os.O_PATH)
    except FileNotFoundError:
        return
    if not os.path.isdir(path):
        rights &= OF_FILES
    rule = rights.to_bytes(8, "little") + beneath.to_bytes(4, "little")
    try:
        _checked(_syscall(ADD_RULE, ctypes.c_int(rules), ctypes.c_int(PATH_BENEATH), rule, ctypes.c_uint32(0)))
    finally:
        os.close(beneath)


def _checked(result: int) -> int:
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result

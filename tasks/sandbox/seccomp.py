"""A seccomp filter: what a program may not ask of the kernel, whoever it runs as.

Shipped as source into the sandbox, so it imports nothing of Consort and little else.

Covered: mounts and other roots; new namespaces and joining others; ptrace and the memory of other
processes; memory that no limit of a process counts (keyrings, memfd, SysV and POSIX message queues, SysV
shared memory and semaphores); interfaces with a long record of kernel bugs (io_uring, bpf, perf,
userfaultfd, modules, kexec); clocks, host name, swap, quotas, the kernel's log; typing into a terminal;
the limits of other processes; sockets other than Unix ones and, where the network is allowed, IPv4 and
IPv6. Calls by another table of numbers (32-bit, x32) end the program by SIGSYS. A call that is newer than
the tables answers ENOSYS.
Not covered: machines other than 64-bit x86 and ARM (there is no filter there); paths, Unix sockets by
name, and what descriptors that are open already may do; everything that a number and plain arguments do
not tell.

Source: seccomp(2), struct seccomp_data in linux/seccomp.h, and the kernel's system call tables.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

# Number on x86_64, on aarch64 (None: it has no such call).
DENIED: dict[str, tuple[int, int | None]] = {
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51),
    "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430), "fsconfig": (431, 431),
    "fsmount": (432, 432), "fspick": (433, 433), "mount_setattr": (442, 442), "open_tree_attr": (467, 467),
    "unshare": (272, 97), "setns": (308, 268),
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kcmp": (312, 272),
    "pidfd_getfd": (438, 438), "process_madvise": (440, 440),
    "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219), "memfd_create": (319, 279),
    "shmget": (29, 194), "shmat": (30, 196), "shmctl": (31, 195), "shmdt": (67, 197),
    "semget": (64, 190), "semop": (65, 193), "semctl": (66, 191), "semtimedop": (220, 192),
    "msgget": (68, 186), "msgsnd": (69, 189), "msgrcv": (70, 188), "msgctl": (71, 187),
    "mq_open": (240, 180), "mq_unlink": (241, 181), "mq_timedsend": (242, 182), "mq_timedreceive": (243, 183),
    "mq_notify": (244, 184), "mq_getsetattr": (245, 185),
    "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282),
    "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265),
    "fanotify_init": (300, 262), "fanotify_mark": (301, 263), "lookup_dcookie": (212, 18),
    "init_module": (175, 105), "finit_module": (313, 273), "delete_module": (176, 106),
    "kexec_load": (246, 104), "kexec_file_load": (320, 294), "reboot": (169, 142),
    "swapon": (167, 224), "swapoff": (168, 225), "acct": (163, 89), "quotactl": (179, 60),
    "quotactl_fd": (443, 443), "nfsservctl": (180, 42), "syslog": (103, 116), "vhangup": (153, 58),
    "settimeofday": (164, 170), "clock_settime": (227, 112), "clock_adjtime": (305, 266), "adjtimex": (159, 171),
    "sethostname": (170, 161), "setdomainname": (171, 162),
    "iopl": (172, None), "ioperm": (173, None), "modify_ldt": (154, None),
}  # fmt: skip
# Answered as by a kernel without them: whoever tries them knows another way.
ABSENT: dict[str, tuple[int, int | None]] = {
    "clone3": (435, 435), "memfd_secret": (447, 447),
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
}  # fmt: skip
# Judged by an argument.
CLONE, IOCTL, SOCKET, SOCKETPAIR, PRLIMIT = (56, 220), (16, 29), (41, 198), (53, 199), (302, 261)
NEWEST = 469  # file_setattr, Linux 6.17: later numbers are the same on all machines, and unknown here

_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C
_AF_UNIX, _AF_INET, _AF_INET6 = 1, 2, 10
# CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. NEWTIME is for clone3 and unshare alone.
_NAMESPACES = 0x00020000 | 0x02000000 | 0x04000000 | 0x08000000 | 0x10000000 | 0x20000000 | 0x40000000

# By `uname -m`: the column above, AUDIT_ARCH_* of linux/audit.h, and whether x32 calls exist. Little-endian.
_MACHINES = {"x86_64": (0, 0xC000003E, True), "aarch64": (1, 0xC00000B7, False)}
_X32, _NO_CALL = 0x40000000, 0xFFFFFFFF  # the bit of x32 numbers; syscall(-1)

# Operations of classic BPF, what a filter returns, and places in struct seccomp_data.
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _ERRNO, _KILL_PROCESS = 0x7FFF0000, 0x00050000, 0x80000000
_NUMBER, _ARCHITECTURE, _FIRST, _SECOND = 0, 4, 16, 24

_SET_NO_NEW_PRIVS, _SET_SECCOMP, _MODE_FILTER = 38, 22, 2


def program(allow_network: bool, machine: str | None = None) -> bytes:
    """The filter (classic BPF, 8 bytes an instruction) for this machine, or another by its `uname -m`.

    Empty where there are no tables: on other machines, and for a 32-bit Python.
    The kernel (5.11 and later) remembers of each number whether it is allowed whatever its arguments are,
    so that there only `clone`, `ioctl`, `prlimit64` and the making of sockets run through the filter.
    """
    known = _MACHINES.get(machine or os.uname().machine)
    if known is None or struct.calcsize("P") != 8:
        return b""
    column, architecture, has_x32 = known
    code: list[bytes] = []
    allowed, refused = _put(code, _RETURN, _ALLOW), _put(code, _RETURN, _ERRNO | errno.EPERM)
    absent, killed = _put(code, _RETURN, _ERRNO | errno.ENOSYS), _put(code, _RETURN, _KILL_PROCESS)
    answers = {number[column]: refused for number in DENIED.values()}
    answers |= {number[column]: absent for number in ABSENT.values()}
    # Of these arguments the kernel reads the lower word alone: a filter that asked for more could be evaded.
    _put(code, _ANY_BIT, _NAMESPACES, refused, allowed)
    answers[CLONE[column]] = _put(code, _LOAD, _FIRST)
    _put(code, _EQUAL, _TIOCSTI, refused, _put(code, _EQUAL, _TIOCLINUX, refused, allowed))
    answers[IOCTL[column]] = _put(code, _LOAD, _SECOND)
    _put(code, _EQUAL, 0, allowed, refused)  # its own limits, and of no process by its number
    answers[PRLIMIT[column]] = _put(code, _LOAD, _FIRST)
    _put(code, _EQUAL, _AF_UNIX, allowed, refused)
    answers[SOCKETPAIR[column]] = answers[SOCKET[column]] = _put(code, _LOAD, _FIRST)
    if allow_network:
        inet6 = _put(code, _EQUAL, _AF_INET6, allowed, refused)
        _put(code, _EQUAL, _AF_UNIX, allowed, _put(code, _EQUAL, _AF_INET, allowed, inet6))
        answers[SOCKET[column]] = _put(code, _LOAD, _FIRST)
    ranges = [*_ranges(answers, allowed), (NEWEST + 1, absent)]
    _search(code, ranges + [(_X32, killed), (_NO_CALL, absent)] * has_x32)
    number = _put(code, _LOAD, _NUMBER)
    _put(code, _EQUAL, architecture, number, killed)
    _put(code, _LOAD, _ARCHITECTURE)
    return b"".join(reversed(code))


def prepare(filter: bytes) -> Callable[[], None]:
    """Make what installs the filter in the calling thread and in all that it will start, for good.

    To be made once and called in forked children. An empty filter leaves no new privileges alone.
    The call raises OSError where the kernel refuses.
    """
    code = ctypes.create_string_buffer(filter, len(filter))
    length = len(filter) // struct.calcsize("=HBBI")
    # struct sock_fprog { unsigned short len; struct sock_filter *filter; }
    described = ctypes.create_string_buffer(struct.pack("@HP", length, ctypes.addressof(code)))
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    prctl.argtypes, prctl.restype = [ctypes.c_int, *[ctypes.c_ulong] * 4], ctypes.c_int
    place, get_errno, message = ctypes.addressof(described), ctypes.get_errno, os.strerror

    def install_prepared(kept: object = (code, described)) -> None:
        if prctl(_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or (length and prctl(_SET_SECCOMP, _MODE_FILTER, place, 0, 0)):
            number = get_errno()
            raise OSError(number, f"the kernel refuses the seccomp filter: {message(number)}")

    return install_prepared


def install(filter: bytes) -> None:
    """Install the filter of `program` in the calling thread, at once; see `prepare`."""
    prepare(filter)()


def _put(code: list[bytes], operation: int, value: int, *targets: int) -> int:
    """Put an instruction in front of the others, and return its place: BPF only jumps forward.

    `targets` are the places where a comparison goes on when it holds, and when it does not.
    """
    place = len(code)
    skips = [place - target - 1 for target in targets] or [0, 0]
    code.append(struct.pack("=HBBI", operation, *skips, value))
    return place


def _ranges(answers: dict[int | None, int], other: int) -> list[tuple[int, int]]:
    """The first number and the answer of each range of numbers that are answered alike."""
    ranges = [(0, other)]
    for number in range(NEWEST + 1):
        answer = answers.get(number, other)
        if answer != ranges[-1][1]:
            ranges.append((number, answer))
    return ranges


def _search(code: list[bytes], ranges: list[tuple[int, int]]) -> int:
    """A binary search for the range that the loaded number is in; returns where it begins."""
    middle = len(ranges) // 2
    if not middle:
        return ranges[0][1]
    above, below = _search(code, ranges[middle:]), _search(code, ranges[:middle])
    return _put(code, _AT_LEAST, ranges[middle][0], above, below)

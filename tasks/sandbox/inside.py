"""What runs inside the isolated process: confine it, load the program, answer the judge's calls.

Shipped as source together with `tasks.sandbox.values` (one namespace), so it imports nothing of Consort
and little else. What it needs after the program loaded is bound before: a program may patch builtins.
Nothing it says is trusted: whatever the program could make it say is worth what a return value is worth.

Covered: limits that only the process itself can set, leaving root, a module that is not `__main__`.
Not covered: hiding itself from the program, which may read it, break it and end it.
"""

from __future__ import annotations

import marshal
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from tasks.sandbox.values import dump, rebuild

PROGRAM = "<program>"


def confine(numbers: Sequence[tuple[int, int, int]], uid: int, alone: bool) -> None:
    """Set the limits `(resource, soft, hard)`, leave root for `uid` (0: stay), lower the priority.

    `alone`: without bubblewrap, ask the kernel for what it would give: no new privileges, and the end
    of this process when the one that started it ends.
    """
    import resource

    for what, soft, hard in numbers:
        most = resource.getrlimit(what)[1]
        if most != resource.RLIM_INFINITY:
            soft, hard = min(soft, most), min(hard, most)
        resource.setrlimit(what, (soft, hard))
    os.nice(5)
    os.umask(0o077)
    if uid:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    if alone and sys.platform == "linux":
        import ctypes

        prctl = ctypes.CDLL(None).prctl
        prctl(38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS
        prctl(1, 9, 0, 0, 0)  # PR_SET_PDEATHSIG, SIGKILL
    os.environ.pop("PYTHONHASHSEED", None)


def serve(requests: int, replies: int) -> None:
    """Answer frames from `requests` on `replies` until the judge closes them.

    A frame is four bytes of length and a body. The judge's bodies are trusted and read by marshal; the
    first is the sources and the entry point, each further one the arguments of a call.
    """
    loads, everything, end, build, to_plain = marshal.loads, BaseException, os._exit, rebuild, dump
    receive, send, described = _receiver(requests, os.read), _sender(replies, os.write), _describer()
    send(b"R")
    context, program, entry_point = loads(receive())
    answer, function = _loaded(context, program, entry_point, described)
    send(answer)
    while function is not None and (request := receive()):
        sent = loads(request[1:])
        call: Any = sent if request[:1] == b"V" else build(sent, None)
        try:
            answer = to_plain(function(*call[0], **call[1]))
        except everything as error:
            answer = b"X" + described(error)
        send(answer)
    end(0)


def _loaded(
    context: str, program: str, entry_point: str, described: Callable[[BaseException], bytes]
) -> tuple[bytes, Callable[..., object] | None]:
    """`L` and the function; or `C` a syntax error, `N` no entry point, `X` any other exception."""
    module, everything, is_callable = type(sys)("program"), BaseException, callable
    sys.modules["program"] = module
    try:
        code = compile(program, PROGRAM, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError) as error:
        return b"C" + described(error), None
    try:
        exec(compile(context, "<context>", "exec", dont_inherit=True), module.__dict__)
        module.__dict__.pop(entry_point, None)
        exec(code, module.__dict__)
        function = module.__dict__.get(entry_point)
    except everything as error:
        return b"X" + described(error), None
    return (b"L", function) if is_callable(function) else (b"N", None)


def _describer() -> Callable[[BaseException], bytes]:
    """Make `(type name, message, line of the program)` of an exception, 0 where no line is known."""
    dumps, name_of, text, plain = marshal.dumps, type.__dict__["__name__"].__get__, str, str.__str__
    attribute, of_type = getattr, SyntaxError
    kind_of, everything, whole = type, BaseException, int

    def described(error: BaseException) -> bytes:
        line, trace = 0, error.__traceback__
        while trace is not None:
            if trace.tb_frame.f_code.co_filename == PROGRAM:
                line = trace.tb_lineno
            trace = trace.tb_next
        try:
            message = text(error)
            if of_type in kind_of(error).__mro__ and attribute(error, "filename", "") == PROGRAM:
                message, line = text(error.msg), whole(error.lineno or 0)  # type: ignore[attr-defined]
        except everything:
            message = ""
        return dumps((name_of(kind_of(error))[:200], plain(message)[:2000], line), 2)

    return described


def _receiver(descriptor: int, read: Callable[[int, int], bytes]) -> Callable[[], bytes]:
    """Read one frame; empty at the end of the pipe."""
    join, size, whole = b"".join, len, int.from_bytes

    def exactly(length: int) -> bytes:
        parts: list[bytes] = []
        while length:
            part = read(descriptor, length if length < 1 << 20 else 1 << 20)
            if not part:
                return b""
            parts.append(part)
            length -= size(part)
        return join(parts)

    return lambda: exactly(whole(exactly(4), "big"))


def _sender(descriptor: int, write: Callable[[int, memoryview], int]) -> Callable[[bytes], None]:
    size, to_bytes, view = len, int.to_bytes, memoryview

    def send(body: bytes) -> None:
        data = view(to_bytes(size(body), 4, "big") + body)
        while data:
            data = data[write(descriptor, data) :]

    return send

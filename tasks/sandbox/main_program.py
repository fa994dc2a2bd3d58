"""Runs a whole program in a child forked from a warm Python, as a fresh `python3 path` would run it.

Shipped as source, so it imports nothing of Consort and only what every Python has. The state that the
interpreter is in when this module is imported is the one that programs find: import it first. The warm Python
is started as `python3 -c CODE` without options, its descriptors 0, 1 and 2 being pipes; CODE should be small,
because each child frees what was made of it.

How: `run` raises a SystemExit that unwinds every Python frame of the warm process. The interpreter asks it
for its `code`, and that answer calls the steps of the program's life one by one from C code. So there is no
Python frame below the program, its exit handlers and its finalizers: `sys._getframe(1)` fails, tracebacks
start at `<module>`, warnings come from `sys:1`. The end of the interpreter is imitated in the order of
`Py_FinalizeEx` (CPython's Python/pylifecycle.c) instead of run, which costs 5 ms.

Covered: the attributes of `__main__` and of `sys`; encodings and errors of the source; exit codes and
signals; exceptions and hooks; threads, exit handlers, finalizers, buffers; processes that the program forks.
Not covered, where it differs from a fresh Python:
- `sys.flags` are the warm process's, and `/proc/self/cmdline` is its own;
- modules that the warm process imported are in `sys.modules`: a file of the same name does not shadow them,
  and exit handlers that they registered run, after all of the program's (so it should not import logging);
- `gc.get_objects()` lacks what was frozen, and after `gc.unfreeze()` collecting is slower;
- CPython 3.11, which counts calls of C code, lets the main thread recurse one frame less;
- daemon threads go on while finalizers run; objects that nothing but the standard library or such a thread
  refers to may be finalized later, when nobody hears them, or not at all;
- trace and profile functions of the main thread are not called after the main code has ended;
- `sys.excepthook` and what `threading._register_atexit` calls have one frame below their own;
- audit hooks do not hear of uncaught exceptions, and C code that is to run at exit does not run;
- threads and processes may be started after the main code has ended, which CPython 3.12 refuses.
"""

from __future__ import annotations

import _thread
import atexit
import builtins
import codecs
import contextlib
import functools
import gc
import io
import itertools
import operator
import os
import sys
import types
import weakref
from importlib.machinery import SourceFileLoader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any, NoReturn

globals()["__builtins__"] = dict(vars(builtins))  # a program may patch its own

_MODULES, _BUILTINS, _SYS, _ABSENT = sys.modules, dict(vars(builtins)), dict(vars(sys)), object()
_STREAMS = ("stdin", "__stdin__", "stdout", "__stdout__", "stderr", "__stderr__")
_HOOKS = ("displayhook", "excepthook", "breakpointhook", "unraisablehook")
for _name in _STREAMS:
    del _SYS[_name]  # nothing here may keep them alive
_signal: Any = _MODULES["_signal"]
_SIGNALS = {number: _signal.getsignal(number) for number in _signal.valid_signals()}
_BLOCKED = _signal.pthread_sigmask(_signal.SIG_BLOCK, ())
_FILTERS = list(_MODULES["_warnings"].filters)
_RECURSION, _SWITCHING, _COLLECTING = sys.getrecursionlimit(), sys.getswitchinterval(), gc.get_threshold()
_PRINTED, _UNRAISABLE, _THREADS = sys.excepthook, sys.unraisablehook, sys._current_frames
_COLLECT, _COLLECTED, _UNFREEZE = gc.collect, gc.isenabled, gc.unfreeze
_FLUSH, _SHUTDOWN = operator.methodcaller("flush"), operator.methodcaller("_shutdown")
_EXIT, _KILL, _WRITE, _PROCESS = os._exit, os.kill, os.write, os.getpid


def prepare() -> None:
    """Make ready what can be: to be called in the warm process after its imports, before `gc.freeze()`.

    Without it programs run as well. Each page of memory that a child need not write to saves it 3 us.
    """
    _prepared[:] = [_Program()]


def run(path: str, ready: Callable[[str], None]) -> NoReturn:
    """Become `python3 path`, started in the current folder; the process ends with the program.

    To be called in the main thread of a forked child, whose descriptors 0, 1 and 2 are the program's, from
    code that the interpreter runs at its top level (`python3 -c`). It raises Start, which must reach that top.
    `ready` is told "compile_error", or "" right before the program's code starts and "main_done" when that
    has ended (with an exit status, "main_failed") and its output is flushed: threads, exit handlers and
    finalizers are still to come.
    """
    program, here = _prepared[0] if _prepared else _Program(), os.getcwd()
    absolute = os.path.abspath(path) if "/" in path else f"{here}/{path}"
    program.begin(path, absolute, here, _compiled(absolute, ready))
    program.ready = ready
    gc.enable()
    ready("")
    raise program.start


def _compiled(path: str, ready: Callable[[str], None]) -> types.CodeType:
    """Compile the file; print its error as a fresh Python does and end the process.

    What Python says of a file's encoding it says of no string: there a fresh one is asked for its words.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    source = os.read(descriptor, os.fstat(descriptor).st_size)
    os.close(descriptor)
    has_cookie = any(b"coding" in line for line in source.split(b"\n", 2)[:2])
    try:
        if not has_cookie:
            source.decode()
        return compile(source, path, "exec", dont_inherit=True)
    except Exception as error:  # noqa: BLE001 (each is an error of the source, or a fresh Python says which)
        failure = error.with_traceback(None)
    ready("compile_error")
    if has_cookie or b"\0" in source or not isinstance(failure, SyntaxError):
        with contextlib.suppress(OSError):
            os.execv(sys.executable, [sys.executable, path])
    _PRINTED(type(failure), failure, None)
    sys.stderr.flush()
    return _EXIT(1)


class Start(SystemExit):
    """Unwinds the warm process's frames; asked for its `code` by the interpreter, it runs the program."""

    def __str__(self) -> str:
        """A step failed, which none should, and the interpreter prints this exception: go on with the next."""
        while _tried(list, self)[1] is not None:
            continue
        return _EXIT(1)


class _Raw:
    """As much of a raw stream as BufferedWriter asks for."""

    closed = True  # until there is something to close
    close: Callable[[], object]

    def writable(self) -> bool:
        return True


class _Program:
    """The steps of a program's life, and what one leaves for the next.

    No method may keep an object of the program alive: its finalizers would not run.
    """

    def __init__(self) -> None:
        self.kept = {name: module for name, module in _MODULES.items() if isinstance(module, types.ModuleType)}
        self.ready: Callable[[str], object] = repr
        self.library = [entry for entry in sys.path if entry]
        self.corrections = list(_corrections())
        self.status, self.interrupted = 0, False
        self.removed: list[weakref.ref[types.ModuleType]] = []
        self.flush_of_c = _flush_of_c()
        self.streams = [weakref.ref(stream) for stream in (sys.stdin, sys.stdout, sys.stderr) if stream is not None]
        self.held: list[object] = []
        # BufferedWriter.close() calls flush(), which will be the program, catches what it raises and calls
        # the raw stream's close(). What that raises gets the caught exception as its context.
        self.raw, self.marker = _Raw(), StopIteration()
        self.raw.close = functools.partial(codecs.strict_errors, self.marker)  # type: ignore[arg-type]
        self.writer = io.BufferedWriter(self.raw)  # type: ignore[type-var]
        self.steps: list[Callable[[], object]] = [
            functools.partial(sys.settrace, None),
            functools.partial(sys.setprofile, None),
            self.main_ended,
            self.wait_for_threads,
            atexit._run_exitfuncs,
            self.finalization_started,
            _COLLECT,
            self.modules_removed,
            _COLLECT,
            self.cached_types_forgotten,
            _COLLECT,
            self.library_forgotten,
            _COLLECT,
            self.modules_cleared,
            _COLLECT,
            self.leave,
        ]
        # iter() ends at the marker; operator.call, map, chain and list are C code.
        called: Iterable[object] = map(operator.call, self.steps)
        life = itertools.chain(iter(self.writer.close, None), called)
        kind: type[Start] = type("Start", (Start,), {"code": property(list), "__iter__": life.__iter__})
        self.start = kind()

    def begin(self, path: str, absolute: str, here: str, code: types.CodeType) -> None:
        """Make `__main__`, and put right in `sys` and elsewhere what a fresh interpreter has otherwise."""
        self.process = _PROCESS()
        for correct in self.corrections:
            correct()
        folder = os.path.dirname(os.path.realpath(absolute)) if "/" in path else here
        sys.argv, sys.orig_argv = [path], [sys.executable, path]
        sys.path[:] = [folder, *self.library]
        sys.path_importer_cache.pop(folder, None)
        if "multiprocessing.process" in _MODULES:
            vars(_MODULES["multiprocessing.process"])["ORIGINAL_DIR"] = here
        main, loader = types.ModuleType("__main__"), SourceFileLoader("__main__", absolute)
        self.namespace, self.loader = vars(main), weakref.ref(loader)
        if sys.version_info < (3, 14):
            self.namespace["__annotations__"] = {}
        self.namespace.update(__loader__=loader, __builtins__=builtins, __file__=absolute, __cached__=None)
        _MODULES.pop("__main__", None)
        _MODULES["__main__"] = main
        self.raw.closed = False
        vars(self.writer)["flush"] = types.FunctionType(code, self.namespace)

    def main_ended(self) -> None:
        """Flush, report what was raised, take back the names that only the main code has (pyrun_simple_file)."""
        error, self.marker.__context__ = self.marker.__context__, None
        namespace, self.namespace = self.namespace, {}
        self.raw.closed = True
        vars(self.writer).clear()
        _flush_all([vars(sys).get("stderr"), vars(sys).get("stdout")])
        exiting = error if error is None or isinstance(error, SystemExit) else _reported(error)
        if exiting is not None:
            self.status = _status(exiting)
        else:
            self.status, self.interrupted = int(error is not None), type(error) is KeyboardInterrupt
            for name in ("__file__", "__cached__"):
                namespace.pop(name, None)
        if _PROCESS() == self.process:
            self.ready("main_failed" if self.status else "main_done")

    def wait_for_threads(self) -> None:
        threading: Any = _MODULES.get("threading")
        if threading is not None and (_thread._count() or getattr(threading, "_threading_atexits", True)):
            _, error = _tried(_SHUTDOWN, threading)
            if error is not None:
                _ignored(error, threading)

    def finalization_started(self) -> None:
        """Flush, which is the one thing that may still change the exit code; forget the signal handlers."""
        sys.is_finalizing = lambda: True
        if not _COLLECTED():
            self.steps[self.steps.index(_COLLECT)] = int  # which does nothing
        for name in ("stdout", "stderr"):
            file = vars(sys).get(name)
            if file is None or _tried(bool, _tried(getattr, file, "closed")[0])[0]:
                continue
            _, error = _tried(_FLUSH, file)
            if error is not None:
                self.status = 120
            if error is not None and name == "stdout":
                _ignored(error, file)
        for number in _SIGNALS:
            handler = _signal.getsignal(number)
            if handler not in (None, _signal.SIG_DFL, _signal.SIG_IGN):
                _signal.signal(number, _signal.SIG_DFL)

    def modules_removed(self) -> None:
        """Take the program's modules from `sys.modules`, and let nothing be imported (finalize_modules).

        Modules of the warm process stay where they are, because to touch each of them takes 0.3 ms.
        """
        self.flush_of_c = self.flush_of_c or _tried(_flush_of_c)[0]
        for name in _CLEARED:
            setattr(sys, name, None)
        for name in ("stdin", "stdout", "stderr"):
            setattr(sys, name, vars(sys).get(f"__{name}__"))
        late = ["__main__", *reversed(list(itertools.takewhile("__main__".__ne__, reversed(_MODULES)))), "warnings"]
        for name in late:
            if isinstance(_MODULES.get(name), types.ModuleType):
                if _MODULES[name] is not self.kept.get(name):
                    self.removed.append(weakref.ref(_MODULES[name]))
                _MODULES[name] = None  # type: ignore[assignment]
        for name in late:
            _MODULES.pop(name, None)
        vars(builtins)["__import__"] = _no_import

    def cached_types_forgotten(self) -> None:
        """`list[Node]`, written with `typing.List`, is in a cache that keeps the whole program alive."""
        if self.loader() is not None:
            for forget in getattr(self.kept.get("typing"), "_cleanups", ()):
                forget()

    def library_forgotten(self) -> None:
        """What still keeps the program alive is the standard library's: let that go too, which takes some ms."""
        if self.loader() is not None and len(_THREADS()) == 1:
            self.removed[:0] = [weakref.ref(module) for module in self.kept.values() if not _is_own(module)]
            _MODULES.clear()
            own = dict(vars(builtins))
            vars(builtins).clear()
            vars(builtins).update(_BUILTINS, __import__=_no_import)
            del own
            self.kept.clear()
            _UNFREEZE()

    def modules_cleared(self) -> None:
        """Take their names from modules that are still there, and from `sys` what the program put there."""
        for reference in reversed(self.removed):
            module = reference()
            if module is not None:
                _clear(vars(module), list(vars(module)))
        own = [*itertools.takewhile(lambda name: name not in _SYS, reversed(vars(sys)))]
        self.held = [stream() for stream in self.streams]  # to free them costs more than to flush them
        _clear(vars(sys), [*_HOOKS, *_STREAMS, *reversed(own)])
        _flush_all(self.held)

    def leave(self) -> None:
        _flush_all(self.held)
        if self.flush_of_c is not None:
            _tried(self.flush_of_c, None)
        if self.interrupted:
            _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
            _KILL(_PROCESS(), _signal.SIGINT)
            self.status = 130
        _EXIT(self.status)


def _flush_of_c() -> Callable[[None], object] | None:
    """The C library's own buffers are flushed at exit: who has ctypes may have written to them."""
    ctypes: Any = _MODULES.get("ctypes")
    return None if ctypes is None else ctypes.pythonapi.fflush


def _is_own(module: types.ModuleType) -> bool:
    return vars(module) is globals() or any(module is value for value in globals().values())


def _corrections() -> Iterator[Callable[[], object]]:
    """What puts right each thing that the warm process changed since the import of this module."""
    for name in vars(sys).keys() - _SYS.keys() - set(_STREAMS):
        yield functools.partial(delattr, sys, name)
    for name, value in _SYS.items():
        if vars(sys).get(name, _ABSENT) is not value:
            yield functools.partial(setattr, sys, name, value)
    for number, handler in _SIGNALS.items():
        if handler is not None and _signal.getsignal(number) is not handler:
            yield functools.partial(_signal.signal, number, handler)
    package = __name__.partition(".")[0]
    for name in _MODULES:
        if name.partition(".")[0] == package:
            yield functools.partial(_MODULES.pop, name, None)
    if sys.dont_write_bytecode != bool(os.environ.get("PYTHONDONTWRITEBYTECODE")):
        yield functools.partial(setattr, sys, "dont_write_bytecode", not sys.dont_write_bytecode)
    if _MODULES["_warnings"].filters != _FILTERS:
        yield functools.partial(_MODULES["_warnings"].filters.__setitem__, slice(None), _FILTERS)
    if _signal.pthread_sigmask(_signal.SIG_BLOCK, ()) != _BLOCKED:
        yield functools.partial(_signal.pthread_sigmask, _signal.SIG_SETMASK, _BLOCKED)
    if sys.getrecursionlimit() != _RECURSION:
        yield functools.partial(sys.setrecursionlimit, _RECURSION)
    if sys.getswitchinterval() != _SWITCHING:
        yield functools.partial(sys.setswitchinterval, _SWITCHING)
    if gc.get_threshold() != _COLLECTING:
        yield functools.partial(gc.set_threshold, *_COLLECTING)


def _reported(error: BaseException) -> SystemExit | None:
    """Hand an exception to `sys.excepthook` (PyErr_PrintEx); returns the SystemExit that the hook raises."""
    sys.last_type, sys.last_value, sys.last_traceback = type(error), error, error.__traceback__
    if sys.version_info >= (3, 12):
        sys.last_exc = error
    hook = vars(sys).get("excepthook", _ABSENT)
    if hook is _ABSENT:
        _say("sys.excepthook is missing\n")
        _PRINTED(type(error), error, error.__traceback__)
        return None
    _, failure = _tried(hook, type(error), error, error.__traceback__)
    if failure is None or isinstance(failure, SystemExit):
        return failure
    _say("Error in sys.excepthook:\n")
    _PRINTED(type(failure), failure, failure.__traceback__)
    _say("\nOriginal exception was:\n")
    _PRINTED(type(error), error, error.__traceback__)
    return None


def _status(exiting: SystemExit) -> int:
    """The exit code of a SystemExit; what is not a number is written to stderr (_Py_HandleSystemExit)."""
    code, error = _tried(getattr, exiting, "code")
    if error is not None:
        code = exiting
    if code is None:
        return 0
    if issubclass(type(code), int):
        number = int.__index__(code)
        return number & 255 if -(2**63) <= number < 2**63 else 255
    if vars(sys).get("stderr") is None:
        _say(_tried(str, code)[0] or "")
    else:
        _tried(lambda: sys.stderr.write(str(code)))
    _say("\n")
    return 1


def _ignored(error: BaseException, about: object) -> None:
    """Report an error that goes nowhere, through `sys.unraisablehook` (PyErr_WriteUnraisable)."""
    hook = vars(sys).get("unraisablehook", _UNRAISABLE)
    _, failure = _tried(hook, _UnraisableHookArgs((type(error), error, error.__traceback__, None, about)))
    if failure is not None:
        _UNRAISABLE(_UnraisableHookArgs((type(failure), failure, failure.__traceback__, None, hook)))


def _flush_all(files: Iterable[object]) -> None:
    for file in files:
        if file is not None:
            _tried(_FLUSH, file)


def _say(text: str) -> None:
    """Write to `sys.stderr`, or past it where the program broke it."""
    _, error = _tried(lambda: sys.stderr.write(text))
    if error is not None:
        _WRITE(2, text.encode("utf-8", "backslashreplace"))


def _tried(call: Callable[..., Any], *arguments: object) -> tuple[Any, BaseException | None]:
    """What a call returns and what it raises, without this frame in the traceback. Programs raise anything."""
    try:
        return call(*arguments), None
    except BaseException as error:  # noqa: BLE001 (a program may raise anything)
        return None, BaseException.with_traceback(error, error.__traceback__ and error.__traceback__.tb_next)


def _no_import(name: str, *_: object, **__: object) -> NoReturn:
    raise ImportError("sys.meta_path is None, Python is likely shutting down", name=name)


def _clear(namespace: dict[str, Any], names: Iterable[str]) -> None:
    """Set names to None, those with one underscore first (_PyModule_ClearDict)."""
    private = [name for name in names if name[:1] == "_" and name[1:2] != "_"]
    for name in [*private, *(name for name in names if name not in private and name != "__builtins__")]:
        namespace[name] = None


def _type_of_unraisable() -> Callable[[tuple[object, ...]], Any]:
    """The type of what `sys.unraisablehook` is given has no name: it is learned from an example."""

    class Trouble:
        def __del__(self) -> None:
            raise ValueError

    seen: list[object] = []
    sys.unraisablehook = seen.append
    Trouble()
    sys.unraisablehook = _UNRAISABLE
    return type(seen[0])


_UnraisableHookArgs = _type_of_unraisable()
_CLEARED = [
    *("path", "argv", "ps1", "ps2", "last_type", "last_value", "last_traceback", "last_exc"),
    *("path_hooks", "path_importer_cache", "meta_path", "__interactivehook__"),
]
_prepared: list[_Program] = []

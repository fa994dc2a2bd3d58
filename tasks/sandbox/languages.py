"""The languages that whole programs may be written in: one table entry each.

Compilers run in the sandbox and within limits like the programs themselves. What an entry needs is looked for on the
machine before a run starts (`missing`).
"""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from blocks.bubblewrap import python_runtime

if TYPE_CHECKING:
    from collections.abc import Callable

COMPILERS = ("/usr/bin", "/usr/include", "/usr/local/include")
# Linear in any source: what is not closed goes to the end.
NO_CODE = re.compile(
    r"""//[^\n]*|/\*.*?(?:\*/|\Z)|"{3}(?:\\.|[^\\])*?(?:"{3}|\Z)|"(?:\\.|[^"\\\n])*"?|'(?:\\.|[^'\\\n])*'?""", re.S
)
WORDS = re.compile(r"[{};]|[\w.]+")


class Language(NamedTuple):
    """How programs of one language are built and run.

    `{file}`, `{main}` and `{memory}` (MiB) in a command are filled in; a command's first word is looked up on the
    machine. `readable`: paths of the host that the sandbox shows besides the system's libraries. `bounded`: whether
    the address space is limited (runtimes that reserve much more than they use cannot live with that).
    `keeps_source`: the source is there when the program runs. `more_seconds` and `more_memory_mb`: what the runtime
    itself takes, on top of a problem's limits.
    """

    name: str
    extension: str
    tools: tuple[str, ...]
    package: str
    build: tuple[tuple[str, ...], ...] = ()
    run: tuple[str, ...] = ("./main",)
    build_readable: tuple[str, ...] = COMPILERS
    readable: tuple[str, ...] = ()
    bounded: bool = True
    keeps_source: bool = False
    more_seconds: float = 0.0
    more_memory_mb: int = 0
    environment: tuple[tuple[str, str], ...] = ()
    main: Callable[[str], tuple[str, str]] | None = None

    def file(self, source: str) -> tuple[str, str]:
        """The name of the source's file, and what `{main}` is."""
        return self.main(source) if self.main else (f"main.{self.extension}", "main")


def _java_names(source: str) -> tuple[str, str]:
    """A public class names its file; the class around the main method is the one to start. Inner ones are neither."""
    depth, before, is_public = 0, "", False
    package = around = public = started = ""
    for word in WORDS.findall(NO_CODE.sub(" ", source)):
        if word in "{};":
            depth += {"{": 1, "}": -1, ";": 0}[word]
            is_public = False
        elif before == "package" and not depth:
            package = f"{word}."
        elif before in ("class", "record", "enum", "interface") and not depth:
            around = word
            public = word if is_public else public
        elif (before, word, depth) == ("void", "main", 1):
            started = started or around
        is_public = is_public or word == "public"
        before = word
    started = started or public or "Main"
    return f"{public or started}.java", f"{package}{started}"


LANGUAGES = {
    language.name: language
    for language in (
        Language("Python3", "py", (), "python3"),
        Language(
            "C", "c", ("gcc", "as", "ld"), "gcc libc6-dev",
            build=(("gcc", "-O2", "-std=gnu17", "-fmax-errors=20", "-o", "main", "{file}", "-lm", "-pthread"),),
        ),
        Language(
            "C++", "cpp", ("g++", "as", "ld"), "g++",
            build=(("g++", "-O2", "-std=gnu++20", "-fmax-errors=20", "-o", "main", "{file}", "-pthread"),),
        ),
        Language(
            "Java", "java", ("javac", "java"), "default-jdk-headless",
            build=(("javac", "-J-XX:+UseSerialGC", "-J-Xmx512m", "-encoding", "UTF-8", "-d", ".", "{file}"),),
            run=("java", "-XX:+UseSerialGC", "-XX:-UsePerfData", "-Xss64m", "-Xmx{memory}m", "-cp", ".", "{main}"),
            readable=("/etc/java-*",), bounded=False, more_seconds=1.0, more_memory_mb=256, main=_java_names,
        ),
        Language(
            "JavaScript", "js", ("node",), "nodejs",
            build=(("node", "--check", "{file}"),), build_readable=(),
            run=("node", "--max-old-space-size={memory}", "{file}"), keeps_source=True,
            readable=("/usr/share/nodejs", "/usr/share/node_modules", "/etc/ssl/openssl.cnf"), bounded=False,
            more_seconds=0.2, more_memory_mb=192,
        ),
        Language(
            "Rust", "rs", ("rustc", "cc"), "rustc",
            build=(("rustc", "-O", "--edition", "2021", "-o", "main", "{file}"),),
        ),
        Language(
            "Go", "go", ("go",), "golang-go",
            build=(("go", "build", "-o", "main", "{file}"),),
            build_readable=(*COMPILERS, "/usr/share/go-*"), bounded=False, more_memory_mb=64,
            environment=(("GOCACHE", "{folder}/.cache"), ("GO111MODULE", "off"), ("GOPATH", "{folder}/.go")),
        ),
    )
}  # fmt: skip
_ALIASES = {
    "python": "Python3", "py": "Python3", "cpp": "C++", "cxx": "C++", "js": "JavaScript", "node": "JavaScript",
    "nodejs": "JavaScript", "golang": "Go", "rs": "Rust",
}  # fmt: skip


def named(text: str) -> Language | None:
    """The language of that name, in any case, or of a usual short name of it."""
    wanted = text.strip().casefold()
    wanted = _ALIASES.get(wanted, wanted).casefold()
    return next((language for name, language in LANGUAGES.items() if name.casefold() == wanted), None)


def missing(language: Language, isolation: str) -> str | None:
    """What the machine lacks for a language, as one line with the remedy; None where nothing is missing."""
    lacking = [tool for tool in language.tools if located(tool) is None]
    if lacking:
        return f"{language.name} needs {', '.join(lacking)}, not found on this machine; install {language.package}"
    if isolation == "process" and os.geteuid() == 0:
        hidden = [path for tool in language.tools if (path := located(tool)) and not _open_to_all(Path(path))]
        if hidden:
            return (
                f"{language.name} needs {hidden[0]}, which no uid but root can reach, as process isolation asks for; "
                f"install bubblewrap, or {language.package} for the whole system"
            )
    return None


def _open_to_all(path: Path) -> bool:
    return all(each.stat().st_mode & 0o001 for each in (path, *path.parents))


@functools.cache
def located(tool: str) -> str | None:
    """The real file of a tool; what starts another (as rustup's do) is seen through."""
    found = shutil.which(tool)
    if found is None:
        return None
    real = Path(found).resolve()
    if tool == "rustc" and real.name != "rustc":
        try:
            asked = subprocess.run(
                [found, "--print", "sysroot"], capture_output=True, text=True, timeout=30, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        real = Path(asked.stdout.strip(), "bin", "rustc")
        return str(real) if real.exists() else None
    # gcc and its like look at the name that they were called by.
    return str(real) if tool in ("java", "javac", "node", "go") else found


@functools.cache
def readable(language: Language, building: bool) -> tuple[str, ...]:
    """The host's paths that the sandbox of a language shows besides the system's libraries."""
    patterns = [*language.readable, *(language.build_readable if building else ())]
    paths = [str(path) for pattern in patterns for path in sorted(Path("/").glob(pattern.lstrip("/")))]
    tools = [tool for tool in map(located, language.tools) if tool is not None]
    homes = (
        [str(_home(Path(tool))) for tool in tools] if building or not language.build or not language.bounded else []
    )
    return tuple(dict.fromkeys([*python_runtime(), *paths, *homes]))


def _home(tool: Path) -> Path:
    """A toolchain outside the system's folders is shown whole; one of the system's as the one file."""
    if tool.is_relative_to("/usr/bin") or tool.is_relative_to("/usr/lib") or tool.is_relative_to("/bin"):
        return tool
    return tool.parent.parent


def filled(command: tuple[str, ...], **values: object) -> list[str]:
    """A command with its first word located and its values filled in."""
    first, *others = command
    tool = first if first.startswith("./") else located(first) or first
    return [tool, *(word.format(**values) for word in others)]


def environment(language: Language) -> dict[str, str]:
    """What programs and compilers of a language find in their environment; `{folder}` is theirs to write in."""
    path = os.pathsep.join(dict.fromkeys(["/usr/bin", "/bin"]))
    return {"PATH": path, "HOME": "{folder}", "TMPDIR": "{folder}", "LANG": "C.UTF-8", **dict(language.environment)}

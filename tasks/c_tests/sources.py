"""C programs to make tests for: the files of a folder, or the rows of a JSONL file.

An example row: {"path": "p001/C/p001.c", "source": "#include <stdio.h>\\nint main(void) { … }"}

What cannot be used is named with the reason. Whether a program compiles is found out later, in the sandbox.
"""

import contextlib
import hashlib
import json
import re
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from blocks.errors import UsageError
from blocks.records import Record

SHORTEST, LONGEST = 50, 50_000  # characters
LONGEST_PART = 255  # bytes of a folder's or a file's name
LONGEST_NAME = LONGEST_PART - len("..test_task.json.part")  # what a file of tests is called while it is written
FIRST_PER_FOLDER = "p*/C/*.c"

# Comments, strings and character constants; what is left is code.
_ASIDE = re.compile(r"//(?:\\\r?\n|[^\n])*|/\*.*?(?:\*/|\Z)|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.DOTALL)
_INCLUDE = re.compile(r"^[ \t]*#[ \t]*include[ \t]*[<\"]([^>\"\n]+)", re.MULTILINE)
_CONDITIONAL = re.compile(r"^[ \t]*#[ \t]*(?:else|elif)", re.MULTILINE)
_MAIN = re.compile(r"\bmain\s*\(")
# C may have variables called template and class.
_CPP = re.compile(
    r"\busing\s+namespace\b|\bstd\s*::|\bc(?:out|err)\s*<<|\bcin\s*>>|\bclass\s+\w+\s*[:{]"
    r"|\btemplate\s*<\s*(?:>|(?:typename|class)\b\s*[\w.>]|(?!sizeof\b)[A-Za-z_]\w*(?:\s+\w+)+\s*[,>=])"
)
_CPP_SUFFIXES = (".cpp", ".cc", ".cxx", ".hpp", ".c++")


class Source(Record):
    """One C program: where it is, relative to the sources, and its text."""

    path: str
    text: str

    @property
    def digest(self) -> str:
        """The SHA-256 of its text."""
        return hashlib.sha256(self.text.encode()).hexdigest()


class Unusable(NamedTuple):
    """A file that no tests are made for, and why. In its path half a surrogate pair is escaped, to be shown."""

    path: str
    reason: str


class Sources(NamedTuple):
    """Usable programs, in groups of which the first that compiles is to be taken; and what cannot be used."""

    groups: tuple[tuple[Source, ...], ...]
    unusable: tuple[Unusable, ...]


def read_sources(where: str, *, first_per_folder: bool = False) -> Sources:
    """Read a folder's `*.c` files in the order of their paths, or a JSONL file of `path` and `source` in its own.

    With `first_per_folder` the usable ones of each `p*/C/` are one group; else every program is a group of its own.
    Raises UsageError where there is nothing to read.
    """
    path = Path(where)
    if not path.exists():
        raise UsageError(f"--sources {where!r}: there is no such folder or file; give a folder of C files, or JSONL")
    unusable: list[Unusable] = []
    given = _of_folder(path, unusable) if path.is_dir() else _of_jsonl(path)
    if first_per_folder:
        given = (source for source in given if PurePosixPath(source.path).match(FIRST_PER_FOLDER))
    usable: list[Source] = []
    seen: set[str] = set()
    for source in given:
        reason = "its path is that of an earlier row" if source.path in seen else fault(source)
        seen.add(source.path)
        if reason:
            unusable.append(Unusable(source.path, reason))
        else:
            usable.append(source)
    unfit = tuple(Unusable(each.path.encode(errors="backslashreplace").decode(), each.reason) for each in unusable)
    if not usable:
        said = f"{unfit[0].path}: {unfit[0].reason}" if unfit else "it holds no C files"
        wanted = f" ({FIRST_PER_FOLDER})" if first_per_folder else ""
        raise UsageError(f"--sources {where!r}: no program{wanted} can be used; {said}")
    groups: dict[object, list[Source]] = {}
    for source in usable:
        groups.setdefault(PurePosixPath(source.path).parent if first_per_folder else source.path, []).append(source)
    return Sources(tuple(map(tuple, groups.values())), unfit)


def digest_of(sources: Iterable[Source]) -> str:
    """Return a hash of programs by path and text: what makes two sets of sources the same."""
    said = sorted((source.path, source.digest) for source in sources)
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()


def fault(source: Source) -> str | None:
    """Return why no tests can be made for a program, as far as its text tells; None where nothing is against it."""
    path = PurePosixPath(source.path)
    if path.is_absolute() or ".." in path.parts or not path.name or "\0" in source.path or "\\" in source.path:
        return "its path leads out of the folder"
    if not _is_text(source.path):
        return "its name is not UTF-8 text"
    if len(path.name.encode()) > LONGEST_NAME or any(len(part.encode()) > LONGEST_PART for part in path.parts):
        return f"its name is too long for a file of tests (over {LONGEST_NAME} bytes)"
    if not _is_text(source.text):
        return "not UTF-8 text"
    if not SHORTEST <= len(source.text) <= LONGEST:
        few = len(source.text) < SHORTEST
        return f"under {SHORTEST} characters" if few else f"over {LONGEST} characters"
    code = _ASIDE.sub(_blank, source.text)
    included = _INCLUDE.findall(source.text)
    if path.suffix.casefold() in _CPP_SUFFIXES or _CPP.search(code) or not all(map(_is_c_header, included)):
        return "C++"
    if not _MAIN.search(code):
        return "no main"
    if code.count("{") != code.count("}") and not _CONDITIONAL.search(code):
        return "unbalanced braces"
    return None


def _of_folder(folder: Path, unusable: list[Unusable]) -> Iterator[Source]:
    """Files that cannot be read go to `unusable`."""
    found = (path for path in folder.rglob("*.c") if not any(part.startswith(".") for part in _parts(path, folder)))
    for path in sorted(found, key=lambda path: _parts(path, folder)):
        name = path.relative_to(folder).as_posix()
        try:
            kind = path.stat().st_mode
            if stat.S_ISREG(kind):
                yield Source(path=name, text=_decoded(path.read_bytes()))
            elif not stat.S_ISDIR(kind):
                unusable.append(Unusable(name, "no regular file"))  # one may wait for ever for what a pipe holds
        except OSError as problem:
            unusable.append(Unusable(name, f"cannot be read ({problem.strerror})"))
        except UnicodeDecodeError:
            unusable.append(Unusable(name, "not UTF-8 text; convert it, by iconv -f GBK -t UTF-8 say"))


def _decoded(data: bytes) -> str:
    """Return the text of a program, which need not be UTF-8 in comments: gcc takes them, and they change nothing.

    Raises UnicodeDecodeError where other bytes of it are not.
    """
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")  # a character for each byte
        code = _ASIDE.sub(_blank_comment, text)
        if not code.isascii():
            raise
    with contextlib.suppress(UnicodeDecodeError):
        chinese = data.decode("gb18030")
        if _ASIDE.sub(_blank_comment, chinese) == code:  # a character's last byte may be a backslash to gcc
            return chinese
    return text


def _parts(path: Path, folder: Path) -> tuple[str, ...]:
    return path.relative_to(folder).parts


def _of_jsonl(path: Path) -> Iterator[Source]:
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except OSError as problem:
        raise UsageError(f"--sources {path}: cannot be read ({problem.strerror})") from None
    except UnicodeDecodeError:
        raise UsageError(f"--sources {path}: not UTF-8 text; give a folder, or JSONL of path and source") from None
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield _row(line, f"--sources {path}, line {number}")


def _row(line: str, where: str) -> Source:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as problem:
        raise UsageError(f"{where}: not JSON ({problem})") from None
    fields = [row.get(name) if isinstance(row, dict) else None for name in ("path", "source")]
    for name, value in zip(("path", "source"), fields, strict=True):
        if not isinstance(value, str) or (name == "path" and not value):
            raise UsageError(f"{where}: field {name!r} is missing or not text")
    return Source(path=str(PurePosixPath(str(fields[0]))), text=str(fields[1]))


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # half a surrogate pair, or a file name that is not UTF-8
        return False
    return True


def _is_c_header(name: str) -> bool:
    """Tell C's headers, and a project's own, from those of C++: `iostream`, `cmath`, `bits/stdc++.h`."""
    return "." in PurePosixPath(name).name and "++" not in name and not name.endswith(".hpp")


def _blank_comment(aside: re.Match[str]) -> str:
    return _blank(aside) if aside[0].startswith("/") else aside[0]


def _blank(aside: re.Match[str]) -> str:
    """Keep what a comment or a string is replaced by from joining what stands on either side."""
    return "\n" * aside[0].count("\n") or " "

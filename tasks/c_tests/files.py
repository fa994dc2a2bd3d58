"""Tests on disk: `<tests>/<path>.json`, `<tests>/<path>.test_task.json`, and which source text they are from.

`p001/C/p001.c.json` is `[{"input", "output"}]`, `p001/C/p001.c.test_task.json` is `[{"command", "test_id"}]`, both as
SACTOR reads them. Every file is written whole or not at all; a line of `.consort/made.jsonl` behind them says that
they are complete, and from what. A process that is killed at any moment leaves neither half a file nor a wrong line.
"""

import json
import os
import shlex
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from pydantic import ValidationError

from blocks.errors import UsageError
from blocks.records import Record
from tasks.c_tests.building import LIBM
from tasks.c_tests.sources import Source
from tasks.c_tests.trying import Feed

MADE = Path(".consort") / "made.jsonl"
SUFFIX, TASK_SUFFIX = ".json", ".test_task.json"
OWN = ("logs/", ".consort/")  # what is there beside the tests


class Test(Record):
    """One test: what a program is given, and what it prints."""

    __test__ = False

    input: str
    output: str


class Made(Record):
    """A line of `made.jsonl`: tests that are on disk, how they are fed, and of what build they are.

    `source` is the SHA-256 of the program's text, `cflags` what gcc was told behind it.
    """

    path: str
    source: str
    feed: Feed
    cflags: tuple[str, ...] = LIBM
    tests: int


class TestsFolder:
    """A folder of tests, and what is known of them."""

    __test__ = False

    def __init__(self, path: Path) -> None:
        self.path = path
        self._made = {line.path: line for line in _lines(path / MADE)}

    def kept(self, source: Source, feed: Feed, cflags: tuple[str, ...] = LIBM) -> list[Test]:
        """Return the tests that are there for this very text, fed and built this way; none where there are none."""
        made = self._made.get(source.path)
        return self.near(source, feed) if made is not None and made.cflags == cflags else []

    def near(self, source: Source, feed: Feed) -> list[Test]:
        """Return the tests that are there for this very text, fed this way, however it was built."""
        made = self._made.get(source.path)
        if made is None or (made.source, made.feed) != (source.digest, feed):
            return []
        try:
            return read_tests(self.file(source.path))
        except UsageError:
            return []

    def file(self, path: str) -> Path:
        """Where the tests of a program are."""
        return self.path / f"{path}{SUFFIX}"

    def feed_of(self, path: str) -> Feed | None:
        """How the tests of a program are fed, if that is known."""
        made = self._made.get(path)
        return made.feed if made else None

    def paths(self) -> list[str]:
        """The programs that have tests here: those that are known, and what others have put here."""
        found = (path.relative_to(self.path).as_posix() for path in self.path.rglob(f"*{SUFFIX}"))
        return sorted(
            name.removesuffix(SUFFIX)
            for name in found
            if name.removesuffix(SUFFIX) in self._made  # a program's folder may be called logs as well
            or not (name.startswith(OWN) or name.endswith(TASK_SUFFIX))
        )

    def drop(self, path: str) -> None:
        """Delete the tests of a program: they are of a text that is no more."""
        if self._made.pop(path, None) is not None:
            for suffix in (TASK_SUFFIX, SUFFIX):
                (self.path / f"{path}{suffix}").unlink(missing_ok=True)

    def write(
        self,
        source: Source,
        feed: Feed,
        tests: Iterable[Test],
        cflags: tuple[str, ...] = LIBM,
        time_limit: float | None = None,
    ) -> None:
        """Write a program's tests, in place of those that are there; see `command` for `time_limit`."""
        tests = list(tests)
        file = self.file(source.path)
        file.parent.mkdir(parents=True, exist_ok=True)
        commands = [
            {"command": command(file, number, feed, time_limit), "test_id": number} for number in range(len(tests))
        ]
        write_json(self.path / f"{source.path}{TASK_SUFFIX}", commands)
        write_json(file, [test.model_dump() for test in tests])
        made = Made(path=source.path, source=source.digest, feed=feed, cflags=cflags, tests=len(tests))
        append(self.path / MADE, made.model_dump_json() + "\n")
        self._made[source.path] = made


def command(file: Path, number: int, feed: Feed, time_limit: float | None = None) -> str:
    """Return the command line that runs one test on the program that takes the place of `%t`.

    `time_limit`: CPU seconds of the run; without it what check.py allows.
    """
    limit = [] if time_limit is None else ["--time-limit", f"{time_limit:g}"]
    words = [sys.executable, "-m", "tasks.c_tests.check", *limit, str(file.resolve())]
    return shlex.join([*words, "%t", str(number), "--feed", feed])


def read_tests(file: Path) -> list[Test]:
    """Read a file of tests; raises UsageError where it is none."""
    try:
        rows = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(rows, list):
            raise ValueError("not a list")
        return [Test.model_validate(row) for row in rows]
    except OSError as problem:
        raise UsageError(f"{file}: cannot be read ({problem.strerror})") from None
    except ValueError:
        raise UsageError(f"{file}: no file of tests; it has to be a list of input and output") from None


def write_json(path: Path, content: object) -> None:
    """Write a JSON file whole or not at all. Half a surrogate pair is written as JSON's own escape of it."""
    part = path.with_name(f".{path.name}.part")
    said = json.dumps(content, indent=4, ensure_ascii=False) + "\n"
    part.write_text(said, encoding="utf-8", errors="backslashreplace")
    part.replace(path)


def append(path: Path, text: str) -> None:
    """Append in a single write, so that processes that do so at a time do not mix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        os.write(file, text.encode("utf-8", "replace"))
    finally:
        os.close(file)


def _lines(path: Path) -> Iterator[Made]:
    """The whole lines of a file; one that was cut off is passed over."""
    if path.is_file():
        for line in path.read_bytes().splitlines():
            try:
                yield Made.model_validate_json(line)
            except ValidationError:
                continue

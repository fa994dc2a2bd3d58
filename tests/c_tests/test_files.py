"""Tests on disk: whole or not at all, and known by the text that they are from."""

import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from blocks.errors import UsageError
from tasks.c_tests.files import Test, TestsFolder, command, read_tests, write_json
from tasks.c_tests.sources import Source
from tests.processes import CHECKOUT, until

ECHO = Source(
    path="p1/C/echo.c", text="int main(void) { int c; while ((c = getchar()) != EOF) putchar(c); return 0; }\n"
)
TESTS = [Test(input="a\n\nb", output="a\n\nb"), Test(input="", output=""), Test(input="é", output="é")]


def test_what_is_written_is_what_is_read(tmp_path: Path):
    folder = TestsFolder(tmp_path / "tests")
    folder.write(ECHO, "stdin", TESTS)
    file = tmp_path / "tests" / "p1" / "C" / "echo.c.json"
    assert json.loads(file.read_text()) == [{"input": t.input, "output": t.output} for t in TESTS]
    tasks = json.loads((file.parent / "echo.c.test_task.json").read_text())
    assert [task["test_id"] for task in tasks] == [0, 1, 2]
    assert all(task["command"].split()[-4:] == ["%t", str(n), "--feed", "stdin"] for n, task in enumerate(tasks))
    again = TestsFolder(tmp_path / "tests")
    assert again.kept(ECHO, "stdin") == TESTS
    assert again.paths() == ["p1/C/echo.c"]
    assert again.feed_of("p1/C/echo.c") == "stdin"
    assert not list(tmp_path.rglob("*.part"))


def test_other_texts_and_feeds_have_no_tests(tmp_path: Path):
    folder = TestsFolder(tmp_path)
    folder.write(ECHO, "stdin", TESTS)
    assert folder.kept(ECHO.model_copy(update={"text": ECHO.text + " "}), "stdin") == []
    assert folder.kept(ECHO, "args") == []
    folder.file(ECHO.path).write_text("[{]")
    assert folder.kept(ECHO, "stdin") == []
    folder.file(ECHO.path).unlink()
    assert TestsFolder(tmp_path).kept(ECHO, "stdin") == []


def test_programs_of_a_folder_called_logs_have_their_tests(tmp_path: Path):
    paths = ["C/a.c", "logs/C/a.c", "logs/a.c"]
    folder = TestsFolder(tmp_path)
    for path in paths:
        folder.write(ECHO.model_copy(update={"path": path}), "stdin", TESTS)
    write_json(tmp_path / "logs" / "generation_results.json", {})
    assert folder.paths() == TestsFolder(tmp_path).paths() == paths
    (tmp_path / ".consort" / "made.jsonl").unlink()
    write_json(tmp_path / ".consort" / "more.json", [])
    assert TestsFolder(tmp_path).paths() == ["C/a.c"]


def test_half_a_surrogate_pair_is_read_back(tmp_path: Path):
    content = [{"path": os.fsdecode(b"\xff.c"), "reason": "\ud800 é ☃"}]
    write_json(tmp_path / "a.json", content)
    written = (tmp_path / "a.json").read_text(encoding="utf-8")
    assert json.loads(written) == content
    assert "é ☃" in written


def test_a_line_that_was_cut_off_is_passed_over(tmp_path: Path):
    TestsFolder(tmp_path).write(ECHO, "stdin", TESTS)
    made = tmp_path / ".consort" / "made.jsonl"
    made.write_text('{"path": "x.c", "so\n' + made.read_text() + '{"path":')
    assert TestsFolder(tmp_path).kept(ECHO, "stdin") == TESTS


@pytest.mark.parametrize("content", ["", "{}", "[1]", '[{"input": 1, "output": ""}]', "\xff"])
def test_a_file_of_something_else_is_said_to_be_none(tmp_path: Path, content: str):
    file = tmp_path / "tests.json"
    file.write_bytes(content.encode("latin-1"))
    with pytest.raises(UsageError, match="no file of tests"):
        read_tests(file)


def test_the_commands_of_a_test_task_run_one_test(tmp_path: Path):
    TestsFolder(tmp_path).write(ECHO, "stdin", [*TESTS, Test(input="x", output="y")])
    source, binary = tmp_path / "echo.c", tmp_path / "the echo"
    source.write_text("#include <stdio.h>\n" + ECHO.text)
    subprocess.run(["gcc", "-o", binary, source], check=True)
    tasks = json.loads((tmp_path / "p1" / "C" / "echo.c.test_task.json").read_text())
    ended = [
        subprocess.run(
            shlex.split(task["command"].replace("%t", shlex.quote(str(binary)))),
            capture_output=True, text=True, check=False, cwd=tmp_path,
        )
        for task in tasks
    ]  # fmt: skip
    assert [each.returncode for each in ended] == [0, 0, 0, 1]
    assert "Expected output:\ny\nOutput:\nx" in ended[3].stderr
    wrong = subprocess.run(
        [sys.executable, "-m", "tasks.c_tests.check", tmp_path / "p1" / "C" / "echo.c.json", binary, "4"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "there is no test 4; it has 4, from 0" in wrong.stderr


def test_a_command_carries_the_time_limit(tmp_path: Path):
    source, binary, file = tmp_path / "spin.c", tmp_path / "spin", tmp_path / "spin.c.json"
    source.write_text("#include <time.h>\nint main(void) { while (clock() < CLOCKS_PER_SEC * 3 / 2); return 0; }\n")
    subprocess.run(["gcc", "-o", binary, source], check=True)
    write_json(file, [{"input": "", "output": ""}])
    assert "--time-limit" not in command(file, 0, "stdin")
    for limit, code in ((1.0, 1), (20.0, 0)):
        words = shlex.split(command(file, 0, "stdin", limit).replace("%t", shlex.quote(str(binary))))
        assert subprocess.run(words, check=False, cwd=CHECKOUT).returncode == code


WRITER = """
import sys
from pathlib import Path
from tasks.c_tests.files import Test, TestsFolder
from tasks.c_tests.sources import Source
folder = TestsFolder(Path(sys.argv[1]))
for number in range(100000):
    source = Source(path="p1/C/echo.c", text=f"{number:9}")
    folder.write(source, "stdin", [Test(input=f"{number} {n}", output="x" * 5000) for n in range(20)])
"""


@pytest.mark.parametrize("times", range(3))
def test_a_writer_that_is_killed_leaves_no_half_file(tmp_path: Path, times: int):
    writer = subprocess.Popen([sys.executable, "-c", WRITER, tmp_path], cwd=CHECKOUT)
    made = tmp_path / ".consort" / "made.jsonl"
    until(lambda: made.is_file() and made.read_bytes().count(b"\n") > 10 * (times + 1), 60)
    os.kill(writer.pid, signal.SIGKILL)
    writer.wait()
    tests = read_tests(tmp_path / "p1" / "C" / "echo.c.json")
    assert len(tests) == 20
    assert len({test.input.split()[0] for test in tests}) == 1
    json.loads((tmp_path / "p1" / "C" / "echo.c.test_task.json").read_text())
    assert len(list(tmp_path.rglob("*.json"))) == 2

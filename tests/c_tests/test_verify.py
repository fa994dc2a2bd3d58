"""Other programs run against generated tests, in the sandbox; JUnit XML."""

import asyncio
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest

from blocks.errors import UsageError
from blocks.limits import Limits
from tasks.c_tests.files import Test, TestsFolder
from tasks.c_tests.junit import write_junit
from tasks.c_tests.sources import Source
from tasks.c_tests.trying import Feed
from tasks.c_tests.verify import Verified, filled, target, verify, words_of

DOUBLE = """#include <stdio.h>
int main(void) {
    int n;
    if (scanf("%d", &n) != 1) { fprintf(stderr, "none\\n"); return 0; }
    if (n == 7) return 3;
    if (n == 8) for (;;);
    if (n == 9) puts("\\x01\\xff");
    printf("%d  \\n", 2 * n);
    return 0;
}
"""
TESTS = [
    Test(input=text, output=output)
    for text, output in [("1", "2"), ("", "none"), ("2", "5\n6"), ("7", ""), ("8", "16"), ("9", "18")]
]


@pytest.fixture
def folder(tmp_path: Path) -> TestsFolder:
    """Tests of two programs, and a binary that doubles."""
    (tmp_path / "double.c").write_text(DOUBLE)
    subprocess.run(["gcc", "-o", tmp_path / "double", tmp_path / "double.c"], check=True)
    made = TestsFolder(tmp_path / "tests")
    made.write(Source(path="p1/C/double.c", text=DOUBLE), "stdin", TESTS)
    made.write(Source(path="p2/C/other.c", text=DOUBLE), "args", [Test(input="a 'b c'", output="[a][b c]")])
    return made


def verified(folder: TestsFolder, command: str, limits: Limits, feed: Feed | None = None) -> list[Verified]:
    return asyncio.run(verify(folder, folder.paths(), words_of(command), feed, limits, 2))


def test_every_test_has_its_end(folder: TestsFolder, limits: Limits, tmp_path: Path):
    results = verified(folder, str(tmp_path / "double"), limits)
    assert [(each.number, each.outcome, each.reason) for each in results if each.path == "p1/C/double.c"] == [
        (0, "passed", ""),
        (1, "passed", ""),
        (2, "failed", "line 1 of the output differs"),
        (3, "failed", "the program ended its process with exit code 3"),
        (4, "failed", "beyond the time limit"),
        (5, "failed", "what it printed is not UTF-8 text"),
    ]
    assert "Expected output:\n5\n6\nOutput:\n4" in results[2].detail
    assert [each.outcome for each in results if each.path == "p2/C/other.c"] == ["failed"]  # it was given arguments


def test_a_target_for_each_program(folder: TestsFolder, limits: Limits, tmp_path: Path):
    results = verified(folder, f"{tmp_path}/{{stem}}", limits)
    assert [each.outcome for each in results][:2] == ["passed", "passed"]
    assert (results[-1].outcome, results[-1].path) == ("error", "p2/C/other.c")
    assert "there is no program" in results[-1].reason
    assert filled(["{path}", "{folder}/{name}", "{stem}"], "p1/C/a.c") == ["p1/C/a.c", "p1/C/a.c", "a"]


def test_without_a_target_every_test_is_an_error(folder: TestsFolder, limits: Limits, tmp_path: Path):
    results = verified(folder, f"{tmp_path}/nothing-{{stem}}", limits)
    assert [(each.path, each.number) for each in results] == [
        *(("p1/C/double.c", number) for number in range(len(TESTS))),
        ("p2/C/other.c", 0),
    ]
    assert {each.outcome for each in results} == {"error"}
    results = verified(folder, f"{tmp_path / 'double'} /proc/self/mem", limits)  # a file that nobody can read
    assert len(results) == len(TESTS) + 1
    assert all("'/proc/self/mem' cannot be read (Input/output error)" in each.reason for each in results)


def test_a_file_that_holds_no_tests_is_one_error(folder: TestsFolder, limits: Limits, tmp_path: Path):
    folder.file("p1/C/double.c").write_text("[{]")
    results = verified(folder, str(tmp_path / "double"), limits)
    assert [(each.path, each.outcome) for each in results] == [("p1/C/double.c", "error"), ("p2/C/other.c", "failed")]


@pytest.mark.parametrize("name", ["a b", " it's", 'say "x', "{stem} {path}", "back\\slash"])
def test_a_name_is_no_part_of_the_command_line(folder: TestsFolder, limits: Limits, tmp_path: Path, name: str):
    folder.write(Source(path=f"p3/{name}.c", text=DOUBLE), "stdin", TESTS[:2])
    (tmp_path / name).write_bytes((tmp_path / "double").read_bytes())
    results = verified(folder, f"{tmp_path}/{{stem}}", limits)
    assert [each.outcome for each in results if each.path == f"p3/{name}.c"] == ["passed", "passed"]
    assert filled(["{folder}/{stem}"], f"p3/{name}.c") == [f"p3/{name}"]


def test_a_script_and_the_files_it_names(folder: TestsFolder, limits: Limits, tmp_path: Path):
    (tmp_path / "show.sh").write_text('for word in "$@"; do printf "[%s]" "$word"; done\n')
    results = verified(folder, f"/bin/sh {tmp_path / 'show.sh'}", limits, "args")
    assert [each.outcome for each in results if each.path == "p2/C/other.c"] == ["passed"]


@pytest.mark.parametrize("command", ["", "/no/such/program", "no-such-program-anywhere", "'"])
def test_no_program_is_a_usage_error(command: str):
    with pytest.raises(UsageError, match="target command"):
        target(words_of(command))


def test_junit_holds_everything_that_xml_can(tmp_path: Path):
    results = [
        Verified("p1.c", 0, "passed", 0.5),
        Verified("p1.c", 1, "failed", 0.25, "line 1 differs", "a\x01 < & ]]> é"),
        Verified("p2.c", 0, "error", 0.0, "no program", "no program"),
    ]
    write_junit(tmp_path / "deep" / "junit.xml", results)
    root = ElementTree.parse(tmp_path / "deep" / "junit.xml").getroot()
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("3", "1", "1")
    assert [(suite.get("name"), suite.get("tests")) for suite in root] == [("p1.c", "2"), ("p2.c", "1")]
    failure = root[0][1][0]
    assert (failure.tag, failure.get("message"), failure.text) == ("failure", "line 1 differs", "a� < & ]]> é")
    assert root[1][0][0].tag == "error"

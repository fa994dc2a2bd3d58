"""Which C programs are found, and why others are not used."""

import json
import os
import socket
from pathlib import Path

import pytest

from blocks.errors import UsageError
from tasks.c_tests.files import TestsFolder
from tasks.c_tests.sources import LONGEST_NAME, LONGEST_PART, Source, Unusable, fault, read_sources
from tests.processes import CHECKOUT

HELLO = '#include <stdio.h>\n\nint main(void) {\n    printf("hello, {world}\\n");\n    return 0;\n}\n'


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_c", ".c")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def paths(where: Path, **more: bool) -> list[list[str]]:
    return [[source.path for source in group] for group in read_sources(str(where), **more).groups]


def test_a_folder_is_searched_in_the_order_of_its_paths(tmp_path: Path):
    write(tmp_path, b_c=HELLO, a__z_c=HELLO, a__b__y_c=HELLO)
    (tmp_path / "notes.txt").write_text(HELLO)
    write(tmp_path / ".hidden", x_c=HELLO)
    assert paths(tmp_path) == [["a/b/y.c"], ["a/z.c"], ["b.c"]]


def test_the_first_usable_one_of_each_folder(tmp_path: Path):
    write(
        tmp_path,
        p1__C__b_c=HELLO,
        p1__C__a_c="int x;",
        p1__C__d_c=HELLO,
        p2__C__z_c=HELLO,
        q1__C__a_c=HELLO,
        p3__a_c=HELLO,
    )
    found = read_sources(str(tmp_path), first_per_folder=True)
    assert [[source.path for source in group] for group in found.groups] == [
        ["p1/C/b.c", "p1/C/d.c"],
        ["p2/C/z.c"],
    ]
    assert found.unusable == (Unusable("p1/C/a.c", "under 50 characters"),)


def test_rows_of_jsonl(tmp_path: Path):
    file = tmp_path / "programs.jsonl"
    rows = [{"path": "./p1/C/p1.c", "source": HELLO, "more": 1}, {"path": "p1/C/p1.c", "source": HELLO}]
    file.write_text("\n".join(json.dumps(row) for row in rows) + "\n\n")
    found = read_sources(str(file))
    assert [source.path for group in found.groups for source in group] == ["p1/C/p1.c"]
    assert found.unusable == (Unusable("p1/C/p1.c", "its path is that of an earlier row"),)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (HELLO, None),
        ("int main(void) { return 0; }", "under 50 characters"),
        (HELLO + " " * 50_000, "over 50000 characters"),
        (HELLO.replace("main", "start"), "no main"),
        (HELLO.replace("int main", "// int main"), "no main"),
        (HELLO + "}", "unbalanced braces"),
        (HELLO + "/* } */ // }\n", None),
        (HELLO.replace("hello", "}}}").replace("0;", "'}' - '{';"), None),
        (HELLO.replace('"hello', '"\\"{ hello'), None),
        ("#ifdef A\nint main(void) {\n#else\nint main(int n, char **v) {\n#endif\n    return 0;\n}\n", None),
        ("#include <iostream>\n" + HELLO, "C++"),
        ("#include <bits/stdc++.h>\n" + HELLO, "C++"),
        (HELLO.replace("printf", "std::printf"), "C++"),
        ("using namespace std;\n" + HELLO, "C++"),
        ("template <typename T> T f(T t);\n" + HELLO, "C++"),
        ("class Dog { int bark; };\n" + HELLO, "C++"),
        ("enum class Dog : int { Bark };\n" + HELLO, "C++"),
        ("template<class T>\nT f(T t) { return t; }\n" + HELLO, "C++"),
        ("template <> int f(int t) { return t; }\n" + HELLO, "C++"),
        ("template <int N> int f() { return N; }\n" + HELLO, "C++"),
        ("template <unsigned int N, typename T> T f();\n" + HELLO, "C++"),
        ("template <Kind K> int f();\n" + HELLO, "C++"),
        ("template <std_size N = 3> int f();\n" + HELLO, "C++"),
        (HELLO.replace("return", 'int template = 1, a = 2; if (template < a) puts("less"); return'), None),
        (HELLO.replace("return", "int template = 1, a = 2; for (; template <a; template++); return"), None),
        (HELLO.replace("return", 'int template = 1, a = 2; printf("%d", template < a * 2 + a, a > 1); return'), None),
        (HELLO.replace("return", "int template = 1, class = 2; if (template < class) return"), None),
        (HELLO.replace("return", "int template = 1, classes = 2; if (template < classes) return"), None),
        (HELLO.replace("return", "unsigned template = 1; if (template < sizeof template) return"), None),
        (HELLO.replace("return", "struct class { int n; }; struct class x = { 1 }; return"), None),
        ("struct class{ int class; };\n" + HELLO, None),
        ("/* class Dog {; std:: */\n" + HELLO, None),
        ('#include "own/header.h"\n' + HELLO, None),
        ("int class_size, template_size; /* names of C */\n" + HELLO, None),
        ("\ud800" + HELLO, "not UTF-8 text"),
    ],
)
def test_what_can_be_used(text: str, reason: str | None):
    assert fault(Source(path="a.c", text=text)) == reason


@pytest.mark.parametrize("path", ["/etc/a.c", "../a.c", "a/../../b.c", "a\0.c", ".."])
def test_a_path_that_leads_out_of_the_folder(path: str):
    assert fault(Source(path=path, text=HELLO)) == "its path leads out of the folder"


def test_files_that_cannot_be_read_are_named(tmp_path: Path):
    write(tmp_path, a_c=HELLO)
    (tmp_path / "b.c").write_bytes(HELLO.encode() + b"\xff")
    (tmp_path / "gone.c").symlink_to(tmp_path / "nowhere")
    (tmp_path / "folder.c").mkdir()
    found = read_sources(str(tmp_path))
    assert [(file.path, file.reason) for file in found.unusable] == [
        ("b.c", "not UTF-8 text; convert it, by iconv -f GBK -t UTF-8 say"),
        ("gone.c", "cannot be read (No such file or directory)"),
    ]


GREETED = "/* 读入两个数 */\n" + HELLO + "// 结束\n"
ACCENTED = "/* © 1999 */\n" + HELLO + "// d'accord, ça va\n"
CUT = HELLO.replace("int main", "// 誠\nint main")  # in GBK the last byte of that line is a backslash


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (GREETED.encode("gbk"), GREETED),
        (ACCENTED.encode("latin-1"), ACCENTED),
        (ACCENTED.encode("utf-8-sig"), ACCENTED),
        (("/* 人 */" + HELLO + "// 𠀀").encode("gb18030"), "/* 人 */" + HELLO + "// 𠀀"),
        (HELLO.replace("hello", "你好").encode("gbk"), None),
        (HELLO.replace("return 0", "return 'é' != 0").encode("latin-1"), None),
        (HELLO.replace("return", "int é; return").encode("latin-1"), None),
        (HELLO.replace("hello", "/* é */").encode("latin-1"), None),
        (HELLO.encode("utf-16"), None),
    ],
)
def test_bytes_that_are_not_utf_8_may_stand_in_comments(tmp_path: Path, data: bytes, text: str | None):
    write(tmp_path, a_c=HELLO)
    (tmp_path / "b.c").write_bytes(data)
    found = read_sources(str(tmp_path))
    assert [group[0].text for group in found.groups] == [HELLO, text][: len(found.groups)]
    assert (len(found.groups), len(found.unusable)) == ((1, 1) if text is None else (2, 0))


def test_a_text_means_what_its_bytes_mean_to_gcc(tmp_path: Path):
    assert b"\\\n" in CUT.encode("gbk")
    (tmp_path / "a.c").write_bytes(CUT.encode("gbk"))
    with pytest.raises(UsageError, match=r"a\.c: no main"):
        read_sources(str(tmp_path))


def test_what_is_no_regular_file_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write(tmp_path, a_c=HELLO)
    monkeypatch.chdir(tmp_path)  # a socket's path is short
    os.mkfifo(tmp_path / "b.c")
    (tmp_path / "c.c").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("d.c")
        found = read_sources(str(tmp_path))
    assert found.unusable == tuple(Unusable(f"{name}.c", "no regular file") for name in "bcd")


def test_a_name_of_which_files_of_tests_cannot_be_called(tmp_path: Path):
    longest = "é" * 116 + ".c"
    assert len(longest.encode()) == LONGEST_NAME
    source = Source(path=f"{'d' * LONGEST_PART}/{longest}", text=HELLO)
    assert fault(source) is None
    TestsFolder(tmp_path).write(source, "stdin", [])
    assert TestsFolder(tmp_path).paths() == [source.path]
    for path in (f"p1/a{longest}", f"{'d' * (LONGEST_PART + 1)}/a.c"):
        assert fault(Source(path=path, text=HELLO)) == "its name is too long for a file of tests (over 234 bytes)"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "no such folder or file"),
        ("", "it holds no C files"),
        ("{", "line 1: not JSON"),
        ('{"path": "a.c"}', "line 1: field 'source' is missing or not text"),
        ("[1]", "line 1: field 'path' is missing or not text"),
        ('{"path": "a.c", "source": "int x;"}', "no program can be used; a.c: under 50 characters"),
    ],
)
def test_nothing_to_read_is_a_usage_error(tmp_path: Path, content: str | None, said: str):
    file = tmp_path / "programs.jsonl"
    if content is not None:
        file.write_text(content)
    with pytest.raises(UsageError, match=r".") as raised:
        read_sources(str(file))
    assert said in str(raised.value)


def test_the_bundled_programs_and_the_real_ones(data: Path):
    assert len(read_sources(str(CHECKOUT / "data" / "c_programs")).groups) == 4
    for first in (False, True):
        found = read_sources(str(data / "c_programs_60.jsonl"), first_per_folder=first)
        assert (len(found.groups), found.unusable) == (60, ())

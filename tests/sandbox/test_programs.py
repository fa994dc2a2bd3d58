"""Whole programs: every language's way to be right, wrong, broken or greedy; compilers; when outputs are the same."""

import asyncio
import marshal
import os
import signal
import subprocess
from pathlib import Path

import pytest

from blocks.bubblewrap import python_runtime
from blocks.limits import Limits
from tasks.grading import grade, setting_of
from tasks.records import Pair, Problem, Suite, Verdict
from tasks.sandbox import languages
from tasks.sandbox.compare import first_difference, same_output
from tasks.sandbox.execute import Ended, Program, Setting, handed
from tasks.sandbox.host import Places
from tasks.sandbox.programs import near
from tasks.sandbox.uids import uids

ODD = sorted((Path(__file__).parent / "odd_programs").glob("*.py"))

SUM = Problem(
    id="sum",
    statement="",
    hidden=Suite(pairs=(Pair(input="1 2\n", output="3\n"), Pair(input="40 2\n", output="42\n"))),
)
RIGHT = {
    "Python3": "a, b = map(int, input().split())\nprint(a + b)\n",
    "C": '#include <stdio.h>\nint main() { int a, b; scanf("%d %d", &a, &b); printf("%d\\n", a + b); }\n',
    "C++": "#include <iostream>\nint main() { int a, b; std::cin >> a >> b; std::cout << a + b; }\n",
    "Java": "import java.util.Scanner;\nclass Pair {}\npublic class Sum {\n"
    "  public static void main(String[] given) {\n    Scanner in = new Scanner(System.in);\n"
    "    System.out.println(in.nextInt() + in.nextInt());\n  }\n}\n",
    "JavaScript": "const [a, b] = require('fs').readFileSync('/dev/stdin', 'utf8').split(' ').map(Number);\n"
    "console.log(a + b);\n",
    "Rust": "fn main() {\n    let mut line = String::new();\n    std::io::stdin().read_line(&mut line).unwrap();\n"
    '    println!("{}", line.split_whitespace().map(|n| n.parse::<i64>().unwrap()).sum::<i64>());\n}\n',
    "Go": 'package main\n\nimport "fmt"\n\nfunc main() {\n\tvar a, b int\n\tfmt.Scan(&a, &b)\n'
    "\tfmt.Println(a + b)\n}\n",
}
HANGS = {
    "Python3": "while True: pass",
    "C": "int main() { for (volatile int i = 0;; i++); }",
    "C++": "int main() { for (volatile int i = 0;; i++); }",
    "Java": "class Main { public static void main(String[] a) { while (true) {} } }",
    "JavaScript": "for (;;) {}",
    "Rust": "fn main() { loop { std::hint::black_box(1); } }",
    "Go": "package main\n\nfunc main() {\n\tfor {\n\t}\n}\n",
}
FAILS = {
    "Python3": "print(3)\nraise ValueError",
    "C": "int main() { return *(volatile int *)8; }",
    "C++": '#include <stdexcept>\nint main() { throw std::runtime_error("no"); }',
    "Java": "class Main { public static void main(String[] a) { throw new RuntimeException(); } }",
    "JavaScript": "console.log(3); process.exit(3);",
    "Rust": 'fn main() { println!("3"); panic!(); }',
    "Go": "package main\n\nfunc main() {\n\tpanic(1)\n}\n",
}
GREEDY = {
    "Python3": "kept = []\nwhile True: kept.append(bytearray(10**6))",
    "C": "#include <stdlib.h>\n#include <string.h>\nint main() { for (;;) { char *p = malloc(1 << 20);"
    " if (!p) abort(); memset(p, 1, 1 << 20); } }",
    "C++": "#include <vector>\nint main() { std::vector<std::vector<char>> v;"
    " for (;;) v.emplace_back(1 << 20, 'x'); }",
    "Java": "import java.util.*;\nclass Main { public static void main(String[] a) {"
    " List<int[]> l = new ArrayList<>(); while (true) l.add(new int[1 << 18]); } }",
    "JavaScript": "const kept = []; for (;;) kept.push(new Array(100000).fill(1.5));",
    "Rust": "fn main() { let mut v: Vec<Vec<u8>> = vec![]; loop { v.push(vec![1; 1 << 20]); } }",
}


async def graded(source: str, language: str, limits: Limits, problem: Problem = SUM) -> Verdict:
    lacking = languages.missing(languages.LANGUAGES[language], limits.isolation)
    if lacking is not None:
        pytest.skip(lacking)
    return await grade(problem, source, limits, language=language)


@pytest.mark.parametrize("language", languages.LANGUAGES)
async def test_every_language_is_right_wrong_and_broken(language: str, limits: Limits) -> None:
    verdict = await graded(RIGHT[language], language, limits)
    assert verdict.passed, verdict.tests
    assert len(verdict.tests) == 2 and all(test.cpu_seconds and test.wall_seconds for test in verdict.tests)
    assert all(test.peak_memory and test.comparison == "tokens" for test in verdict.tests)
    wrong = RIGHT[language].replace("a + b", "a - b").replace("sum::", "product::").replace("+ in", "- in")
    assert (await graded(wrong, language, limits)).outcome == "wrong_answer"
    broken = await graded(f"{RIGHT[language]}\n)(", language, limits)
    assert broken.outcome == "compile_error" and len(broken.tests) == 1 and broken.tests[0].detail


@pytest.mark.parametrize("language", HANGS)
async def test_an_endless_loop_is_a_time_limit_and_ends_the_tests(language: str, limits: Limits) -> None:
    short = limits.model_copy(update={"cpu_seconds": 0.2, "wall_seconds": 2.0})
    verdict = await graded(HANGS[language], language, short)
    assert [test.outcome for test in verdict.tests] == ["time_limit"]


@pytest.mark.parametrize("language", FAILS)
async def test_a_program_that_fails_is_a_runtime_error(language: str, limits: Limits) -> None:
    verdict = await graded(FAILS[language], language, limits)
    assert [test.outcome for test in verdict.tests] == ["runtime_error"] * 2


@pytest.mark.parametrize("language", GREEDY)
async def test_a_program_that_takes_all_memory_is_stopped(language: str, limits: Limits) -> None:
    small = limits.model_copy(update={"memory_mb": 64, "cpu_seconds": 5.0, "wall_seconds": 15.0})
    verdict = await graded(GREEDY[language], language, small)
    assert [test.outcome for test in verdict.tests] == ["memory_limit"], verdict.tests


async def test_what_a_machine_lacks_is_said_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    languages.located.cache_clear()
    try:
        said = [languages.missing(language, "bubblewrap") for language in languages.LANGUAGES.values()]
    finally:
        languages.located.cache_clear()
    assert said[0] is None
    assert said[1:] == [
        "C needs gcc, as, ld, not found on this machine; install gcc libc6-dev",
        "C++ needs g++, as, ld, not found on this machine; install g++",
        "Java needs javac, java, not found on this machine; install default-jdk-headless",
        "JavaScript needs node, not found on this machine; install nodejs",
        "Rust needs rustc, cc, not found on this machine; install rustc",
        "Go needs go, not found on this machine; install golang-go",
    ]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("python", "Python3"),
        ("PYTHON3", "Python3"),
        ("cpp", "C++"),
        ("c", "C"),
        ("Node", "JavaScript"),
        ("golang", "Go"),
    ],
)
def test_languages_go_by_usual_names_in_any_case(text: str, name: str) -> None:
    found = languages.named(text)
    assert found is not None and found.name == name


def test_nobody_s_language_is_none() -> None:
    assert languages.named("cobol") is None


COMPILE_BOMBS = {
    "reads itself for ever": '#include "main.c"\nint main() {}',
    "reads a device": '#include "/dev/zero"\nint main() {}',
    "a gigabyte of data": "char a[1 << 30] = {1};\nint main() {}",
    "a macro that explodes": "#define A x x x x x x x x x x\n#define B A A A A A A A A A A\n"
    "#define C B B B B B B B B B B\n#define D C C C C C C C C C C\nint main() { D D D D D D D D D D }",
    "the host's secrets": '#include "/etc/shadow"\nint main() {}',
}


@pytest.mark.parametrize("name", COMPILE_BOMBS)
async def test_a_compile_bomb_is_a_compile_error(name: str, limits: Limits) -> None:
    verdict = await graded(COMPILE_BOMBS[name], "C", limits)
    assert verdict.outcome == "compile_error"
    assert "root:" not in verdict.tests[0].detail


async def test_a_template_that_never_ends_is_a_compile_error(limits: Limits) -> None:
    endless = "template <int N> struct A { enum { v = A<N + 1>::v + A<N + 2>::v }; };\nint main() { return A<0>::v; }"
    assert (await graded(endless, "C++", limits)).outcome == "compile_error"


async def test_warnings_are_no_errors(limits: Limits) -> None:
    loud = f"#warning this is loud\n{RIGHT['C']}int unused() {{ int x; }}\n"
    assert (await graded(loud, "C", limits)).passed


async def test_java_classes_in_packages_and_beside_each_other(limits: Limits) -> None:
    packaged = "package of.sums;\n" + RIGHT["Java"]
    assert (await graded(packaged, "Java", limits)).passed
    plain = RIGHT["Java"].replace("public class Sum", "class Whatever")
    assert (await graded(plain, "Java", limits)).passed


MAIN = "public static void main(String[] given) {}"
JAVA_NAMES = {
    f"public class Sum {{ {MAIN} }}": ("Sum.java", "Sum"),
    f"class Node {{}}\nclass Sum {{ {MAIN} }}\nclass Tree {{}}": ("Sum.java", "Sum"),
    f"class Sum {{ static class Inner {{}} {MAIN} }}": ("Sum.java", "Sum"),
    f"public class Tree {{}}\nclass Sum {{ {MAIN} }}": ("Tree.java", "Sum"),
    f"class Sum {{ public class Inner {{ int x; }} {MAIN} }}": ("Sum.java", "Sum"),
    f"package a.b;\npublic final class Sum<T> {{ {MAIN} }}": ("Sum.java", "a.b.Sum"),
    f"/* public class No {{ */ class Sum {{ char c = '{{'; String s = \"}} class X\"; {MAIN} }}": ("Sum.java", "Sum"),
    f"interface Sum {{ {MAIN} }}": ("Sum.java", "Sum"),
    "public class Sum {}": ("Sum.java", "Sum"),
    "": ("Main.java", "Main"),
}


@pytest.mark.parametrize("source", JAVA_NAMES)
def test_the_class_with_the_main_method_is_started(source: str) -> None:
    assert languages.LANGUAGES["Java"].file(source) == JAVA_NAMES[source]


async def test_java_classes_in_classes_pass(limits: Limits) -> None:
    nested = RIGHT["Java"].replace("public class Sum {", "public class Sum {\n  static class Inner { int x; }")
    assert (await graded(nested, "Java", limits)).passed


async def test_a_compiler_says_no_more_than_helps(limits: Limits) -> None:
    """200,000 errors would take a minute to print."""
    broken = "".join(f"int x{number} = y{number};\n" for number in range(200_000))
    verdict = await graded(broken, "C", limits)
    assert verdict.outcome == "compile_error"


@pytest.mark.parametrize("size", [10_000, 70_000, 3_000_000])
async def test_an_input_of_any_size_ends(size: int, limits: Limits) -> None:
    problem = SUM.model_copy(update={"hidden": Suite(pairs=(Pair(input="7" * size, output=f"{size}\n"),) * 2)})
    assert (await grade(problem, "print(len(open(0).read()))", limits)).passed
    assert (await grade(problem, "import sys\nfor line in sys.stdin: print(len(line))", limits)).passed


SOURCES = {
    "CRLF": RIGHT["Python3"].replace("\n", "\r\n"),
    "no line end": RIGHT["Python3"].rstrip(),
    "a byte order mark": "\ufeff" + RIGHT["Python3"],
    "binary junk on the standard error": RIGHT["Python3"] + "import os\nos.write(2, bytes(range(256)))\n",
    "a main block": "def main():\n    print(sum(map(int, input().split())))\nif __name__ == '__main__': main()\n",
}


@pytest.mark.parametrize("name", SOURCES)
async def test_sources_are_taken_as_they_are(name: str, limits: Limits) -> None:
    assert (await graded(SOURCES[name], "Python3", limits)).passed


async def test_an_empty_program_and_binary_junk_are_wrong(limits: Limits) -> None:
    assert (await graded("", "Python3", limits)).outcome == "wrong_answer"
    junk = await graded("import os\nos.write(1, bytes(range(256)) * 100)", "Python3", limits)
    assert junk.outcome == "wrong_answer"
    junk.model_dump_json()


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        ("3", "3\n"),
        ("3  \n\n\n", "3"),
        ("1 2   3\n", "1 2 3"),
        ("1.50 2", "1.5 2.0"),
        ("1e3", "1000"),
        ("1E5 5. .5", "100000 5 0.50"),
        ("+5 -0 -0.0", "5 0 0"),
        ("00.5", ".5"),
        ("yes\r\nno\r\n", "yes\nno"),
        ("", "\n"),
    ],
)
def test_the_same_output(printed: str, expected: str) -> None:
    assert same_output(printed, expected)


@pytest.mark.parametrize(
    ("printed", "expected", "line"),
    [
        ("3", "4", 1),
        ("a\nb", "a\nc", 2),
        ("1 2", "1\n2", 1),
        ("a", "a\nb", 2),
        ("Yes", "YES", 1),
        ("0.1", "0.10000001", 1),
        ("nan", "NaN?", 1),
        ("1_000", "1000 ", 1),
        ("10", "0010", 1),
        ("000", "0", 1),
        ("-5", "5", 1),
        ("inf", "Infinity", 1),
        ("nan", "NaN", 1),
        ("\u0663", "3", 1),
        (".", "0", 1),
        ("e5", "0", 1),
        ("1e" + "9" * 30, "1", 1),
        ("1" * 100_000 + "x", "1", 1),
    ],
)
def test_another_output(printed: str, expected: str, line: int) -> None:
    assert not same_output(printed, expected)
    assert first_difference(printed, expected) == line


def test_a_verdict_near_its_limit_is_looked_at_again() -> None:
    limits = {"cpu": 1.0}
    ended = Ended("", 0, "", 0.5, 0.6, 0, "RM", 0.0, b"", b"")
    assert not near(ended, limits)
    assert near(ended._replace(cpu=1.1), limits)
    assert not near(ended._replace(cut="cpu", cpu=1.2), limits)
    assert not near(ended._replace(cut="wall", wall=3.0, state="R"), limits)
    assert near(ended._replace(cut="wall", wall=3.0, waited=1.0, state="R"), limits)


async def test_odd_habits_are_those_of_a_fresh_python(limits: Limits, tmp_path: Path) -> None:
    setting, at_once = Setting(*setting_of(limits.isolation), tuple(python_runtime())), asyncio.Semaphore(2)
    places = Places(2, uids().stop - 8 if os.geteuid() == 0 else 0, None)

    async def difference(path: Path) -> str:
        async with at_once:
            given = path.with_suffix(".in")
            payload = marshal.dumps(("main.py", path.read_bytes()), 2)
            with handed(payload) as source, handed(given.read_bytes() if given.exists() else b"") as stdin:
                ended = await places.run(setting, Program("main", NUMBERS, source, stdin))
            folder = tmp_path / path.stem
            folder.mkdir()
            wanted = await asyncio.to_thread(fresh, path, folder, setting.python)
        found = (ended.output, ended.status, last_line(ended.error))
        return "" if found == wanted and not ended.broken and not ended.cut else f"{path.stem}: {found} {wanted}"

    try:
        assert [found for found in await asyncio.gather(*map(difference, ODD)) if found] == []
    finally:
        places.close()


async def test_workers_of_another_process_than_a_grading_host_end_none_of_its_children(limits: Limits) -> None:
    setting = Setting(*setting_of(limits.isolation), tuple(python_runtime()))
    places = Places(1, uids().stop - 8 if os.geteuid() == 0 else 0, None)
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as child:  # noqa: ASYNC220 (it is watched, not waited for)
        try:
            with handed(marshal.dumps(("main.py", b"print(1)"), 2)) as source, handed(b"") as stdin:
                ended = await places.run(setting, Program("main", NUMBERS, source, stdin))
        finally:
            places.close()
        assert (ended.output, child.poll()) == (b"1\n", None)


NUMBERS = {
    "cpu": 10.0, "wall": 60.0, "memory": 256 << 20, "output": 8 << 20, "processes": 32, "open_files": 256,
    "file": 64 << 20, "tmp": 64 << 20, "tmp_inodes": 4096, "address_space": 2 << 30, "keep_output": True,
}  # fmt: skip


def fresh(program: Path, folder: Path, python: str) -> tuple[bytes, int, bytes]:
    """What a Python that is started for it prints of a program, its exit status, and its last words."""
    (folder / "main.py").write_bytes(program.read_bytes())
    given = program.with_suffix(".in")
    done = subprocess.run(
        [python, "main.py"],
        input=given.read_bytes() if given.exists() else b"",
        capture_output=True,
        cwd=folder,
        env={"PYTHONHASHSEED": "0"},
        timeout=60,
        check=False,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a background shell ignores it
    )
    return done.stdout, done.returncode, last_line(done.stderr)


def last_line(error: bytes) -> bytes:
    """The last line, without the folder that a file's name may stand in."""
    line = (error.splitlines() or [b""])[-1]
    return line[: line.find(b"/")] + line[line.rfind(b"/") + 1 :] if b"/" in line else line

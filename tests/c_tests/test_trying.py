"""What becomes of inputs, in the real sandbox on both isolation levels."""

import asyncio
import re
import subprocess
from pathlib import Path

import pytest

from blocks.limits import Limits
from tasks.c_tests.building import DoesNotCompile, Program, build, missing
from tasks.c_tests.findings import first_error
from tasks.c_tests.trying import Feed, Tried, expected, fed, try_inputs
from tests.c_tests.conftest import program


def tried(code: Program, inputs: list[str], limits: Limits, feed: Feed = "stdin") -> list[Tried]:
    async def work() -> list[Tried]:
        return await try_inputs(code, await build(code, limits), inputs, feed, limits)

    return asyncio.run(work())


def one(body: str, given: str, limits: Limits, feed: Feed = "stdin") -> Tried:
    return tried(program(body), [given], limits, feed)[0]


READ = 'int n = 0; if (scanf("%d", &n) != 1) n = -1;'


def test_this_machine_builds_with_sanitizers(limits: Limits):
    assert asyncio.run(missing(limits)) is None


def test_what_was_printed_on_both_streams_is_expected(limits: Limits):
    found = one('printf("a \\n\\n b\\t\\n"); fprintf(stderr, "%d\\n", getchar());', "\n", limits)
    assert (found.outcome, found.output, found.detail, found.doubtful) == ("accepted", "a\n\n b\n10", "", False)
    assert found.cpu_seconds is not None


@pytest.mark.parametrize("given", ["", "\n", "\n\n5\n", "5", " 5 \t", "é", "a\0b"])
def test_an_input_arrives_byte_for_byte(limits: Limits, given: str):
    loop = "int c, n = 0; unsigned long h = 7; while ((c = getchar()) != EOF) { n++; h = h * 31 + c; }"
    code = f'{loop} printf("%d %lu", n, h);'
    data, hash_ = given.encode(), 7
    for byte in data:
        hash_ = (hash_ * 31 + byte) % 2**64
    assert one(code, given, limits).output == f"{len(data)} {hash_}"


def test_arguments_are_split_as_a_shell_splits_them(limits: Limits):
    code = 'for (int i = 1; i < argc; i++) printf("[%s]", argv[i]); printf("%d", getchar());'
    results = tried(program(code), ["1 'two words'  \"\" a\\ b\n$HOME *", "", "it's", "a\0b"], limits, "args")
    assert [each.output for each in results] == ["[1][two words][][a b][$HOME][*]-1", "-1", "", ""]
    assert [each.outcome for each in results] == ["accepted", "accepted", "bad_arguments", "bad_arguments"]


@pytest.mark.parametrize(
    ("body", "outcome", "said"),
    [
        ("return 3;", "runtime_error", "exit code 3"),
        ('puts("bad input"); exit(1);', "runtime_error", "bad input"),
        ("abort();", "runtime_error", "signal 6"),
        ("int *p = 0; *p = 1;", "runtime_error", "signal 11"),
        ("volatile int zero = 0; printf(\"%d\", 100 / zero);", "runtime_error", "division by zero"),
        ("for (;;);", "time_limit", "time"),
        ("for (;;) puts(\"flood\");", "output_limit", "64 KiB"),
        ("for (;;) fputs(\"flood\", stderr);", "output_limit", "64 KiB"),
        ("for (;;) { char *p = malloc(1 << 20); memset(p, 1, 1 << 20); }", "memory_limit", "64 MiB"),
        ("int a[4]; a[0] = 0; volatile int i = 4; a[i] = 1; printf(\"%d\", a[0]);", "sanitizer", "index 4 out of"),
        ("char *p = malloc(4); volatile int n = 8; memset(p, 1, n); putchar(p[0]);", "sanitizer", "a write, in main"),
        ("volatile char *p = malloc(4); free((void *)p); printf(\"%d\", !p[0]);", "sanitizer", "use-after-free"),
        ("volatile int n = 2147483647; n = n + 1; printf(\"%d\", n);", "sanitizer", "signed integer overflow"),
        ("char name[4]; scanf(\"%s\", name); puts(name);", "sanitizer", "stack-buffer-overflow"),
        ("unsigned char *p = malloc(4); printf(\"%p\", (void *)p);", "nondeterministic", "something else"),
        ("printf(\"%ld\", (long)time(NULL));", "nondeterministic", "something else"),
        ("putchar(255);", "not_text", "UTF-8"),
    ],
)  # fmt: skip
def test_what_cannot_be_a_test(limits: Limits, body: str, outcome: str, said: str):
    found = one(body, "longer than four", limits)
    assert (found.outcome, found.output) == (outcome, "")
    assert said in found.detail
    assert "0x7f" not in found.detail


def test_the_end_of_the_input_comes_to_every_reader(limits: Limits):
    loop = 'int n; do { n = 1; scanf("%d", &n); } while (n != 0);'
    results = tried(program(f'{loop} puts("done");'), ["3 2 0", "3 2", "0"], limits)
    assert [each.outcome for each in results] == ["accepted", "time_limit", "accepted"]


def test_leaks_and_deep_recursion_are_no_findings(limits: Limits):
    leak = "char *p = malloc(100); p[0] = 'x'; putchar(p[0]);"
    assert one(leak, "", limits).outcome == "accepted"
    deep = "static int f(int n) { char room[64]; room[n % 64] = n; return n ? room[n % 64] + f(n - 1) : 0; }"
    text = f'#include <stdio.h>\n{deep}\nint main(void) {{ printf("%d\\n", f(40000)); return 0; }}\n'
    assert tried(Program(text=text, path="deep.c"), [""], limits)[0].outcome == "accepted"


def test_what_hangs_on_what_c_leaves_open_is_doubtful(limits: Limits):
    found = one('char *p = malloc(40); printf("%d", p[30]);', "", limits)
    assert (found.outcome, found.doubtful) == ("accepted", True)


def test_every_run_is_alone(limits: Limits):
    code = 'FILE *f = fopen("seen", "r"); puts(f ? "again" : "first"); f = fopen("seen", "w"); fclose(f);'
    assert [each.output for each in tried(program(code), ["1", "2", "3"], limits)] == ["first"] * 3


def test_what_does_not_compile_says_why(limits: Limits):
    for body, said in (("int x = ;", "expected expression"), ("nowhere();", "undefined reference")):
        with pytest.raises(DoesNotCompile) as raised:
            asyncio.run(build(program(body), limits))
        assert said in str(raised.value)


@pytest.mark.parametrize(
    ("text", "flags", "said"),
    [
        ("int main(void) {\n    int x = ;\n}\n", (), r"a\.c:2:13: error: expected expression before .*"),
        ('#include "none.h"\nint main(void) {}\n', (), r"a\.c:1:10: fatal error: none\.h: No such file .*"),
        ("int main(void) {\n    nowhere();\n}\n", (), r".*undefined reference to .nowhere.*"),
        ("int f(void) { return 0; }\n", (), r".*undefined reference to .main.*"),
        ("int main(void) {}\n", ("-lnothing",), r".*cannot find -lnothing.*"),
        ("int main(void) {}\n", ("-fnothing",), r".*error: unrecognized command.line option .*"),
    ],
)
def test_the_first_error_is_what_is_shown(limits: Limits, text: str, flags: tuple[str, ...], said: str):
    with pytest.raises(DoesNotCompile) as raised:
        asyncio.run(build(Program(text=text, path="a.c", cflags=flags), limits))
    assert re.fullmatch(said, first_error(str(raised.value)))


def test_without_an_error_the_first_line_is_shown():
    assert first_error("2 of 3 tests in 6 rounds; rejected: 1 sanitizer (x)\nmore") == (
        "2 of 3 tests in 6 rounds; rejected: 1 sanitizer (x)"
    )
    assert first_error("") == ""


def test_the_file_has_its_name_and_the_library_its_functions(limits: Limits):
    code = program('printf("%s %.3f", __FILE__, sqrt(argc + 1.0));', path="a b/-odd name.c")
    assert tried(code, [""], limits)[0].output == "./-odd name.c 1.414"


def test_a_report_is_the_same_twice(limits: Limits):
    body = 'int n; scanf("%d", &n); int a[n]; char s[8]; strcpy(s, "far too long"); a[0] = *s; printf("%d", *a);'
    first, second = (one(body, "5", limits) for _ in range(2))
    assert first.detail == second.detail
    assert "in main, line" in first.detail


def test_an_input_as_it_is_fed():
    assert fed("a\n", "stdin") == ((), b"a\n")
    assert fed(" 1  '2 3'", "args") == (("1", "2 3"), b"")
    with pytest.raises(ValueError, match="surrogates"):
        fed("\ud800", "stdin")


@pytest.mark.parametrize(
    ("output", "error", "told"),
    [
        (b"", b"", ""),
        (b"5\n", b"", "5"),
        (b"5", b"", "5"),
        (b"a  \r\n\tb \n", b"c\n", "a\n\tb\nc"),
        (b"a", b"b\n", "ab"),
        (b"a\n\n\n", b"", "a\n\n"),
    ],
)
def test_white_space_at_the_ends_of_lines_is_no_output(output: bytes, error: bytes, told: str):
    assert expected(output, error) == told


def test_the_real_programs_print_what_they_print_by_hand(data: Path, tmp_path: Path, limits: Limits):
    """Five of them; all sixty are in tests/test_generate_tests.py."""
    from tasks.c_tests.sources import read_sources

    for group in read_sources(str(data / "c_programs_60.jsonl")).groups[:5]:
        source = tmp_path / "program.c"
        source.write_text(group[0].text)
        subprocess.run(["gcc", "-w", "-o", tmp_path / "program", source, "-lm"], check=True)
        code = Program(text=group[0].text, path=group[0].path)
        for found in tried(code, ["3 1 2\n3 4 5\n", "1\n1\n"], limits):
            if found.outcome == "accepted":
                by_hand = subprocess.run(
                    [tmp_path / "program"], input=found.input.encode(), capture_output=True, check=True
                )
                assert found.output == expected(by_hand.stdout, by_hand.stderr)

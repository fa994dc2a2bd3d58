"""What inputs reach of a program, by gcov in the sandbox."""

import asyncio

import pytest

from blocks.limits import Limits
from tasks.c_tests.building import Program
from tasks.c_tests.coverage import Coverage, coverage
from tasks.c_tests.trying import Feed

TEXT = """#include <stdio.h>
static int sign(int number) {
    if (number < 0)
        return -1;
    return number > 0;
}
int main(int argc, char **argv) {
    int number;
    if (argc > 1) {
        puts(argv[1]);
        return 0;
    }
    if (scanf("%d", &number) != 1) {
        puts("none");
        return 0;
    }
    printf("%d\\n", sign(number));
    return 0;
}
"""


def reached(inputs: list[str], limits: Limits, feed: Feed = "stdin", text: str = TEXT) -> Coverage | None:
    return asyncio.run(coverage(Program(text=text, path="p/it's.c"), inputs, feed, limits))


@pytest.mark.parametrize(
    ("inputs", "missed"),
    [
        (["5"], (4, 10, 11, 14, 15)),
        (["5", "-5"], (10, 11, 14, 15)),
        (["5", "-5", ""], (10, 11)),
    ],
)
def test_lines_add_up_over_inputs(limits: Limits, inputs: list[str], missed: tuple[int, ...]):
    found = reached(inputs, limits)
    assert found is not None
    assert found.missed == missed
    assert found.line == round(100 * (13 - len(missed)) / 13, 1)
    assert found.branch is not None
    assert 0 < found.branch < 100


def test_arguments_are_quoted(limits: Limits):
    found = reached(["'it is; exit 3' $(false)"], limits, "args")
    assert found is not None
    assert {10, 11}.isdisjoint(found.missed)


def test_a_program_without_branches_has_no_share_of_them(limits: Limits):
    found = reached([""], limits, text="#include <stdio.h>\nint main(void) {\n    return 0;\n}\n")
    assert found == Coverage(line=100.0, branch=None, missed=())


def test_a_program_that_writes_the_report_itself_is_not_believed(limits: Limits):
    text = '#include <unistd.h>\nint main(void) {\n    unlink("program.gcno");\n    _exit(0);\n}\n'
    found = reached([""], limits, text=text)
    assert found is None or found.line in (None, 0.0)


@pytest.mark.parametrize("path", ["p/-dash.c", "--version.c", "./a.c", "é 1.c"])
def test_a_file_of_any_name(limits: Limits, path: str):
    found = asyncio.run(coverage(Program(text=TEXT, path=path), ["5"], "stdin", limits))
    assert found is not None
    assert found.missed == (4, 10, 11, 14, 15)


def test_the_compiler_is_told_what_it_is_told_otherwise(limits: Limits):
    text = "#include <math.h>\n#ifdef ROOT\nint main(int n, char **v) {\n    return sqrt(n) > ROOT;\n}\n#endif\n"
    flags = ("-DROOT=5", "-std=c11", "-O2", "-lm")
    found = asyncio.run(coverage(Program(text=text, path="a.c", cflags=flags), [""], "stdin", limits))
    assert found is not None
    assert (found.line, found.missed) == (100.0, ())

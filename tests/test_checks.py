"""A model's own tests on a model's program, in the real sandbox: neither can do harm, hang, or crash the attempt."""

from pathlib import Path

import pytest

from blocks.limits import Limits
from blocks.sandbox import Sandbox
from tasks.checks import run_checks
from tasks.grading import prepare
from tasks.records import Checks, Pair, Problem, SampleReport, Suite

DOUBLE = Problem(id="p", statement="Double it.", entry_point="double", context="import math\n", hidden=Suite())
SUM = Problem(id="q", statement="Add them.", hidden=Suite())
RIGHT = "def double(n):\n    return 2 * n\n"


@pytest.fixture(scope="module")
def limits() -> Limits:
    return Sandbox(cpu_seconds=2.0).limits()


async def checked(limits: Limits, program: str, tests: str) -> SampleReport:
    return await run_checks(DOUBLE, program, Checks(source=tests), await prepare(limits))


def check(*lines: str) -> str:
    return "\n".join(["def check(candidate):", *(f"    {line}" for line in lines)])


async def test_all_pass(limits: Limits):
    report = await checked(limits, RIGHT, check("assert candidate(2) == 4", "assert double(0) is not None"))
    assert report == SampleReport(passed=True, samples=2, samples_passed=2, text="2 of 2 tests passed.")


async def test_each_failure_is_told_and_the_next_is_run(limits: Limits):
    program = "def double(n):\n    if n > 5:\n        raise ValueError('too much')\n    return n\n"
    tests = check(
        "assert candidate(2) == 4, 'twice two'",
        "for n in (0, 7):",
        "    assert candidate(n) == 2 * n",
        "assert abs(candidate(1) - 2) < 0.1",
        "assert math.isclose(candidate(0), 0)",
    )
    report = await checked(limits, program, tests)
    assert (report.passed, report.samples, report.samples_passed) == (False, 5, 2)
    assert report.text == (
        "2 of 5 tests passed.\n\n"
        "assert candidate(2) == 4, 'twice two'\ngot 2, expected 4\n\n"
        "assert candidate(n) == 2 * n\nraised ValueError: too much (line 3: raise ValueError('too much'))\n\n"
        "assert abs(candidate(1) - 2) < 0.1\nit does not hold"
    )


@pytest.mark.parametrize(
    ("program", "tests", "said"),
    [
        ("def double(n:", check("assert candidate(1) == 2"), "The program could not be loaded: SyntaxError"),
        ("raise SystemExit(3)", check("assert candidate(1) == 2"), "The program could not be loaded: SystemExit: 3"),
        ("def other(n): pass", check("assert candidate(1) == 2"), "The program does not define double."),
        (RIGHT, check("x = undefined", "assert candidate(1) == 2"), "The tests ended with NameError"),
        (RIGHT, check("exit()", "assert candidate(1) == 2"), "The tests ended with SystemExit"),
        (RIGHT, check("import os", "os._exit(0)", "assert candidate(1) == 2"), "ended before its tests did."),
        (RIGHT, check("assert candidate(1) == 2", "import os", "os._exit(0)"), "ended before its tests did."),
        (RIGHT, check("for n in []:", "    assert candidate(n) == n"), "No assertion was reached."),
        ("def double(n):\n    while True: pass", check("assert candidate(1) == 2"), "it did not come to an end"),
        ("import os\ndef double(n): os.kill(0, 9)", check("assert candidate(1) == 2"), "it did not come to an end"),
        ("class A:\n    def __repr__(self): raise KeyError\ndef double(n): return A()",
         check("assert candidate(1) == 2"), "got a value whose repr raised KeyError, expected 2"),
        ("def double(n): return 'x' * 10_000", check("assert candidate(1) == 2"), "xxx…, expected 2"),
    ],
)  # fmt: skip
async def test_whatever_happens_is_a_report(limits: Limits, program: str, tests: str, said: str):
    report = await checked(limits, program, tests)
    assert said in report.text
    assert len(report.text) < 2000


async def test_a_fault_of_the_tests_is_not_the_programs(limits: Limits):
    for tests in (check("nothing()"), check("open('/nowhere')"), check("import nothing_of_the_kind")):
        report = await checked(limits, RIGHT, tests)
        assert (report.passed, report.samples) == (True, 0)
        assert report.text.startswith("The tests ended with ")


@pytest.mark.parametrize("line", ["import nothing_of_the_kind", "from your_module import double", "import pytest"])
async def test_an_import_that_fails_is_passed_over(limits: Limits, line: str):
    tests = f"{line}\n{check('assert candidate(2) == 4')}"
    assert (await checked(limits, RIGHT, tests)).text == "1 of 1 tests passed."
    assert not (await checked(limits, "def double(n): return n", tests)).passed


async def test_an_assertion_that_needs_what_is_not_there_says_nothing(limits: Limits):
    tests = check(
        "assert np.isclose(candidate(2), 4)", "assert candidate(2) == 4", "assert math.isclose(candidate(1), 2)"
    )
    report = await checked(limits, RIGHT, tests)
    assert (report.passed, report.samples, report.samples_passed) == (True, 2, 2)
    assert report.text == (
        "2 of 2 tests passed.\n\n"
        "assert np.isclose(candidate(2), 4)\nthe test itself raised NameError: name 'np' is not defined"
    )
    missing = await checked(limits, "def double(n): return undefined", check("assert candidate(2) == 4"))
    assert (missing.passed, missing.samples) == (False, 1)


@pytest.mark.parametrize(
    ("program", "lines"),
    [
        ("def double(n): pass", ["result = candidate([2])", "result.append(3)", "assert result == [4, 3]"]),
        ("def double(n): pass", ["for each in candidate([2]):", "    assert each > 0"]),
        ("def double(): return 1", ["result = candidate(1)", "assert result == 2"]),
        ("def double(n): return []", ["first = candidate([1])[0]", "assert first == 2"]),
        ("def double(n): return n", ["if candidate(1) != 2:", "    raise AssertionError('wrong')", "assert True"]),
    ],
)
async def test_what_cannot_be_gone_on_with_is_the_programs_fault(limits: Limits, program: str, lines: list[str]):
    report = await checked(limits, program, check(*lines))
    assert not report.passed
    assert "The tests ended with" in report.text


async def test_calls_and_assertions_beside_the_check_are_left_out(limits: Limits):
    tests = f"assert double(1) == 3\n{check('assert candidate(2) == 4')}\n\nassert double(1) == 3\ncheck(double)\n"
    report = await checked(limits, RIGHT, tests)
    assert (report.passed, report.samples) == (True, 1)


async def test_what_fails_late_in_a_loop_is_told(limits: Limits):
    program = "def double(n):\n    return 2 * n if n < 500 else 0\n"
    tests = check("for n in range(1000):", "    assert candidate(n) == 2 * n")
    report = await checked(limits, program, tests)
    assert (report.passed, report.samples, report.samples_passed) == (False, 105, 100)
    assert "got 0, expected 1000" in report.text


async def test_names_mean_what_they_mean_in_the_tests(limits: Limits):
    tests = check(
        "assert (got := candidate(3)) == 6",
        "assert got > 5",
        "class Local:",
        "    x = candidate(2)",
        "    assert x == 4",
        "assert [y for y in (candidate(1),) if y == 2] == [2]",
    )
    report = await checked(limits, RIGHT, tests)
    assert report == SampleReport(passed=True, samples=4, samples_passed=4, text="4 of 4 tests passed.")


async def test_what_is_printed_is_no_report(limits: Limits):
    program = 'print(\'{"ended": ""}\')\ndef double(n):\n    print(\'{"begun": "x"}\')\n    return n\n'
    report = await checked(limits, program, check("assert candidate(2) == 4"))
    assert (report.passed, report.samples) == (False, 1)


async def test_a_main_block_is_not_run(limits: Limits):
    program = RIGHT + "if __name__ == '__main__':\n    raise SystemExit(1)\n"
    assert (await checked(limits, program, check("assert candidate(2) == 4"))).passed


async def test_tests_touch_nothing_outside(limits: Limits, tmp_path: Path):
    left = tmp_path / "left"
    tests = check(f"open({str(left)!r}, 'w').write('x')", "assert candidate(2) == 4")
    report = await checked(limits, RIGHT, tests)
    assert not left.exists()
    assert report.text.startswith("The tests ended with ")
    assert report.samples == 0


async def test_whole_programs_are_compared_by_their_output(limits: Limits):
    pairs = (Pair(input="1 2\n", output="3\n"), Pair(input="4\n", output="5\n"))
    program = "print(sum(map(int, input().split())))"
    report = await run_checks(SUM, program, Checks(pairs=pairs), await prepare(limits))
    assert (report.passed, report.samples, report.samples_passed) == (False, 2, 1)
    assert report.text.startswith("1 of 2 tests passed.\n\nInput:\n4\n")

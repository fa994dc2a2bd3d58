"""Run one generated test on a program: `python -m tasks.c_tests.check TESTS.json PROGRAM NUMBER --feed stdin`.

The command of `test_task.json`, with the program to test in place of `%t`. Exit code 0: it prints what is expected;
1: it does not; 2: there is no such test or program.
"""

import asyncio
import sys
from pathlib import Path

import cyclopts

from blocks.bubblewrap import detect_isolation
from blocks.errors import UsageError
from blocks.limits import Limits
from tasks.c_tests.files import Test, read_tests
from tasks.c_tests.trying import Feed
from tasks.c_tests.verify import Verified, run_tests, target
from tasks.grading import HarnessError


def check(tests: Path, program: str, number: int, /, *, feed: Feed = "stdin", time_limit: float = 5.0) -> int:
    """Run one test, and say on standard error what is wrong.

    Args:
        tests: a file of generated tests, such as p001.c.json.
        program: the program to test.
        number: which test, from 0.
        feed: how the input reaches the program.
        time_limit: CPU seconds.
    """
    try:
        found = read_tests(tests)
        if not 0 <= number < len(found):
            raise UsageError(f"{tests}: there is no test {number}; it has {len(found)}, from 0")
        ended = asyncio.run(_run(program, found[number : number + 1], feed, time_limit))
    except (UsageError, OSError, HarnessError) as problem:
        print(problem, file=sys.stderr)
        return 2
    if ended.outcome != "passed":
        print(ended.detail, file=sys.stderr)
    return ended.outcome != "passed"


async def _run(program: str, tests: list[Test], feed: Feed, time_limit: float) -> Verified:
    limits = Limits(isolation=detect_isolation(), cpu_seconds=time_limit, wall_seconds=3 * time_limit)
    return (await run_tests(target([program]), tests, feed, limits, program))[0]


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    app = cyclopts.App(name="python -m tasks.c_tests.check", default_command=check)
    try:
        return int(app(arguments, exit_on_error=False, print_error=False, result_action="return_value") or 0)
    except cyclopts.CycloptsError as problem:
        print(" ".join(str(problem).split()), file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())

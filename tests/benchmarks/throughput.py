"""How much of the ideal a run of `solve` reaches, beside the bare client and a bare Prefect task.

Against the recorded server in a process of its own: 512 problems of 4 streamed calls, 64 workers. Ideal is
calls x latency / workers. Each contestant is a process of its own, with a Prefect server in another; its CPU is the
process's own, without the server's and without graded programs'.

    python -m tests.benchmarks.throughput [--latency 0.5] [--problems 512] [--only consort]
"""

import asyncio
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import cyclopts

from tests.processes import CHECKOUT, prefect_server, recorded_server

STAGES = ("planning", "simulation", "refinement", "coding")
WORKERS = 64
PIECES = 8  # chunks a reply is streamed in


def main(arguments: list[str] | None = None) -> None:
    """Print one table a latency."""
    app = cyclopts.App(result_action="return_value")
    app.default(compare)
    app.command(contestant, show=False)
    app(sys.argv[1:] if arguments is None and __name__ == "__main__" else arguments or [])


def compare(
    *, latency: list[float] | None = None, problems: int = 512, only: str | None = None, pieces: int = PIECES
) -> None:
    """Run the contestants, one after the other, at each latency."""
    for seconds in latency or [0.5, 2.0]:
        print(f"{problems} problems x {len(STAGES)} calls of {seconds} s, {WORKERS} workers, {pieces} chunks a reply")
        for name in [only] if only else ["client", "task", "consort"]:
            with tempfile.TemporaryDirectory() as folder:
                print(f"  {name:<8} {measured(name, Path(folder), seconds, problems, pieces)}", flush=True)


def measured(name: str, folder: Path, latency: float, problems: int, pieces: int) -> str:
    """Run one contestant; return its line."""
    dataset, replies = write_inputs(folder, problems)
    ideal = problems * len(STAGES) * latency / WORKERS
    pace = ("--latency", latency, "--ttft", latency / 5, "--pieces", pieces)
    with recorded_server(replies, *pace) as url, prefect_server(folder / "prefect") as environment:
        ended = subprocess.run(
            [sys.executable, "-m", "tests.benchmarks.throughput", "contestant", name, url, str(dataset)],
            cwd=CHECKOUT,
            env={**environment, "PREFECT_LOGGING_LEVEL": "WARNING"},
            capture_output=True,
            text=True,
            check=False,
        )
    if ended.returncode:
        return f"failed: {ended.stderr[-2000:]}"
    used = json.loads(ended.stdout.splitlines()[-1])
    calls = problems * len(STAGES)
    return (
        f"wall {used['wall']:6.2f} s = {used['wall'] / ideal:.2f} x ideal, "
        f"client CPU {1000 * used['cpu'] / calls:.1f} ms a call, peak memory {used['memory']:.0f} MB"
    )


def contestant(name: str, url: str, dataset: Path) -> None:
    """Do the work in this process and print what it took, as JSON."""
    wall = asyncio.run({"client": client, "task": prefect_task, "consort": consort}[name](url, dataset))
    own = resource.getrusage(resource.RUSAGE_SELF)
    used = {"wall": wall, "cpu": own.ru_utime + own.ru_stime, "memory": own.ru_maxrss / 1024}
    print(json.dumps(used))


async def consort(url: str, dataset: Path) -> float:
    """The flow itself: CodeSIM whose every plan is refined once; returns its own wall time."""
    from flows.solve import solve

    state: Any = await solve(
        dataset=str(dataset),
        model1=f"{url}#recorded",
        workers=WORKERS,
        verbose=0,
        output=dataset.parent / "out",
        return_state=True,
    )
    result = await state.aresult()
    assert result["errors"] == 0, result
    assert result["api_calls"] == result["problems"] * len(STAGES), result
    return float(result["wall_seconds"])


async def client(url: str, dataset: Path) -> float:
    """The OpenAI client alone."""
    began = time.monotonic()
    left = iter(ids(dataset))

    async def work() -> None:
        for problem in left:
            await four_calls(openai, problem)

    async with open_client(url) as openai, asyncio.TaskGroup() as group:
        for _ in range(WORKERS):
            group.create_task(work())
    return time.monotonic() - began


async def prefect_task(url: str, dataset: Path) -> float:
    """A flow of one bare task a problem, around the OpenAI client."""
    from prefect import flow, task

    async with open_client(url) as openai:

        @task
        async def attempt(problem: str) -> None:
            await four_calls(openai, problem)

        @flow
        async def run(problems: list[str]) -> None:
            left = iter(problems)

            async def work() -> None:
                for problem in left:
                    await attempt(problem)

            async with asyncio.TaskGroup() as group:
                for _ in range(WORKERS):
                    group.create_task(work())

        began = time.monotonic()
        await run(ids(dataset))
        return time.monotonic() - began


def open_client(url: str) -> Any:
    """An AsyncOpenAI as people make it."""
    from openai import AsyncOpenAI

    return AsyncOpenAI(base_url=url, api_key="EMPTY", max_retries=0)


async def four_calls(openai: Any, problem: str) -> None:
    """Ask for the four replies of a problem, streamed."""
    for stage in STAGES:
        stream = await openai.chat.completions.create(
            model="recorded",
            messages=[{"role": "user", "content": f"{stage} of {problem}: " + "a prompt " * 100}],
            stream=True,
            stream_options={"include_usage": True},
            extra_headers={"X-Consort-Problem": problem, "X-Consort-Stage": stage, "X-Consort-Ordinal": "1"},
        )
        text = [chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices]
        assert text


def ids(dataset: Path) -> list[str]:
    """The problems of a dataset file."""
    return [json.loads(line)["task_id"] for line in dataset.read_text().splitlines()]


def write_inputs(folder: Path, problems: int) -> tuple[Path, Path]:
    """Write a dataset without samples, and replies that refine every plan once."""
    dataset, replies = folder / "bench.jsonl", folder / "replies.jsonl"
    row = {
        "prompt": 'def twice(number: int) -> int:\n    """Return the double of a number."""\n',
        "entry_point": "twice",
        "canonical_solution": "    return 2 * number\n",
        "test": "def check(candidate):\n    assert candidate(2) == 4\n",
        "sample_io": [],
    }
    rows = [{"task_id": f"Bench/{number}", **row} for number in range(problems)]
    dataset.write_text("".join(json.dumps(each) + "\n" for each in rows))
    padding = "Some words of reasoning about the problem. " * 40
    texts = {
        "planning": f"{padding}\n### Plan\n1. Return the double.",
        "simulation": f"{padding}\n**Plan Modification Needed**",
        "refinement": f"{padding}\n### Plan\n1. Return two times the number.",
        "coding": f"```python\ndef twice(number):\n    # {padding}\n    return 2 * number\n```",
    }
    lines = [
        {"stage": stage, "content": text, "prompt_tokens": 400, "completion_tokens": 450}
        for stage, text in texts.items()
    ]
    replies.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return dataset, replies


if __name__ == "__main__":
    main()

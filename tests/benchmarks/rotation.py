"""What a switch of models costs, how near to a server's bounds work settles, and how soon a server is used again.

    python -m tests.benchmarks.rotation [rotation|concurrency|rates|balance]

`rotation`: 728 C programs through 15 models of 50 replies each, 15 workers, beside the same work without quotas, and
beside a simulation of rotating by restarts (whatever is in flight is lost, and 5 s pass). It reads the programs from
the folder that CONSORT_DATA names, else the bundled ones. `concurrency`: 64 workers at a server that refuses what is
above 20 in flight. `rates`: two processes and one limit a minute. `balance`: three servers of one model, one of which
dies and comes back.
"""

import asyncio
import contextlib
import heapq
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import cyclopts

from tests.processes import CHECKOUT, prefect_server, recorded_server, stats

WORKERS = 15
NO_TESTS = ("p002", "p015", "p025", "p034")  # a finding on every recorded input
app = cyclopts.App(result_action="return_value")


def main(arguments: list[str] | None = None) -> None:
    """Print every figure, or those of one part."""
    app(sys.argv[1:] if arguments is None and __name__ == "__main__" else arguments or [])


@app.default
def everything() -> None:
    """Run every part."""
    rotation()
    concurrency()
    rates()
    balance()


# Rotation


class Work(NamedTuple):
    """One run of the flow: seconds, files done, replies and errors by model."""

    seconds: float
    complete: int
    replies: Counter[str]
    wasted: Counter[str]


@app.command
def rotation(*, models: int = 15, quota: int = 50, copies: int = 13, latency: float = 1.0) -> None:
    """Print wall times with and without quotas, and the calls that each switch wasted."""
    with tempfile.TemporaryDirectory() as folder, prefect_server(Path(folder) / "prefect") as environment:
        sources, replies = c_programs(Path(folder), copies)
        count = len(sources.read_text().splitlines())
        print(f"{count} C programs, {models} models of {quota} replies, {WORKERS} workers, replies of {latency} s")
        names = [f"m{number:02}" for number in range(models)]
        without = worked(Path(folder), environment, "free", sources, replies, names, None, latency)
        with_quotas = worked(Path(folder), environment, "spent", sources, replies, names, quota, latency)
        switches = len(with_quotas.wasted)
        wasted = with_quotas.wasted.values() or (0,)
        print(f"  without quotas  {without.seconds:6.1f} s, complete {without.complete}, replies {total(without)}")
        print(
            f"  with quotas     {with_quotas.seconds:6.1f} s = {with_quotas.seconds / without.seconds:.3f} x, "
            f"complete {with_quotas.complete}, replies {total(with_quotas)}, {switches} switches"
        )
        print(f"  wasted calls at each switch: {dict(with_quotas.wasted)} (at most {max(wasted)})")
        lost = by_restarts(count, models, quota, without.seconds * WORKERS / count)
        print(
            f"  by restarts     {lost.seconds:6.1f} s = {lost.seconds / without.seconds:.3f} x (simulated), "
            f"complete {lost.complete}, replies lost {lost.wasted.total()}"
        )


def total(work: Work) -> int:
    """All replies of a run."""
    return work.replies.total()


def worked(
    folder: Path,
    environment: dict[str, str],
    name: str,
    sources: Path,
    replies: Path,
    models: list[str],
    quota: int | None,
    latency: float,
) -> Work:
    """Run the flow over a pool of its own."""
    given = replies.with_name(f"{name}.jsonl")
    script = [json.dumps({"quota": dict.fromkeys(models, quota)})] if quota else []
    given.write_text("\n".join([*script, replies.read_text()]))
    with recorded_server(given, "--latency", latency, "--pieces", 4) as url:
        blocks = folder / f"{name}.toml"
        lines = [
            f'[endpoints.{name}-{each}]\nbase_url = "{url}"\nmodel = "{each}"\nprovider = "dashscope"'
            for each in models
        ]
        blocks.write_text(
            "\n".join([*lines, f"[pools.{name}]", f"endpoints = {[f'{name}-{each}' for each in models]}"])
        )
        run(environment, "-m", "blocks.register", blocks)
        out = folder / name
        run(
            environment, "flows/generate_tests.py", "--sources", sources, "--models", name, "--workers", WORKERS,
            "--num-tests", 1, "--tests", out / "tests", "--output", out / "results", "--verbose", 0,
        )  # fmt: skip
        served = stats(url)
    results = json.loads((out / "tests" / "logs" / "generation_results.json").read_text())
    return Work(
        seconds=results["elapsed_seconds"],
        complete=results["totals"]["complete"],
        replies=Counter(served["replies"]),
        wasted=Counter(served["errors"]),
    )


def run(environment: dict[str, str], *arguments: object) -> None:
    """Run a command of ours; a failure ends the benchmark with what it said."""
    ended = subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=CHECKOUT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode:
        raise SystemExit(ended.stdout[-2000:] + ended.stderr[-2000:])


def c_programs(folder: Path, copies: int) -> tuple[Path, Path]:
    """Write the sources, each so many times under other paths, and name the replies."""
    data = os.environ.get("CONSORT_DATA")
    if data:
        rows = [json.loads(line) for line in (Path(data) / "c_programs_60.jsonl").read_text().splitlines()]
        replies = Path(data) / "recorded" / "c_programs_sample_inputs.jsonl"
    else:
        root = CHECKOUT / "data" / "c_programs"
        rows = [
            {"path": str(path.relative_to(root)), "source": path.read_text()} for path in sorted(root.rglob("*.c"))
        ]
        replies = CHECKOUT / "data" / "recorded" / "c_programs.jsonl"
    used = [row for row in rows if not row["path"].startswith(NO_TESTS)] if data else rows
    sources, ours = folder / "programs.jsonl", folder / "replies.jsonl"
    lines = [{**row, "path": f"copy{number:02}/{row['path']}"} for number in range(copies) for row in used]
    sources.write_text("".join(json.dumps(line) + "\n" for line in lines))
    ours.write_text(replies.read_text())
    return sources, ours


def by_restarts(items: int, models: int, quota: int, seconds: float, pause: float = 5.0) -> Work:
    """Simulate rotation by restarts: a refused call ends the process, and what its workers have in flight is lost."""
    clock, left, lost = 0.0, items, 0
    for _ in range(models):
        running: list[float] = []
        given, refused = 0, False
        while left and not refused:
            while len(running) < min(WORKERS, left) and not refused:
                refused = given == quota
                if not refused:
                    given += 1
                    heapq.heappush(running, clock + seconds)
            if refused:
                lost += len(running)
                clock += pause
            else:
                clock = heapq.heappop(running)
                left -= 1
    return Work(clock, items - left, Counter(), Counter(lost=lost))


# Concurrency


@app.command
def concurrency(*, most: int = 20, workers: int = 64, calls: int = 2000, latency: float = 0.5) -> None:
    """Print which part of a server's capacity is used, and which part of the calls it refuses."""
    asyncio.run(_concurrency(most, workers, calls, latency))


async def _concurrency(most: int, workers: int, calls: int, latency: float) -> None:
    from starlette.responses import Response

    from tasks.models.rotation import complete
    from tests.models.pools import REQUEST, pool_at, serving, whole

    in_flight = refused = 0

    async def answer(body: dict[str, Any]) -> Response:
        nonlocal in_flight, refused
        if in_flight >= most:
            refused += 1
            return Response("", 429)
        in_flight += 1
        await asyncio.sleep(latency)
        in_flight -= 1
        return whole()

    async with serving() as server, pool_at(server.url, "a") as pool:
        server.answers["a"] = answer
        left, began = iter(range(calls)), time.monotonic()

        async def work() -> None:
            for _ in left:
                await complete(pool, REQUEST)

        await asyncio.gather(*(work() for _ in range(workers)))
        seconds = time.monotonic() - began
        print(
            f"{workers} workers, {calls} calls of {latency} s, at most {most} in flight: "
            f"{calls * latency / most / seconds:.1%} of capacity, refused {refused / (calls + refused):.1%}, "
            f"limit {pool.endpoints[0].limit.limit:.1f}"
        )


# Rates

CALLING = """
import asyncio, sys
from tasks.models.rotation import complete
from tests.models.pools import REQUEST, pool_at

async def main():
    limits = {sys.argv[2]: int(sys.argv[3])}
    async with pool_at(sys.argv[1], "a", endpoint=limits) as pool:
        async def work():
            while True:
                await complete(pool, REQUEST)
        try:
            async with asyncio.timeout(float(sys.argv[4])):
                await asyncio.gather(*(work() for _ in range(16)))
        except TimeoutError:
            pass

asyncio.run(main())
"""


@app.command
def rates(*, seconds: float = 150.0, rpm: int = 600, tpm: int = 120_000) -> None:
    """Print the largest count of any minute, and the mean, as parts of the limit that two processes share."""
    for what, limit, each in (("rpm", rpm, 1), ("tpm", tpm, 200)):
        sent = asyncio.run(_rates(what, limit, seconds))
        times = [at for at in sent if at - sent[0] <= seconds - 1]
        largest = max(sum(1 for other in times if at <= other < at + 60) for at in times) * each
        whole_minutes = (times[-1] - times[0]) // 60
        mean = sum(1 for at in times if at - times[0] < 60 * whole_minutes) * each / max(1, whole_minutes)
        print(f"{what} {limit} over two processes: at most {largest / limit:.3f}, on average {mean / limit:.3f}")


async def _rates(what: str, limit: int, seconds: float) -> list[float]:
    from starlette.responses import Response

    from tests.models.pools import serving, whole

    sent: list[float] = []

    def answer(body: dict[str, Any]) -> Response:
        sent.append(time.monotonic())
        return whole("a", usage={"prompt_tokens": 60, "completion_tokens": 140})

    async with serving() as server:
        server.answers["a"] = answer
        with tempfile.TemporaryDirectory() as home:
            command = [sys.executable, "-c", CALLING, server.url, what, str(limit), str(seconds)]
            environment = {**os.environ, "PREFECT_HOME": home}
            both = [await asyncio.create_subprocess_exec(*command, cwd=CHECKOUT, env=environment) for _ in range(2)]
            for process in both:
                await process.wait()
    return sent


# Balance


@app.command
def balance(*, workers: int = 24, latency: float = 0.2, phase: float = 10.0) -> None:
    """Print calls a second while all three are up, while one is dead, and how soon it is used again."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "replies.jsonl"
        file.write_text(json.dumps({"content": "hi", "latency": latency}) + "\n")
        asyncio.run(_balance(file, workers, phase))


async def _balance(file: Path, workers: int, phase: float) -> None:
    from tasks.models.rotation import complete
    from tests.models.pools import REQUEST, pool_at

    ports = [_free_port() for _ in range(3)]
    with contextlib.ExitStack() as stack:
        for port in ports[:2]:
            stack.enter_context(_served(port, file))
        third = contextlib.ExitStack()
        third.enter_context(_served(ports[2], file))
        urls = [f"http://127.0.0.1:{port}/v1" for port in ports]
        async with pool_at(urls, policy="least_busy", endpoint={"max_concurrency": 8}) as pool:
            done: list[tuple[float, str]] = []
            lost = 0
            stop = asyncio.Event()

            async def work() -> None:
                nonlocal lost
                while not stop.is_set():
                    try:
                        reply = await complete(pool, REQUEST)
                    except Exception:  # noqa: BLE001 - whatever it is, an item is lost
                        lost += 1
                    else:
                        done.append((time.monotonic(), reply.endpoint))

            at_work = asyncio.gather(*(work() for _ in range(workers)))
            await asyncio.sleep(phase)
            await asyncio.to_thread(third.close)
            died = time.monotonic()
            await asyncio.sleep(phase)
            stack.enter_context(await asyncio.to_thread(_entered, ports[2], file))
            back = time.monotonic()
            await asyncio.sleep(phase)
            stop.set()
            await at_work
        before = sum(1 for at, _ in done if at < died) / phase
        while_dead = sum(1 for at, _ in done if died <= at < back) / (back - died)
        used = next((at - back for at, name in done if at > back and name == "c"), float("nan"))
        after = sum(1 for at, _ in done if at >= back + used) / (phase - used)
        print(
            f"{workers} workers, three servers: {before:.0f} calls/s; one dead: {while_dead:.0f}; back: used after "
            f"{used:.1f} s, then {after:.0f} calls/s; items lost {lost}"
        )


def _entered(port: int, file: Path) -> contextlib.ExitStack:
    stack = contextlib.ExitStack()
    stack.enter_context(_served(port, file))
    return stack


@contextlib.contextmanager
def _served(port: int, file: Path) -> Iterator[None]:
    command = [sys.executable, "-m", "tasks.models.recorded", str(file), "--port", str(port)]
    process = subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        yield
    finally:
        process.kill()
        process.communicate()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


if __name__ == "__main__":
    main()

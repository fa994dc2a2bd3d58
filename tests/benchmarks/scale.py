"""What a large run costs before its first call and at its end: 5,000 problems x 3 samples, 90 % of them done.

Direct on rows as HumanEval's, against the recorded server. What is done beforehand is one real attempt of the run,
its rows and its persisted result told again of other problems and samples; then the run folder is written. Every
figure is taken at two sizes, to see what grows.

    python -m tests.benchmarks.scale [--problems 5000] [--few 500] [--samples 3]
"""

import asyncio
import contextlib
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import cyclopts

from blocks.records import AttemptRow, CallRow, ProgramRow, Row, TestRow
from blocks.spool import Spool
from tasks.names import file_name, short_hash
from tasks.reporting.closing import close
from tasks.reporting.spooled_rows import find_rows, read_rows
from tests.processes import CHECKOUT, prefect_server, recorded_server, stats, tree

LEFT = 10  # of so many attempts one is left to do
REAL = "Scale/0"  # the problem that is really attempted beforehand
FLOW, CLOSING = "flows/solve.py", "tasks.reporting.closing"
PROMPT = '''\
def add(first: int, second: int) -> int:
    """Return the sum of two numbers (exercise {number}).
{explained}
    >>> add(1, 2)
    3
    """
'''
EXPLAINED = (
    "    The numbers are whole, and may be negative; neither is changed on the way, and nothing is printed.\n" * 3
)


class Item(NamedTuple):
    """One attempt."""

    problem_id: str
    sample: int


class Took(NamedTuple):
    """Seconds and peak memory (MB) of a process."""

    seconds: float
    peak_mb: float


class Size(NamedTuple):
    """What one size took; `first_request` in seconds from the command."""

    first_request: float
    flow: Took
    closing: Took
    closing_of_all: Took


def main(arguments: list[str] | None = None) -> None:
    """Print a line for each size, and the growth between them."""
    app = cyclopts.App(result_action="return_value")
    app.default(compare)
    app(sys.argv[1:] if arguments is None and __name__ == "__main__" else arguments or [])


def compare(*, problems: int = 5000, few: int = 500, samples: int = 3) -> None:
    """Run both sizes and print what they took."""
    print(
        f"{few} and {problems} problems x {samples} samples, {100 - 100 // LEFT} % done "
        "(aims: 20 s to the first request, 50 MB more memory)"
    )
    sizes = []
    with (
        tempfile.TemporaryDirectory() as name,
        prefect_server(Path(name) / "prefect") as environment,
        recorded_server(write_replies(Path(name))) as url,
    ):
        for number in (few, problems):
            folder = Path(name) / str(number)
            folder.mkdir()
            sizes.append(measured(folder, number, samples, url, environment))
            print(f"  {number:>5} problems: {_said(sizes[-1])}", flush=True)
    small, large = sizes
    growth = {
        "flow": large.flow.peak_mb - small.flow.peak_mb,
        "closing": large.closing.peak_mb - small.closing.peak_mb,
        "closing of all": large.closing_of_all.peak_mb - small.closing_of_all.peak_mb,
    }
    print(f"  more memory: {', '.join(f'{name} {more:.0f} MB' for name, more in growth.items())}")


def measured(folder: Path, problems: int, samples: int, url: str, environment: dict[str, str]) -> Size:
    """Prepare a run of this size, and measure the command that goes on with it."""
    dataset, output = write_dataset(folder, problems), folder / "out"
    command = [
        sys.executable, CHECKOUT / FLOW, "--dataset", dataset, "--strategy", "direct", "--model1", f"{url}#recorded",
        "--pass-at-k", samples, "--temperature", 0.8, "--verbose", 0, "--output", output,
    ]  # fmt: skip
    subprocess.run(
        [*map(str, command), "--limit", "1"], cwd=CHECKOUT, env=environment, check=True, capture_output=True
    )
    (config,) = output.glob("*/direct/*/*/Run-1/config.json")
    run_id = json.loads(config.read_text())["run_id"]
    items = [Item(f"Scale/{number}", sample) for sample in range(samples) for number in range(1, problems)]
    # Other problems in each sample: as many problems as can be have something to do.
    left = [item for at, item in enumerate(items) if (at + item.sample) % LEFT == LEFT - 1]
    tell_again(output, run_id, sorted({*items} - {*left}))
    statements = {row["task_id"]: row["prompt"] for row in map(json.loads, dataset.read_text().splitlines())}
    with watched() as seen:
        asyncio.run(close(output, config.parent, run_id, statements))
    closing_of_all, paid = seen[CLOSING], stats(url)["total_replies"]
    with watched() as seen:
        first_request = _go_on([*map(str, command)], environment, url, paid)
    summary = json.loads((config.parent / "summary.json").read_text())
    assert (summary["solved"], summary["api_calls"]) == (problems, problems * samples), summary
    assert stats(url)["total_replies"] - paid == len(left)
    return Size(first_request, seen[FLOW], seen[CLOSING], closing_of_all)


def tell_again(output: Path, run_id: str, items: list[Item]) -> None:
    """Write rows and persisted results of these attempts as those of the attempt that was really made."""
    tables: tuple[type[Row], ...] = (AttemptRow, CallRow, ProgramRow, TestRow)
    known = read_rows(find_rows(output, run_id, [REAL], tables), REAL)
    (attempt,) = (row for sample, row in known.attempts.items() if sample == 0)
    rows: list[Row] = [*known.calls.get(0, []), *known.rounds.get(0, []), *known.tests.get(0, []), attempt]
    results = output / ".consort" / "results" / run_id
    persisted = json.loads((results / _key(Item(REAL, 0))).read_text())
    spool = Spool(output, run_id, "beforehand")
    for item in items:
        for row in rows:
            key = (
                {"call_key": hashlib.sha256(repr((item, row)).encode()).hexdigest()}
                if isinstance(row, CallRow)
                else {}
            )
            spool.append(row.model_copy(update={**item._asdict(), **key}))
        result = json.loads(persisted["result"])
        result["data"] |= item._asdict()
        metadata = {**persisted["metadata"], "storage_key": str(results / _key(item))}
        (results / _key(item)).write_text(json.dumps({"metadata": metadata, "result": json.dumps(result)}))
    spool.close()


def _key(item: Item) -> str:
    """The file of an attempt's result, as a run names it."""
    return f"{file_name(item.problem_id)}-{item.sample}-{short_hash(item.problem_id)}"


def _go_on(command: list[str], environment: dict[str, str], url: str, paid: int) -> float:
    """Run the command to its end; return the seconds until its first request was at the server."""
    began = time.monotonic()
    process = subprocess.Popen(command, cwd=CHECKOUT, env=environment, stdout=subprocess.DEVNULL)
    while stats(url)["total_replies"] == paid and process.poll() is None:
        time.sleep(0.02)
    first = time.monotonic() - began
    assert process.wait() == 0
    return first


@contextlib.contextmanager
def watched() -> Iterator[dict[str, Took]]:
    """Watch what this process starts; yields what flow and closing took, which is there at the end."""
    seen: dict[str, Took] = {}
    began: dict[int, float] = {}
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(0.02):
            processes = list[int]()
            with contextlib.suppress(OSError):  # one of them ended in the meantime
                processes = tree(os.getpid())[1:]
            for pid in processes:
                name, peak = _process(pid)
                if name:
                    seconds = time.monotonic() - began.setdefault(pid, time.monotonic())
                    seen[name] = Took(seconds, peak)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield seen
    finally:
        ended.set()
        watcher.join()


def _process(pid: int) -> tuple[str, float]:
    """What a process is, and its peak memory in MB so far; nothing where it is none of the two, or gone."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_text()
        name = next((name for name in (FLOW, CLOSING) if name in command), "")
        lines = Path(f"/proc/{pid}/status").read_text().splitlines() if name else []
    except OSError:
        return "", 0.0
    peaks = [int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")]
    return (name, peaks[0]) if peaks else ("", 0.0)


def _said(size: Size) -> str:
    return (
        f"first request after {size.first_request:.1f} s, ended after {size.flow.seconds:.1f} s, peak "
        f"{size.flow.peak_mb:.0f} MB; closing {size.closing.seconds:.1f} s, peak {size.closing.peak_mb:.0f} MB; "
        f"closing of all {size.closing_of_all.seconds:.1f} s, peak {size.closing_of_all.peak_mb:.0f} MB"
    )


def write_dataset(folder: Path, problems: int) -> Path:
    """Write rows of about the size of HumanEval's."""
    dataset = folder / "scale.jsonl"
    asserts = "".join(f"    assert candidate({n}, {2 * n}) == {3 * n}\n" for n in range(7))
    with dataset.open("w") as file:
        for number in range(problems):
            row = {
                "task_id": f"Scale/{number}",
                "prompt": PROMPT.format(number=number, explained=EXPLAINED),
                "entry_point": "add",
                "canonical_solution": "    return first + second\n",
                "test": f"def check(candidate):\n{asserts}",
            }
            file.write(json.dumps(row) + "\n")
    return dataset


def write_replies(folder: Path) -> Path:
    """Write the one reply: a program that is right for every problem."""
    replies = folder / "replies.jsonl"
    words = "The sum of the two numbers is what is asked for, and Python adds whole numbers of any size. " * 20
    text = f"{words}\n```python\ndef add(first, second):\n    return first + second\n```\n"
    line = {"stage": "coding", "content": text, "prompt_tokens": 300, "completion_tokens": 500}
    replies.write_text(json.dumps(line) + "\n")
    return replies


if __name__ == "__main__":
    main()

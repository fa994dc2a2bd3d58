"""Whether generating and grading overlap: the wall time of a run beside the longer of the two.

Direct on whole programs: replies take half to one and a half times `--latency` seconds, as no two of a model's take
the same, and each program burns a set CPU time in each of its tests. With `light` programs generation is the longer
and grading fits beside it; with `heavy` ones it is the other way round.

    python -m tests.benchmarks.overlap [--problems 96] [--workers 8] [--latency 2]
"""

import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import cyclopts

from tests.processes import CHECKOUT, prefect_server, recorded_server

TESTS = 3
CPU = {"light": 0.1, "heavy": 1.0}  # seconds of a test
PROGRAM = """\
import time
number, began = int(input()), time.process_time()
while time.process_time() - began < {seconds}:
    pass
print(2 * number)
"""


def main(arguments: list[str] | None = None) -> None:
    """Print a line for light and one for heavy programs."""
    app = cyclopts.App(result_action="return_value")
    app.default(compare)
    app(sys.argv[1:] if arguments is None and __name__ == "__main__" else arguments or [])


def compare(*, problems: int = 96, workers: int = 8, latency: float = 2.0) -> None:
    """Run both and print what they took."""
    print(f"{problems} problems of {TESTS} tests, replies of {latency} s on average, {workers} workers")
    for name, seconds in CPU.items():
        with tempfile.TemporaryDirectory() as folder:
            took = measured(Path(folder), problems, workers, latency, seconds)
        longer = max(took["generation_seconds"], took["evaluation_seconds"])
        print(
            f"  {name:<6} tests of {seconds} s CPU: generation {took['generation_seconds']:6.2f} s, "
            f"evaluation {took['evaluation_seconds']:6.2f} s, wall {took['wall_seconds']:6.2f} s = "
            f"{took['wall_seconds'] / longer:.3f} x the longer, solved {took['solved']} of {took['problems']}",
            flush=True,
        )


def measured(folder: Path, problems: int, workers: int, latency: float, seconds: float) -> dict[str, Any]:
    """Run the flow in a process of its own; return its summary."""
    dataset, replies = folder / "programs.jsonl", folder / "replies.jsonl"
    tests = {"input": [f"{n}\n" for n in range(TESTS)], "output": [f"{2 * n}\n" for n in range(TESTS)]}
    none: dict[str, list[str]] = {"input": [], "output": []}
    rows = (
        {
            "name": f"P/{n}",
            "description": "Double.",
            "public_tests": none,
            "private_tests": tests,
            "generated_tests": none,
        }
        for n in range(problems)
    )
    dataset.write_text("\n".join(map(json.dumps, rows)))
    program = PROGRAM.format(seconds=seconds)
    reply = {"content": f"```python\n{program}```", "prompt_tokens": 9, "completion_tokens": 9}
    chance = random.Random(0)
    lines = (
        {"problem_id": f"P/{n}", **reply, "latency": latency * chance.uniform(0.5, 1.5)} for n in range(problems)
    )
    replies.write_text("\n".join(map(json.dumps, lines)))
    with recorded_server(replies) as url, prefect_server(folder / "prefect") as environment:
        command = ["flows/solve.py", "--dataset", dataset, "--strategy", "direct", "--model1", f"{url}#m"]
        more = ["--workers", workers, "--output", folder / "results", "--verbose", 0]
        subprocess.run(
            [sys.executable, *map(str, [*command, *more])],
            cwd=CHECKOUT,
            env=environment,
            stdout=subprocess.DEVNULL,
            check=True,
        )
    (path,) = (folder / "results").glob("*/*/*/*/Run-1/summary.json")
    summary: dict[str, Any] = json.loads(path.read_text())
    return summary


if __name__ == "__main__":
    main()

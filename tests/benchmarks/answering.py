"""What Prefect adds to a question of a dataset: the flow, beside the same questions answered without it.

    python -m tests.benchmarks.answering

Recorded models answer at once, one question at a time, so that nothing but the work of this machine is measured.
"""

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tasks.attempts import attempt
from tasks.plans.asking import Rules
from tasks.plans.jobs import Asking, Roles, prepare_plans
from tasks.plans.running import work_of
from tests.plans.recordings import Recorded, recorded
from tests.processes import CHECKOUT, prefect_server

QUESTIONS = 100


def main() -> None:
    """Print milliseconds a question, with Prefect and without."""
    with tempfile.TemporaryDirectory() as name, prefect_server(Path(name) / "prefect") as environment:
        folder = Path(name)
        file = folder / "questions.jsonl"
        rows = [{"problem": f"What is {number}?", "answer": "42"} for number in range(QUESTIONS)]
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
        replies = recorded(folder / "replies", [(str(number), "42") for number in range(1, QUESTIONS + 1)])
        bare = asyncio.run(_bare(file, replies, folder / "bare"))
        command = [
            sys.executable, CHECKOUT / "flows" / "plan_execute.py", "--dataset", file, *replies.flags(),
            "--questions", 1, "--output", folder / "flow", "--verbose", 0,
        ]  # fmt: skip
        subprocess.run([*map(str, command)], cwd=CHECKOUT, env=environment, check=True, capture_output=True)
        (path,) = (folder / "flow").glob("plan_execute/dataset/*/*/Run-1/summary.json")
        flow = json.loads(path.read_text())["generation_seconds"] / QUESTIONS
        whole = json.loads(path.read_text())["wall_seconds"] / QUESTIONS
    print(
        f"{QUESTIONS} questions one by one: {1000 * bare:.0f} ms each without Prefect, {1000 * whole:.0f} ms in the "
        f"flow with its start: {1000 * (whole - bare):.0f} ms more (aim: 150); calls in progress {1000 * flow:.0f} ms"
    )


async def _bare(file: Path, replies: Recorded, output: Path) -> float:
    """Seconds a question without Prefect."""
    asking = await _prepared(file, replies, output)
    work = work_of(asking, {})
    async with asking.job.open() as run:
        began = time.perf_counter()
        for problem in asking.job.problems:
            await attempt(run, problem, 0, work)
        return (time.perf_counter() - began) / len(asking.job.problems)


async def _prepared(file: Path, replies: Recorded, output: Path) -> Asking:
    models = (f"recorded:{path}" for path in replies)
    return await prepare_plans(
        query=None, dataset=str(file), given=Roles(*models), rules=Rules(), questions=1, limit=None, output=output,
        temperature=None, top_p=None,
    )  # fmt: skip


if __name__ == "__main__":
    main()

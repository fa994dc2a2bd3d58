"""How long it takes to compile, run and check 60 C programs with 8 inputs each, everything in the sandbox.

The programs and inputs are real ones of the folder that CONSORT_DATA names; where a program has fewer inputs, blanks
behind them make more. Some of them loop until the time limit of 5 CPU seconds, on every second input or so.

    python -m tests.benchmarks.trying
"""

import asyncio
import json
import os
import time
from collections import Counter
from itertools import count
from pathlib import Path

from blocks.sandbox import Sandbox
from tasks import grading
from tasks.c_tests.building import Program, build
from tasks.c_tests.replies import inputs_of
from tasks.c_tests.sources import read_sources
from tasks.c_tests.trying import try_inputs
from tasks.sandbox.grader import at_once

INPUTS = 8


def main() -> None:
    """Print the seconds and what became of the inputs."""
    folder = os.environ.get("CONSORT_DATA")
    if not folder:
        print("trying: CONSORT_DATA names no folder of real data")
        return
    asyncio.run(_measure(Path(folder)))


async def _measure(data: Path) -> None:
    limits = await grading.prepare(Sandbox(cpu_seconds=5.0).limits())
    given: dict[str, list[str]] = {}
    for line in (data / "recorded" / "c_programs_sample_inputs.jsonl").read_text().splitlines():
        reply = json.loads(line)
        known = inputs_of(reply["content"])
        more = (text + " " * blanks for blanks in count() for text in known)
        given[reply["problem_id"]] = [next(more) for _ in range(INPUTS)]
    sources = [group[0] for group in read_sources(str(data / "c_programs_60.jsonl")).groups]
    places, ends = asyncio.Semaphore(at_once()), Counter[str]()

    async def one(name: str, program: Program) -> None:
        async with places:
            tried = await try_inputs(program, await build(program, limits), given[name], "stdin", limits)
            ends.update(each.outcome for each in tried)

    began = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for source in sources:
            group.create_task(one(Path(source.path).name, Program(text=source.text, path=source.path)))
    seconds = time.monotonic() - began
    cores = len(os.sched_getaffinity(0))
    said = ", ".join(f"{number} {outcome}" for outcome, number in ends.most_common())
    print(f"{len(sources)} C programs x {INPUTS} inputs on {cores} cores: {seconds:.1f} s (aim: 60) ({said})")


if __name__ == "__main__":
    main()

"""One attempt of a strategy with recorded replies: a real run, the real sandbox, no Prefect."""

import json
from pathlib import Path
from typing import Any, NamedTuple

from blocks.records import CallRow, ProgramRow
from blocks.spool import read_lines
from tasks.attempts import attempt, solving
from tasks.records import Attempt
from tasks.solving import Options, prepare

DOUBLE = {
    "task_id": "Double/0",
    "prompt": 'def double(n: int) -> int:\n    """Return n twice.\n    >>> double(2)\n    4\n    """\n',
    "entry_point": "double",
    "canonical_solution": "    return 2 * n\n",
    "test": "def check(candidate):\n    assert candidate(3) == 6\n    assert candidate(-1) == -2\n",
}
SUM = {
    "name": "Sum/0",
    "description": "Read a line of numbers and print their sum.",
    "public_tests": {"input": ["1 2\n"], "output": ["3\n"]},
    "private_tests": {"input": ["4\n", "1 1 1\n"], "output": ["4\n", "3\n"]},
    "generated_tests": {"input": [], "output": []},
}


class Ended(NamedTuple):
    """An attempt, its calls, and how many of them this execution paid for."""

    attempt: Attempt
    calls: list[CallRow]
    paid: int

    @property
    def stages(self) -> list[str]:
        return [call.stage for call in self.calls]


async def attempted(
    folder: Path, name: str, *replies: dict[str, Any], row: dict[str, Any] = DOUBLE, **options: Any
) -> Ended:
    """Have a strategy solve the one problem of a row; `{recording}` in an option is the file of the replies."""
    dataset, recording = folder / "problem.jsonl", folder / "replies.jsonl"
    dataset.write_text(json.dumps(row))
    recording.write_text("\n".join(json.dumps(reply) for reply in replies))
    options = {key: said.format(recording=recording) if key == "model2" else said for key, said in options.items()}
    given = Options(
        flow="solve",
        dataset=str(dataset),
        strategy=name,
        model1=f"recorded:{recording}",
        output=folder / "results",
        **options,
    )
    job = await prepare(given)
    async with job.open() as run:
        ended = await attempt(run, job.problems[0], 0, solving(job.solver))
        return Ended(ended, calls_of(folder), run.calls.paid)


def calls_of(folder: Path) -> list[CallRow]:
    return [CallRow.model_validate_json(line) for line in lines_of(folder, "calls")]


def rounds_of(folder: Path) -> list[ProgramRow]:
    return [ProgramRow.model_validate_json(line) for line in lines_of(folder, "programs")]


def lines_of(folder: Path, table: str) -> list[bytes]:
    spools = sorted(folder.glob(f"results/.consort/spool/*/{table}"))
    return [line for spool in spools for _, line in read_lines(spool)]

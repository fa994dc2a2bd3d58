"""Grade programs that exist already against a dataset's hidden tests.

python flows/grade.py --dataset data/problems.jsonl --solutions reference
python flows/grade.py --dataset humaneval.jsonl --solutions samples.jsonl
python flows/grade.py --dataset humaneval_et.jsonl --solutions results/…/Run-1 --suite extended
"""

import time
from pathlib import Path
from typing import Any, Literal

from prefect import flow
from prefect.client.schemas.objects import State
from rich.console import Console

from tasks.attempt_tasks import Item, attempt_missing
from tasks.attempts import solving
from tasks.command_line import Command, main
from tasks.datasets.reading.problems import Problems
from tasks.executions import execute
from tasks.parsing import BadReply
from tasks.records import Problem
from tasks.runs import OpenRun
from tasks.session import Session
from tasks.solutions import Grading, prepare_grading
from tasks.solving import Isolation, Job, YesNo, options_of


@flow(name="grade", validate_parameters=False)
async def grade(
    *,
    dataset: str,
    solutions: str,
    cont: YesNo = "yes",
    verbose: Literal[0, 1] = 1,
    eval_workers: int | None = None,
    limit: int | None = None,
    problems: str | None = None,
    suite: str = "hidden",
    language: str = "Python3",
    time_limit: float | None = None,
    memory_limit: int | None = None,
    output_limit: int | None = None,
    sandbox: str | None = None,
    isolation: Isolation = "auto",
    output: Path = Path("results"),
) -> State[Any]:
    """Grade programs in the sandbox and report; the same command again grades only what is missing.

    Parameters
    ----------
    dataset
        Path of a dataset, or its name in data/ or the folder that CONSORT_DATA names.
    solutions
        JSONL of task_id and completion (rows of one task_id are samples), a solving run's folder, or reference.
    cont
        yes resumes the latest equal run, no starts a new Run-n.
    verbose
        0 says nothing but the end, 1 shows progress.
    eval_workers
        Programs graded at a time; two for each core without it.
    limit
        Only the first problems.
    problems
        Only these, by id, with commas between.
    suite
        Which tests: hidden, or extended (those that a later dataset added), which writes Summary-ET.txt.
    language
        What the programs are written in: Python3, C, C++, Java, JavaScript, Rust or Go, in any case.
    time_limit
        CPU seconds of one test, or of a function's whole suite, in place of the problem's own and the Sandbox's.
    memory_limit
        MiB of a program and all its processes, in place of the problem's own and the Sandbox's.
    output_limit
        KiB that a program may print in one test, in place of the Sandbox's.
    sandbox
        A saved Sandbox, for other limits than the usual.
    isolation
        How programs are kept apart: bubblewrap, process, or auto for the best there is.
    output
        Folder of runs, store, spool and caches.
    """
    began, grading = time.monotonic(), await _prepare(**locals())

    async def given(problem: Problem, session: Session) -> str:
        program = grading.programs[problem.id][session.sample]
        session.language = program.language or session.language
        if not program.source.strip():
            raise BadReply("there is no program")  # as the replies of the run that is graded held none
        return program.source

    async def work(job: Job, run: OpenRun, console: Console) -> list[Exception]:
        ids = Problems.of(job.problems).ids
        items = [Item(problem_id, n) for problem_id in ids for n in range(len(grading.programs[problem_id]))]
        return await attempt_missing(job, run, items, solving(given), console)

    return await execute(grading.job, work, began)


async def _prepare(*, solutions: str, **parameters: Any) -> Grading:
    return await prepare_grading(options_of(flow="grade", store_log_in_file="no", **parameters), solutions)


if __name__ == "__main__":
    raise SystemExit(main(Command(grade, _prepare)))

"""The end of an execution: run folder and store, written by a process of its own.

    python -m tasks.reporting.closing OUTPUT RUN_FOLDER RUN_ID

Reading all rows of a run back takes DuckDB, a hundred megabytes and the processor for a while; a run that goes on
beside others in one event loop pays none of that. The process writes lines of JSON: the id of each problem whose
statement it needs, to be answered by a line with the statement, and at the end what it has done.
"""

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from blocks.records import Record
from tasks.background import beside
from tasks.reporting.summary import Summary

MERGE_SECONDS = 60.0
LONGEST_LINE = 1 << 20


class Closed(Record):
    """What closing brought: the summary, and why the store could not be merged, where it could not."""

    summary: Summary
    waiting: str | None


async def close(output: Path, folder: Path, run_id: str, statements: Mapping[str, str]) -> Closed:
    """Write the run folder and merge the spool into the store; raises RuntimeError with what went wrong.

    `statements` is asked for the problems whose folders are written, one by one.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tasks.reporting.closing", str(output), str(folder), run_id),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=LONGEST_LINE,
    )
    said, errors = await asyncio.gather(_answered(process, statements), _all(process.stderr))
    if await process.wait() or said is None:
        raise RuntimeError(f"the run folder {folder} could not be written: {errors.decode(errors='replace').strip()}")
    return Closed.model_validate_json(said)


async def _answered(process: asyncio.subprocess.Process, statements: Mapping[str, str]) -> bytes | None:
    """Answer what the process asks; return its last word."""
    assert process.stdin is not None and process.stdout is not None
    try:
        async for line in process.stdout:
            if not line.startswith(b'"'):
                return line
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it ended: its errors say why
                process.stdin.write(json.dumps(statements.get(json.loads(line), "")).encode() + b"\n")
                await process.stdin.drain()
    finally:
        process.stdin.close()
    return None


async def _all(stream: asyncio.StreamReader | None) -> bytes:
    return await stream.read() if stream is not None else b""


@asynccontextmanager
async def merging(output: Path, seconds: float = MERGE_SECONDS) -> AsyncIterator[None]:
    """Merge the spools into the store every so many seconds while a run goes on, in a process of its own."""

    async def keep() -> None:
        while True:
            await asyncio.sleep(seconds)
            with contextlib.suppress(OSError):  # no process to be had: the end of the run merges all
                process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-m", "blocks.database", str(output)), stderr=asyncio.subprocess.DEVNULL
                )
                try:
                    await process.wait()
                finally:  # it holds the file, which the end of the run wants next
                    await process.wait()

    async with beside(keep()):
        yield


def main(output: Path, folder: Path, run_id: str) -> Closed:
    """Do it, in this process."""
    import duckdb

    from blocks.database import StoreBroken, StoreLocked, ingest
    from tasks.reporting.run_folder import write_run_folder

    summary = write_run_folder(output, folder, run_id, _ask)
    try:
        ingest(output)
    except (StoreLocked, StoreBroken) as problem:
        return Closed(summary=summary, waiting=str(problem))
    except duckdb.Error as problem:
        return Closed(summary=summary, waiting=f"the store cannot be used ({str(problem).splitlines()[0]})")
    return Closed(summary=summary, waiting=None)


def _ask(problem_id: str) -> str:
    """Ask the run for a problem's statement; raises ValueError where it is gone."""
    print(json.dumps(problem_id), flush=True)
    statement: str = json.loads(sys.stdin.readline())
    return statement


if __name__ == "__main__":
    closed = main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
    print(closed.model_dump_json())

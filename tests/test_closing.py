"""What is merged while a run goes on, and that the end of a run finds the store free."""

import asyncio
from pathlib import Path

from blocks.database import connect, ingest
from blocks.records import RunRow, now
from blocks.spool import Spool, store_file
from tasks.reporting.closing import merging
from tests.processes import until


def run_row(run_id: str) -> RunRow:
    return RunRow(
        run_id=run_id,
        flow="solve",
        dataset="problems",
        strategy="direct",
        models=["small"],
        language="Python3",
        temperature=0.0,
        top_p=None,
        samples=1,
        problems=1,
        configuration="{}",
        folder="nowhere",
        created_at=now(),
    )


async def test_rows_are_in_the_store_while_the_run_goes_on(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "run", "execution")
    spool.append(run_row("run"))
    async with merging(tmp_path, seconds=0.05):
        await asyncio.to_thread(until, store_file(tmp_path).exists, 60)
    spool.append(run_row("run"))
    ingest(tmp_path)  # no merge is left that holds the file
    spool.close()
    with connect(tmp_path) as store:
        assert store.execute("SELECT run_id FROM runs").fetchall() == [("run",)]

"""The scores of a judging run, found and read in the store."""

from pathlib import Path
from typing import NamedTuple

from tasks.judging.gold import Key
from tasks.reporting.judging.judged_runs import JUDGE, find_run_of, folder_of
from tasks.reporting.queries import table
from tasks.reporting.store_queries import open_store, run_about


class Judgements(NamedTuple):
    """A judging run: its judge, its scores by what they are of, its folder where that is still there."""

    run_id: str
    judge: str
    scores: dict[Key, int]
    folder: Path | None


def read_judgements(output: Path, wanted: str) -> Judgements:
    """Read the judging run that an id, the beginning of one or `latest` names; raises UsageError, StoreLocked."""
    with open_store(output).db as db:
        run_id = find_run_of(db, JUDGE, wanted)
        rows = table(
            db,
            """SELECT problem_id, sample, role, step, dimension, score FROM judgements
               WHERE run_id = ? AND score IS NOT NULL""",
            run_id,
        )
        scores = {Key(**{name: each[name] for name in Key._fields}): int(each["score"]) for each in rows}
        return Judgements(run_id, " + ".join(run_about(db, run_id).models), scores, folder_of(db, run_id))

"""The call cache: every reply of a run, found again by what was asked.

It is the run's spool of calls, indexed: the line that records a reply is what pays for it only once, so there is no
moment at which a reply is paid for and not yet cached. Keys begin with the run, so two runs never share a reply.
"""

import hashlib
import re

import orjson
from pydantic import ValidationError

from blocks.records import CallRow, Request
from blocks.spool import Position, Spool, read_line, read_lines


def call_key(run_id: str, pool: str, request: Request) -> str:
    """Return the key of one call: run, attempt, stage, ordinal, the pool as written, messages and parameters."""
    what = orjson.dumps([run_id, pool, request.model_dump()], option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(what).hexdigest()


class CallCache:
    """Replies by key. Only their places are kept in memory; `forget` drops those of a finished attempt.

    `paid` counts the replies that this execution paid for.
    """

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self.paid = 0
        self._places: dict[str, Position] = {}
        for place, line in read_lines(spool.folder / CallRow.table):
            if key := _key_of(line):
                self._places[key] = place

    def find(self, key: str) -> CallRow | None:
        """Return the call of that key, None where it has not been made, or its line cannot be read."""
        place = self._places.get(key)
        try:
            return CallRow.model_validate_json(read_line(place)) if place else None
        except ValidationError:
            return None

    def add(self, row: CallRow) -> None:
        """Record a call. A failed one is written, and found by nobody: its key is its own."""
        self._places[row.call_key] = self._spool.append(row)
        self.paid += row.error_kind is None

    def forget(self, keys: list[str]) -> None:
        """Drop keys that nobody will ask for again in this execution."""
        for key in keys:
            self._places.pop(key, None)


def _key_of(line: bytes) -> str | None:
    """Read the key without parsing the line, which may hold megabytes; it stands near its beginning."""
    found = re.search(rb'"call_key":"([0-9a-f]+)"', line)
    return found[1].decode() if found else None

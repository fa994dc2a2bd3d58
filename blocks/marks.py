"""Marks: why an endpoint of a pool is set aside, and until when.

A mark is one Prefect Variable per pool and endpoint, so that no mark overwrites another: every process that works
with the pool sees it, and it outlives them all. `spent` counts for everybody until its time; `denied`, `down` and
`limited` are what one process found, for people to see.
"""

from datetime import datetime
from typing import TYPE_CHECKING, Literal

from pydantic import ValidationError

from blocks.records import Record, now

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient

State = Literal["spent", "denied", "down", "limited"]

MOST_ENDPOINTS = 100  # of a pool


class Mark(Record):
    """Why an endpoint of a pool is set aside, and until when; None: until somebody resets it.

    `account` is the endpoint's when the mark was made: with another key the mark says nothing. With `probe` the
    endpoint is asked with a small request when its time has come, before it is used again.
    """

    state: State
    reason: str
    at: datetime
    until: datetime | None = None
    account: str = ""
    probe: bool = False

    def holds(self, at: datetime) -> bool:
        """Whether the mark is still in force."""
        return self.until is None or at < self.until


def state_text(mark: Mark | None) -> str:
    """Return an endpoint's state in a table's words: fit, or what it is marked as and until when."""
    if mark is None or not mark.holds(now()):
        return "fit"
    until = "" if mark.until is None else f" until {mark.until.astimezone():%Y-%m-%d %H:%M:%S}"
    return f"{mark.state}{until}"


async def read_marks(client: "PrefectClient", pool: str) -> dict[str, Mark]:
    """Return the marks of a pool by endpoint, in one query; a Variable that is no mark is passed over."""
    prefix = _variable(pool, "")
    response = await client.request(
        "POST", "/variables/filter", json={"variables": {"name": {"like_": prefix}}, "limit": 2 * MOST_ENDPOINTS}
    )
    marks: dict[str, Mark] = {}
    for variable in response.json():
        if variable["name"].startswith(prefix):
            try:
                marks[variable["name"].removeprefix(prefix)] = Mark.model_validate(variable["value"])
            except ValidationError:
                continue
    return marks


async def write_mark(client: "PrefectClient", pool: str, endpoint: str, mark: Mark) -> None:
    """Save a mark in place of the endpoint's last one. What is only for people to see never hides a spent quota."""
    from prefect.client.schemas.actions import VariableCreate, VariableUpdate
    from prefect.exceptions import ObjectAlreadyExists

    name, value = _variable(pool, endpoint), mark.model_dump(mode="json")
    try:
        await client.create_variable(VariableCreate(name=name, value=value, tags=["consort", pool]))
    except ObjectAlreadyExists:
        if mark.state != "spent":
            known = (await read_marks(client, pool)).get(endpoint)
            if known is not None and known.state == "spent" and known.holds(mark.at):
                return
        await client.update_variable(VariableUpdate(name=name, value=value))


async def clear_mark(client: "PrefectClient", pool: str, endpoint: str) -> bool:
    """Delete the mark of an endpoint; tell whether there was one."""
    from prefect.exceptions import ObjectNotFound

    try:
        await client.delete_variable_by_name(_variable(pool, endpoint))
    except ObjectNotFound:
        return False
    return True


def _variable(pool: str, endpoint: str) -> str:
    """The Variable's name. Names have no two dashes in a row, so no other pool's begins like this one's."""
    return f"consort-mark-{pool}--{endpoint}"

"""ModelPool: endpoints that may stand in for each other, as a Prefect Block, and the marks of those that may not.

    python -m blocks.pool show NAME                the state of every endpoint, calls and tokens today
    python -m blocks.pool reset NAME [ENDPOINT]    clear marks, so that what was spent is asked again
    python -m blocks.pool use NAME ENDPOINT        begin with this one

The marks are blocks/marks.py.
"""

import asyncio
import re
import sys
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any, Literal, cast
from zoneinfo import ZoneInfo

from prefect.blocks.core import Block
from pydantic import Field, field_validator, model_validator

from blocks.endpoint import ModelEndpoint
from blocks.errors import UsageError
from blocks.marks import MOST_ENDPOINTS, clear_mark, read_marks, state_text
from blocks.records import now

Policy = Literal["failover", "round_robin", "least_busy"]

DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")


class ModelPool(Block):
    """Endpoints in order of preference, and how work goes from one to the next."""

    _block_type_name = "Consort Model Pool"
    _block_type_slug = "consort-model-pool"

    endpoints: list[str] = Field(
        min_length=1, max_length=MOST_ENDPOINTS, description="Saved ModelEndpoints, in order of preference."
    )
    policy: Policy = Field(
        default="failover",
        description="failover uses the first that is fit; round_robin takes turns; least_busy takes the idlest.",
    )
    reset: str = Field(
        default="never", description="When a spent quota comes back: never, `daily HH:MM TIMEZONE`, or `after 1h`."
    )
    on_exhausted: Literal["next", "stop"] = Field(
        default="next", description="Whether a spent endpoint means to go on with the next, or to stop."
    )
    start: str | None = Field(
        default=None, description="The endpoint to begin with; after it the list's order, without it."
    )

    @field_validator("reset")
    @classmethod
    def _can_be_read(cls, reset: str) -> str:
        next_reset(reset, now())
        return reset

    @model_validator(mode="after")
    def _names_its_own(self) -> "ModelPool":
        twice = {name for name in self.endpoints if self.endpoints.count(name) > 1}
        if twice:
            raise ValueError(f"endpoints: {sorted(twice)[0]!r} stands there twice")
        if self.start is not None and self.start not in self.endpoints:
            raise ValueError(f"start {self.start!r} is not among the endpoints {', '.join(self.endpoints)}")
        return self

    @property
    def order(self) -> list[str]:
        """The endpoints in the order in which a failover takes them: `start`, then the list without it."""
        first = [self.start] if self.start else []
        return [*first, *(name for name in self.endpoints if name != self.start)]


def next_reset(reset: str, at: datetime) -> datetime | None:
    """Return when a quota that is spent at `at` comes back, None for never; raises ValueError for other words."""
    kind, _, rest = reset.strip().partition(" ")
    if reset.strip() == "never":
        return None
    if kind == "after" and (span := _duration(rest.strip())):
        return at + span
    clock, _, zone = rest.strip().partition(" ")
    if kind == "daily" and re.fullmatch(r"\d{1,2}:\d{2}", clock):
        try:
            hour, minute = map(int, clock.split(":"))
            return _next_time(time(hour, minute), ZoneInfo(zone.strip() or "UTC"), at)
        except (ValueError, OSError, LookupError):
            raise ValueError(f"reset {reset!r}: no such time or time zone; write daily 00:00 Asia/Shanghai") from None
    raise ValueError(f"reset {reset!r}: write never, `daily HH:MM TIMEZONE` (daily 00:00 Asia/Shanghai), or after 1h")


def _next_time(clock: time, zone: ZoneInfo, at: datetime) -> datetime:
    day = at.astimezone(zone).date()
    for days in (0, 1):
        found = datetime.combine(day + timedelta(days=days), clock, zone).astimezone(UTC)
        if found > at:
            return found
    raise AssertionError("tomorrow's is later than now")


def _duration(text: str) -> timedelta | None:
    parts = DURATION.fullmatch(text)
    if not text or parts is None:
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in parts.groups())
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds) or None


def main(arguments: list[str] | None = None) -> int:
    """`python -m blocks.pool show|reset|use`."""
    import cyclopts

    from blocks.server import load_environment, prefect_server

    app = cyclopts.App(
        name="python -m blocks.pool",
        help="The model pools: what is spent, and until when.",
        help_format="plaintext",
        result_action="return_value",
    )

    @app.command(name="show")
    def _show(name: str, /, *, output: Path = Path("results")) -> int:
        """Print every endpoint's state, and its calls and tokens today.

        Parameters
        ----------
        name
            A saved ModelPool.
        output
            The output folder whose calls are counted.
        """
        with prefect_server():
            asyncio.run(show(name, output))
        return 0

    @app.command(name="reset")
    def _reset(name: str, endpoint: str | None = None, /) -> int:
        """Clear the marks of a pool, or of one of its endpoints.

        Parameters
        ----------
        name
            A saved ModelPool.
        endpoint
            One of its endpoints; all of them without it.
        """
        with prefect_server():
            asyncio.run(reset(name, endpoint))
        return 0

    @app.command(name="use")
    def _use(name: str, endpoint: str, /) -> int:
        """Begin with an endpoint; commands that start from now on do, the order of the others stays.

        Parameters
        ----------
        name
            A saved ModelPool.
        endpoint
            One of its endpoints.
        """
        with prefect_server():
            asyncio.run(use(name, endpoint))
        return 0

    load_environment()
    try:
        code: int = app(arguments, exit_on_error=False, print_error=False)
    except (UsageError, cyclopts.CycloptsError) as problem:
        print(" ".join(str(problem).split()), file=sys.stderr)
        return 2
    return code


async def load_pool(name: str, endpoint: str | None = None) -> ModelPool:
    """Load a saved pool; raises UsageError where there is none, or it has no such endpoint."""
    try:
        pool = cast("ModelPool", await ModelPool.aload(name))
    except ValueError:
        raise UsageError(
            f"pool {name!r}: no saved ModelPool of that name; register it (python -m blocks.register FILE.toml)"
        ) from None
    if endpoint is not None and endpoint not in pool.endpoints:
        raise UsageError(f"pool {name!r} has no endpoint {endpoint!r}; it has {', '.join(pool.endpoints)}")
    return pool


async def show(name: str, output: Path) -> None:
    """Print the table of a pool's endpoints."""
    from prefect import get_client
    from rich.console import Console
    from rich.table import Table

    from blocks.database import used_since

    pool = await load_pool(name)
    async with get_client() as client:
        marks = await read_marks(client, name)
    midnight = datetime.combine(datetime.now().astimezone().date(), time()).astimezone()
    used = used_since(output, midnight)
    table = Table(title=f"{name}: {pool.policy}, reset {pool.reset}", title_justify="left")
    for column in ("endpoint", "model", "state", "why", "calls today", "tokens today"):
        table.add_column(column, justify="right" if column.endswith("today") else "left", overflow="fold")
    for endpoint in pool.order:
        block, use = await _endpoint(endpoint), used.get(endpoint)
        mark = marks.get(endpoint)
        if mark is not None and block is not None and mark.account not in ("", block.quota_account):
            mark = None  # it was made with another key
        table.add_row(
            endpoint,
            block.model if block is not None else "not saved",
            state_text(mark),
            mark.reason if mark is not None and mark.holds(now()) else "",
            f"{use.calls:,}" if use else "0",
            f"{use.tokens:,}" if use else "0",
        )
    Console(soft_wrap=not sys.stdout.isatty()).print(table)


async def _endpoint(name: str) -> ModelEndpoint | None:
    try:
        return cast("ModelEndpoint", await ModelEndpoint.aload(name))
    except ValueError:
        return None


async def reset(name: str, endpoint: str | None) -> None:
    """Clear the marks of a pool or of one endpoint, and say which."""
    from prefect import get_client

    pool = await load_pool(name, endpoint)
    async with get_client() as client:
        known = [endpoint] if endpoint else sorted({*pool.endpoints, *await read_marks(client, name)})
        cleared = [each for each in known if await clear_mark(client, name, each)]
    print(f"{name}: {', '.join(cleared)} cleared" if cleared else f"{name}: nothing was marked")


async def use(name: str, endpoint: str) -> None:
    """Save the pool with `start` at an endpoint."""
    from prefect import get_client

    pool = await load_pool(name, endpoint)
    changed: Any = pool.model_copy(update={"start": endpoint})
    await changed.asave(name, overwrite=True)
    async with get_client() as client:
        mark = (await read_marks(client, name)).get(endpoint)
    marked = (
        "" if state_text(mark) == "fit" else f" (but it is {state_text(mark)}: python -m blocks.pool reset {name})"
    )
    print(f"{name} begins with {endpoint}{marked}")


if __name__ == "__main__":
    raise SystemExit(main())

"""Pools: what a block may say, when a quota comes back, and marks that processes share over a real Prefect server."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prefect import get_client
from prefect.settings import PREFECT_API_URL, temporary_settings
from pydantic import ValidationError

from blocks.endpoint import ModelEndpoint
from blocks.errors import PoolExhausted, QuotaExhausted, UsageError
from blocks.marks import Mark, clear_mark, read_marks, state_text, write_mark
from blocks.pool import ModelPool, next_reset
from blocks.records import now
from tasks.models.open_pool import OpenPool, open_pool
from tasks.models.references import Model, resolve
from tasks.models.rotation import complete
from tests.conftest import Run
from tests.models.pools import REQUEST, failing, serving, soon

SPENT = failing(403, {"error": {"code": "AllocationQuota.FreeTierOnly", "message": "spent"}})


@pytest.fixture
def prefect(environment: dict[str, str]) -> Iterator[None]:
    """This process talks to the session's Prefect server."""
    with temporary_settings({PREFECT_API_URL: environment["PREFECT_API_URL"]}):
        yield


# What a block may say


def test_the_order_is_start_and_then_the_list():
    assert ModelPool(endpoints=["a", "b", "c"], start="b").order == ["b", "a", "c"]
    assert ModelPool(endpoints=["a", "b", "c"]).order == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"endpoints": []}, "at least 1"),
        ({"endpoints": ["a", "a"]}, "'a' stands there twice"),
        ({"endpoints": ["a"], "start": "b"}, "start 'b' is not among the endpoints a"),
        ({"endpoints": ["a"], "policy": "random"}, "failover"),
        ({"endpoints": ["a"], "on_exhausted": "wait"}, "next"),
        ({"endpoints": ["a"], "reset": "tomorrow"}, "daily 00:00 Asia/Shanghai"),
        ({"endpoints": ["a"], "reset": "daily 25:00 UTC"}, "no such time or time zone"),
        ({"endpoints": ["a"], "reset": "daily 00:00 Mars/Olympus"}, "no such time or time zone"),
        ({"endpoints": ["a"], "reset": "after soon"}, "after 1h"),
        ({"endpoints": ["a"], "reset": "after 0h"}, "after 1h"),
    ],
)
def test_what_a_pool_cannot_be_is_said(fields: dict[str, Any], named: str):
    with pytest.raises(ValidationError, match=named):
        ModelPool(**fields)


# When a quota comes back

NOON = datetime(2026, 3, 28, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("reset", "at", "back"),
    [
        ("never", NOON, None),
        ("after 1h", NOON, NOON + timedelta(hours=1)),
        ("after 1d2h30m", NOON, NOON + timedelta(days=1, hours=2, minutes=30)),
        ("after 90s", NOON, NOON + timedelta(seconds=90)),
        ("daily 00:00 Asia/Shanghai", NOON, datetime(2026, 3, 28, 16, tzinfo=UTC)),
        ("daily 20:00 Asia/Shanghai", NOON, NOON + timedelta(days=1)),  # at this very moment: the next day's
        ("daily 20:01 Asia/Shanghai", NOON, NOON + timedelta(minutes=1)),
        ("daily 12:30", NOON, NOON + timedelta(minutes=30)),
        ("daily 02:30 Europe/Berlin", NOON, datetime(2026, 3, 29, 1, 30, tzinfo=UTC)),  # a time that night lacks
        ("daily 06:00 Europe/Berlin", NOON, datetime(2026, 3, 29, 4, tzinfo=UTC)),  # summer has begun
    ],
)
def test_when_a_quota_comes_back(reset: str, at: datetime, back: datetime | None):
    assert next_reset(reset, at) == back


@given(
    st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC)),
    st.times(),
    st.sampled_from(["UTC", "Asia/Shanghai", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe"]),
)
def test_a_daily_reset_is_ahead_and_within_a_day(at: datetime, clock: Any, zone: str):
    back = next_reset(f"daily {clock:%H:%M} {zone}", at)
    assert back is not None
    assert at < back <= at + timedelta(hours=26)


def test_a_mark_holds_until_its_time():
    mark = Mark(state="spent", reason="?", at=NOON, until=NOON + timedelta(hours=1))
    assert mark.holds(NOON)
    assert not mark.holds(NOON + timedelta(hours=1))
    assert Mark(state="spent", reason="?", at=NOON).holds(NOON + timedelta(days=9999))
    assert state_text(mark) == "fit"
    assert state_text(mark.model_copy(update={"until": None})) == "spent"


# Marks on the server


def mark(state: str = "spent", **fields: Any) -> Mark:
    return Mark.model_validate({"state": state, "reason": "grüße ☃", "at": now(), **fields})


async def test_marks_are_one_variable_each_and_of_their_pool_alone(prefect: None):
    async with get_client() as client:
        marks = {name: mark(account=name) for name in ("a", "a-b", "b")}
        for name, each in marks.items():
            await write_mark(client, "mine", name, each)
        for other in ("mine-a", "not-mine", "min"):
            await write_mark(client, other, "a", mark())
        assert await read_marks(client, "mine") == marks
        await write_mark(client, "mine", "a", mark(until=now()))
        assert await clear_mark(client, "mine", "b")
        assert not await clear_mark(client, "mine", "b")
        assert {name: each.until is None for name, each in (await read_marks(client, "mine")).items()} == {
            "a": False,
            "a-b": True,
        }
        assert set(await read_marks(client, "mine-a")) == {"a"}


async def test_what_is_only_for_people_to_see_hides_no_spent_quota(prefect: None):
    async with get_client() as client:
        spent = mark(until=now() + timedelta(hours=1))
        await write_mark(client, "seen", "a", spent)
        await write_mark(client, "seen", "a", mark("down"))
        assert await read_marks(client, "seen") == {"a": spent}
        await write_mark(client, "seen", "a", mark(until=now()))
        await write_mark(client, "seen", "a", mark("limited"))
        assert (await read_marks(client, "seen"))["a"].state == "limited"


async def saved(name: str, url: str, models: str, **rules: Any) -> Model:
    """A saved pool of saved endpoints, as a run resolves it."""
    names = [f"{name}-{model}" for model in models.split()]
    for each, model in zip(names, models.split(), strict=True):
        await ModelEndpoint(base_url=url, model=model, provider="dashscope").asave(each, overwrite=True)
    await ModelPool(endpoints=names, **rules).asave(name, overwrite=True)
    return await resolve(name)


def states(pool: OpenPool) -> list[str]:
    return [each.state for each in pool.standing()]


async def test_a_name_resolves_to_a_pool_with_its_members(prefect: None):
    model = await saved("resolved", "http://127.0.0.1:9/v1", "a b c", start="resolved-c", policy="round_robin")
    assert (model.name, [member.name for member in model.members]) == (
        "resolved",
        ["resolved-a", "resolved-b", "resolved-c"],
    )
    assert model.pool == (
        "resolved=round_robin(resolved-a=http://127.0.0.1:9/v1#a, resolved-b=http://127.0.0.1:9/v1#b, "
        "resolved-c=http://127.0.0.1:9/v1#c)"
    )
    other = await saved("resolved", "http://127.0.0.1:9/v1", "a b c", start="resolved-a", policy="round_robin")
    assert other.pool == model.pool, "where a pool begins makes no other pool of it"
    await ModelPool(endpoints=["resolved-a", "no-such"]).asave("resolved-broken", overwrite=True)
    with pytest.raises(UsageError, match="no saved ModelEndpoint 'no-such'"):
        await resolve("resolved-broken")


async def test_what_one_process_finds_spent_the_others_stop_choosing(prefect: None):
    """Two open pools of the same name: they share nothing but the server."""
    async with serving() as server:
        model = await saved("both", server.url, "a b c")
        async with open_pool(model) as one, open_pool(model) as two:
            assert (await complete(two, REQUEST)).endpoint == "both-a"
            server.answers["a"] = SPENT
            with pytest.raises(QuotaExhausted):
                await complete(one, REQUEST)
            await soon(lambda: states(two)[0] == "spent")
            assert (await complete(two, REQUEST)).endpoint == "both-b"
            assert server.counts["a"] == 2
        async with open_pool(model) as later:  # after a restart
            assert states(later) == ["spent", "fit", "fit"]
            assert (await complete(later, REQUEST)).endpoint == "both-b"
        assert server.counts["a"] == 2


async def test_a_reset_by_hand_reaches_those_who_are_at_work(prefect: None, flow: Run):
    async with serving() as server:
        model = await saved("again", server.url, "a b")
        server.answers = {"a": SPENT, "b": SPENT}
        async with open_pool(model) as pool:
            with pytest.raises(QuotaExhausted):
                await complete(pool, REQUEST)
            with pytest.raises(PoolExhausted):
                await complete(pool, REQUEST)
            async with get_client() as client:
                await soon_marked(client, 2)
                await clear_mark(client, "again", "again-b")
            server.answers = {}
            await soon(lambda: states(pool) == ["spent", "fit"])
            assert (await complete(pool, REQUEST)).endpoint == "again-b"


async def soon_marked(client: Any, count: int) -> None:
    while len(await read_marks(client, "again")) < count:
        pass


async def test_a_mark_made_with_another_key_says_nothing(prefect: None):
    async with serving() as server:
        model = await saved("keyed", server.url, "a b")
        async with get_client() as client:
            await write_mark(client, "keyed", "keyed-a", mark(account="another"))
        async with open_pool(model) as pool:
            assert states(pool) == ["fit", "fit"]


# The command


async def test_show_reset_and_use(prefect: None, flow: Run, tmp_path: Path):
    await saved("shown", "http://127.0.0.1:9/v1", "a b", reset="daily 00:00 Asia/Shanghai")
    account = ModelEndpoint(base_url="http://127.0.0.1:9/v1", model="a").quota_account
    async with get_client() as client:
        until = now() + timedelta(hours=1)
        await write_mark(client, "shown", "shown-a", mark(until=until, reason="spent it", account=account))
    shown = flow("-m", "blocks.pool", "show", "shown", "--output", tmp_path)
    assert shown.returncode == 0, shown.stderr
    rows = [
        [cell.strip() for cell in line.strip("│").split("│")] for line in shown.stdout.splitlines() if "│" in line
    ]
    assert rows[0][:2] == ["shown-a", "a"]
    assert rows[0][2].startswith("spent until")
    assert rows[0][-3:] == ["spent it", "0", "0"]
    assert ["shown-b", "b", "fit", "", "0", "0"] in rows
    used = flow("-m", "blocks.pool", "use", "shown", "shown-b")
    assert "begins with shown-b" in used.stdout
    assert (await resolve("shown")).rotation.order == ["shown-b", "shown-a"]  # type: ignore[union-attr]
    assert "reset shown" in flow("-m", "blocks.pool", "use", "shown", "shown-a").stdout
    assert "shown-a cleared" in flow("-m", "blocks.pool", "reset", "shown").stdout
    assert "nothing was marked" in flow("-m", "blocks.pool", "reset", "shown", "shown-b").stdout


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["show", "no-such-pool"], "no saved ModelPool"),
        (["reset", "told", "x"], "has no endpoint 'x'; it has told-a"),
        (["use", "told", "x"], "has no endpoint 'x'"),
        (["use", "told"], "ENDPOINT"),
        (["erase", "told"], "erase"),
    ],
)
async def test_what_cannot_be_is_one_line(prefect: None, flow: Run, arguments: list[str], named: str):
    await saved("told", "http://127.0.0.1:9/v1", "a")
    ended = flow("-m", "blocks.pool", *arguments)
    assert ended.returncode == 2
    assert len(ended.stderr.splitlines()) == 1
    assert named in ended.stderr

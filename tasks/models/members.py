"""The members of an open pool: how each stands, and what people are told when that changes."""

import asyncio
from datetime import UTC, datetime
from typing import NamedTuple

from blocks.errors import CallError
from blocks.marks import Mark
from blocks.records import now
from tasks.models.complete import OpenEndpoint


class Switch(NamedTuple):
    """An endpoint that was set aside, or came back: exhausted, denied, down, limited, restored."""

    pool: str
    endpoint: str
    model: str
    event: str
    reason: str
    until: datetime | None
    happened_at: datetime
    next: str | None


class Standing(NamedTuple):
    """How an endpoint of a pool stands in this process."""

    endpoint: str
    model: str
    state: str
    reason: str
    replies: int


class Member:
    """An endpoint of a pool, why it is set aside, and what it has done."""

    def __init__(self, endpoint: OpenEndpoint) -> None:
        self.endpoint = endpoint
        self.mark: Mark | None = None
        self.replies = 0
        self.troubles = 0  # in a row
        self.answers = False  # has ever given a reply, or a token when it was looked at
        self.shown_limited_until = datetime.min.replace(tzinfo=UTC)
        self.looking: asyncio.Task[CallError | None] | None = None

    @property
    def name(self) -> str:
        return self.endpoint.name

    def name_in(self, problem: CallError) -> None:
        """Say in a failed call who was asked."""
        problem.endpoint, problem.model = self.name, self.endpoint.block.model

    @property
    def account(self) -> str:
        return self.endpoint.block.quota_account


def switch_text(switch: Switch) -> str:
    """Return a switch as one line of a log."""
    until = "" if switch.until is None else f" until {switch.until.astimezone():%Y-%m-%d %H:%M:%S}"
    after = {"restored": "", "limited": ""}.get(switch.event, f"; next is {switch.next or 'none, the pool is spent'}")
    return f"pool {switch.pool}: {switch.endpoint} is {switch.event}{until} ({switch.reason}){after}"


def reason_of(member: Member, problem: CallError) -> str:
    """What a failed call said, without the endpoint's name."""
    return problem.message.removeprefix(member.endpoint.where).strip()


def state_of(member: Member) -> str | None:
    """What a member is marked as, while that holds; None where it is fit."""
    return None if member.mark is None or not member.mark.holds(now()) else member.mark.state

"""A pool while a run has it open: which endpoint is asked next, why one is set aside, and how it comes back.

An endpoint that is spent or denied is set aside at once for every call of this process, and soon for every process.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import Any, NoReturn

from blocks.errors import (
    AccessDenied,
    AuthFailed,
    BadRequest,
    CallError,
    ContentFiltered,
    ContextOverflow,
    PoolExhausted,
    QuotaExhausted,
    RateLimited,
    Throttled,
    Transient,
)
from blocks.marks import Mark, state_text
from blocks.pool import ModelPool, next_reset
from blocks.records import now
from tasks.models.complete import LONG_WAIT, THROTTLED_FOR, OpenEndpoint
from tasks.models.members import Member, Standing, Switch, reason_of, state_of, switch_text
from tasks.models.probing import PATIENTLY, listens, probe
from tasks.models.references import Model, open_model
from tasks.models.shared_marks import Read, SharedMarks, sharing

BREAKER = 3  # requests in a row that fail for a short trouble until an endpoint counts as down
PROBE_SECONDS = 1.0  # between two looks at one that is down
OUTAGE = 600.0  # seconds that a server may be away, where no other is left, until the run stops
SHOWN_DOWN = timedelta(minutes=5)  # how long people are shown a trouble that no one has cleared
SHOWN_LIMITED = 10.0  # seconds, at least

logger = logging.getLogger("consort")


@asynccontextmanager
async def open_pool(model: Model, *, shared: bool = True) -> AsyncIterator["OpenPool"]:
    """Open a model's endpoints as a pool; `shared` keeps the marks of a saved pool in step with other processes."""
    async with AsyncExitStack() as stack:
        members = [Member(await stack.enter_async_context(open_model(each))) for each in model.members or (model,)]
        pool = OpenPool(model, members)
        stack.push_async_callback(pool.close)
        if shared and model.rotation is not None:
            pool.shared = await stack.enter_async_context(sharing(model.reference, pool.hear))
        yield pool


class OpenPool:
    """A pool's open endpoints and their marks; made by `open_pool`. `tell` hears of every switch."""

    def __init__(self, model: Model, members: list[Member]) -> None:
        self.model = model
        self.name = model.name
        self.rules = model.rotation or ModelPool(endpoints=[member.name for member in members])
        by_name = {member.name: member for member in members}
        self.members = [by_name[name] for name in self.rules.order] if model.rotation else members
        self.shared: SharedMarks | None = None
        self.tell: Callable[[Switch], None] | None = None
        self.switched = False  # in this process
        self._away: asyncio.Task[bool] | None = None  # waits for a server to come back
        self._given_up = False  # because none did
        self._turn = 0
        self._work: set[asyncio.Task[Any]] = set()
        for member in members:
            member.endpoint.ended = partial(self._ended, member)

    @property
    def endpoints(self) -> list[OpenEndpoint]:
        """The open endpoints, in the order in which a failover takes them."""
        return [member.endpoint for member in self.members]

    @property
    def saved(self) -> bool:
        """Whether this is a saved pool, not a single endpoint."""
        return self.model.rotation is not None

    @property
    def exhausted(self) -> bool:
        """Whether no endpoint is left, or answers, or one is spent and the pool is to stop there."""
        if self._given_up:
            return True
        states = [state_of(member) for member in self.members]
        if self.rules.on_exhausted == "stop" and "spent" in states:
            return True
        return all(state in ("spent", "denied") for state in states)

    @property
    def away(self) -> bool:
        """Whether calls wait for a server to come back, as no other is left."""
        return self._away is not None and not self._away.done()

    def choose(self, avoid: Member | None = None) -> Member:
        """Return the endpoint that the next request goes to; raises PoolExhausted where none is left."""
        self._take_back()
        if self.exhausted:
            raise self.nothing_left()
        fit = self._fit()
        if self.rules.policy == "failover":
            return fit[0]
        fit = [member for member in fit if member is not avoid] or fit
        fit = [member for member in fit if member.endpoint.limit.open] or fit
        self._turn += 1
        turns = fit[self._turn % len(fit) :] + fit[: self._turn % len(fit)]
        if self.rules.policy == "least_busy":
            return min(turns, key=lambda member: member.endpoint.limit.load)
        return turns[0]

    def has_better(self, member: Member) -> bool:
        """Whether a request that has met a short trouble had better go to another endpoint at once."""
        if self.rules.policy == "failover":
            return False
        return any(each is not member and each.endpoint.limit.open for each in self._fit())

    async def outlasts(self, member: Member, problem: Transient) -> bool:
        """Whether a server that was away, with no other in its place, is back; False where it was not away.

        Raises PoolExhausted where none came back in OUTAGE seconds.
        """
        self._take_back()
        member.name_in(problem)
        if self._given_up:
            raise self.nothing_left() from problem
        if self._elsewhere(member) or await listens(member.endpoint, PATIENTLY):
            return False
        if self._away is None or self._away.done():
            self._away = self._begin(self._wait_for(member))
        if await asyncio.shield(self._away):
            return True
        raise self.nothing_left() from problem

    async def judge(self, member: Member, problem: CallError) -> NoReturn:
        """Set aside what a failed call shows to be spent, denied or down; raise what the call comes to."""
        member.name_in(problem)
        if isinstance(problem, AccessDenied) and problem.status == 403 and not problem.known:
            found = await self._look(member)
            if found is None or isinstance(found, BadRequest | ContextOverflow | ContentFiltered):
                raise problem  # this request is denied, not the model
        if type(problem) is BadRequest and await self._refuses_everything(member):
            said = f"{problem.message}; so is a request for one token"
            problem = AccessDenied(said, status=problem.status, code=problem.code)
            member.name_in(problem)
        for each in self._concerned(member, problem):
            mark = self._mark(each, problem)
            if mark is not None and (state_of(each) is None or (state_of(each) == "down" and mark.state != "down")):
                self._set_aside(each, mark)
        if self.exhausted:
            raise self.nothing_left() from problem
        if isinstance(problem, QuotaExhausted | AccessDenied | AuthFailed | Transient):
            good = (None,) if isinstance(problem, Transient) else (None, "down")  # what is down is there at worst
            problem.elsewhere = sum(each is not member and state_of(each) in good for each in self.members)
        raise problem

    def deny(self, endpoint: str, reason: str) -> None:
        """Set an endpoint aside for this run whose replies are of no use, where another is fit."""
        member = next(member for member in self.members if member.name == endpoint)
        if member.mark is None and self._elsewhere(member):
            fields = {"state": "denied", "reason": reason, "at": now(), "account": member.account}
            self._set_aside(member, Mark.model_validate(fields))

    def nothing_left(self) -> PoolExhausted:
        """What a request comes to where no endpoint is left."""
        if self._given_up:
            return _nobody(f"no server of {self.name} has answered for {OUTAGE / 60:.0f} minutes")
        states = Counter(state_of(member) or "fit" for member in self.members)
        told = ", ".join(f"{count} {state}" for state, count in states.items())
        if len(self.members) == 1 and self.members[0].mark is not None:
            told = self.members[0].mark.reason
        if "fit" in states:
            return PoolExhausted(f"pool {self.name} is to stop where a model is spent ({told})")
        return PoolExhausted(f"no model is left in {self.name} ({told})")

    def missed(self, seconds: float) -> PoolExhausted:
        """What a call comes to that was to be over in so many seconds, and waited for a server that is away."""
        return _nobody(f"no server of {self.name} answered within {seconds:g} s")

    def standing(self) -> list[Standing]:
        """How every endpoint stands, in the pool's order."""
        return [
            Standing(
                endpoint=member.name,
                model=member.endpoint.block.model,
                state=state_text(member.mark),
                reason=member.mark.reason if member.mark is not None and member.mark.holds(now()) else "",
                replies=member.replies,
            )
            for member in self.members
        ]

    def set_down(self, endpoint: OpenEndpoint, problem: CallError) -> None:
        """Set aside an endpoint that did not answer at all; it is looked at until it does."""
        member = next(member for member in self.members if member.endpoint is endpoint)
        if member.mark is None and (mark := self._mark(member, problem)):
            self._set_aside(member, mark)

    def hear(self, read: Read) -> None:
        """Take over what other processes have found spent, and what somebody has reset."""
        for member in self.members:
            mark = read.marks.get(member.name)
            if mark is not None and mark.state == "spent" and mark.holds(now()) and mark.account == member.account:
                if state_of(member) != "spent":
                    self._set_aside(member, mark, share=False, quiet=self.tell is None)  # no news when it opens
            elif member.name in read.cleared and member.mark is not None:
                self._restore(member, "reset by hand", share=False)

    async def close(self) -> None:
        """End what goes on in the background."""
        for work in self._work:
            work.cancel()
        await asyncio.gather(*self._work, return_exceptions=True)

    def _fit(self) -> list[Member]:
        return [member for member in self.members if member.mark is None]

    def _elsewhere(self, member: Member) -> bool:
        return any(each is not member for each in self._fit())

    async def _refuses_everything(self, member: Member) -> bool:
        """Whether an endpoint that has never given a reply refuses the simplest request too, and another is fit."""
        if member.answers or not self._elsewhere(member):
            return False
        found = await self._look(member)
        return type(found) is BadRequest and "max_tokens" not in found.message

    async def _wait_for(self, member: Member) -> bool:
        """Wait until the server of an endpoint answers, or another is fit; False where that takes too long.

        One that gives replies is not away, whatever it says of its models.
        """
        replies = member.replies
        logger.warning("%s does not answer; calls wait until it does, %.0f s at most", member.endpoint.where, OUTAGE)
        deadline = asyncio.get_running_loop().time() + OUTAGE
        while asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(PROBE_SECONDS)
            self._take_back()
            if member.replies > replies or self._elsewhere(member) or await listens(member.endpoint):
                return True
        self._given_up = True
        return False

    def _take_back(self) -> None:
        """Make fit again what is spent no longer (after a look where its mark wants one), at worst what is down."""
        for member in self.members:
            if member.mark is not None and not member.mark.holds(now()):
                if member.mark.probe:
                    later = now() + timedelta(seconds=THROTTLED_FOR)
                    self._set_aside(member, member.mark.model_copy(update={"until": later}), quiet=True)
                    self._begin(self._look_again(member))
                else:
                    self._restore(member, "its time has come")
        if not self._fit() and not self.exhausted:  # nothing but what is down: better asked than given up
            for member in self.members:
                if state_of(member) == "down":
                    self._restore(member, "nothing else is left")

    def _concerned(self, member: Member, problem: CallError) -> list[Member]:
        """The members that a problem is about: with the account or the key, all of that account."""
        if isinstance(problem, AuthFailed) or (isinstance(problem, QuotaExhausted) and problem.scope == "account"):
            return [each for each in self.members if each.account == member.account]
        return [member]

    def _mark(self, member: Member, problem: CallError) -> Mark | None:
        at, until, state = now(), None, None
        if isinstance(problem, QuotaExhausted):
            state = "spent"
            wait = problem.retry_after or 0.0
            until = at + timedelta(seconds=wait) if wait > LONG_WAIT else next_reset(self.rules.reset, at)
        elif isinstance(problem, AccessDenied | AuthFailed):
            state = "denied"
            if isinstance(problem, AuthFailed):
                member.endpoint.refused = member.endpoint.refused or problem
        elif isinstance(problem, Transient) and len(self._fit()) > 1:
            state = "down"
        if state is None:
            return None
        probe = isinstance(problem, Throttled)
        fields = {"state": state, "at": at, "until": until, "account": member.account, "probe": probe}
        return Mark.model_validate({**fields, "reason": reason_of(member, problem)})

    def _ended(self, member: Member, problem: CallError | None) -> None:
        """Hear of every request: several troubles in a row set an endpoint aside for all calls."""
        if isinstance(problem, Transient):
            member.troubles += 1
            if member.troubles >= BREAKER and member.mark is None and (mark := self._mark(member, problem)):
                self._set_aside(member, mark)
            return
        member.troubles = 0
        if problem is None:
            self._given_up = False
        if isinstance(problem, RateLimited) and member.mark is None and member.endpoint.limit.paused:
            self._show_limited(member, problem)

    def _show_limited(self, member: Member, problem: RateLimited) -> None:
        """Let people see, now and then, that an endpoint lets nobody in for the moment."""
        at = now()
        if at >= member.shown_limited_until:
            pause = max(SHOWN_LIMITED, problem.retry_after or 0.0)
            member.shown_limited_until = at + timedelta(seconds=pause)
            reason = reason_of(member, problem)
            fields = {"state": "limited", "reason": reason, "at": at, "account": member.account}
            if self.shared is not None:
                mark = Mark.model_validate({**fields, "until": member.shown_limited_until})
                self.shared.put(member.name, mark)
            self._announce(member, "limited", reason, member.shown_limited_until)

    def _set_aside(self, member: Member, mark: Mark, *, share: bool = True, quiet: bool = False) -> None:
        member.mark = mark
        member.endpoint.set_aside()
        if share and self.shared is not None:
            told = mark if mark.state == "spent" else mark.model_copy(update={"until": mark.at + SHOWN_DOWN})
            self.shared.put(member.name, told)
        if not quiet:
            self._announce(member, "exhausted" if mark.state == "spent" else mark.state, mark.reason, mark.until)
        if mark.state == "down":
            self._begin(self._until_back(member))

    def _restore(self, member: Member, reason: str, *, share: bool = True) -> None:
        member.mark, member.troubles, self._given_up = None, 0, False
        member.endpoint.aside.clear()
        if share and self.shared is not None:
            self.shared.put(member.name, None)
        self._announce(member, "restored", reason, None)

    def _announce(self, member: Member, event: str, reason: str, until: datetime | None) -> None:
        after = None if self.exhausted else next((each.name for each in self._fit()), None)
        switch = Switch(
            pool=self.name,
            endpoint=member.name,
            model=member.endpoint.block.model,
            event=event,
            reason=reason,
            until=until,
            happened_at=now(),
            next=after,
        )
        self.switched = True
        if self.saved:
            logger.warning("%s", switch_text(switch))
        if self.tell is not None:
            self.tell(switch)

    async def _look(self, member: Member) -> CallError | None:
        """Ask for one token, once for all who want to know; return what went wrong."""
        if member.looking is None or member.looking.done():
            member.looking = self._begin(probe(member.endpoint))
        found = await asyncio.shield(member.looking)
        member.answers = member.answers or found is None
        return found

    async def _until_back(self, member: Member) -> None:
        """Look at an endpoint that is down until it answers."""
        while state_of(member) == "down":
            await asyncio.sleep(PROBE_SECONDS)
            if await listens(member.endpoint):
                found = await self._look(member)
                if not isinstance(found, Transient) and state_of(member) == "down":
                    self._restore(member, "it answers again")

    async def _look_again(self, member: Member) -> None:
        """Look at an endpoint that was throttled: it is fit again, or waits for as long once more."""
        found = await self._look(member)
        if not isinstance(found, QuotaExhausted | RateLimited | Transient):
            self._restore(member, "it answers again")

    def _begin(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.create_task(work)
        self._work.add(task)
        task.add_done_callback(self._work.discard)
        return task


def _nobody(said: str) -> PoolExhausted:
    problem = PoolExhausted(said)
    problem.remedy = "when one is up again"
    return problem

"""Rotation: what becomes of a call when an endpoint of its pool gives out.

`complete` is the one way to ask for a reply; a single endpoint is a pool of one. The call that finds an endpoint
spent or denied raises, with the number of endpoints that are fit `elsewhere`: a Prefect task with `retries=SWITCHES`
and `retry_condition_fn=goes_on_elsewhere` goes on with one of them, and replays its finished calls from the cache.
"""

from functools import partial
from typing import TYPE_CHECKING, Any

from blocks.errors import CallError, RateLimited, Transient
from blocks.records import Reply, Request
from tasks.models.complete import SetAside
from tasks.models.complete import complete as complete_at
from tasks.models.members import Member
from tasks.models.open_pool import OpenPool
from tasks.models.reading import OnText

if TYPE_CHECKING:
    from prefect import Task
    from prefect.client.schemas.objects import State, TaskRun

SWITCHES = 100  # retries of a task that rotates: as many as the largest pool has endpoints
OUTAGES = 2  # that one request may meet: it may be what the server dies of


async def complete(pool: OpenPool, request: Request, on_text: OnText | None = None) -> Reply:
    """Return the reply of the pool's next endpoint to `request`; see `tasks.models.complete` for `on_text`.

    Raises CallError: with `elsewhere` above 0 where the same again would be asked of another endpoint, PoolExhausted
    where none is left.
    """
    moves = outages = 0
    avoid: Member | None = None
    while True:
        member = pool.choose(avoid)
        try:
            reply = await complete_at(member.endpoint, request, on_text, elsewhere=partial(pool.has_better, member))
        except SetAside:
            pass
        except CallError as problem:
            short = isinstance(problem, RateLimited | Transient) and pool.has_better(member)
            moves += isinstance(problem, Transient)
            if not short or moves >= member.endpoint.block.tries:
                if isinstance(problem, Transient) and outages < OUTAGES and await pool.outlasts(member, problem):
                    outages += 1
                else:
                    await pool.judge(member, problem)
            avoid = member
        else:
            member.replies += 1
            member.answers = True
            return reply
        if on_text:
            on_text(None)


def goes_on(problem: BaseException | None, runs: int) -> bool:
    """Tell whether a task that has run so often goes on with another endpoint.

    A request that is too much for every server has had its turn at each of them once.
    """
    if not isinstance(problem, CallError) or not problem.elsewhere:
        return False
    return runs <= problem.elsewhere if isinstance(problem, Transient) else runs <= SWITCHES


async def goes_on_elsewhere(task: "Task[..., Any]", task_run: "TaskRun", state: "State[Any]") -> bool:
    """The `retry_condition_fn` of every task that asks a pool; it has to be async where the task is."""
    problem = await state.aresult(raise_on_failure=False)
    return goes_on(problem if isinstance(problem, BaseException) else None, task_run.run_count)

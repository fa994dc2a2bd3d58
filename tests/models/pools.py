"""Pools of endpoints at a real HTTP server that answers as a test says, model by model."""

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from blocks.endpoint import ModelEndpoint
from blocks.pool import ModelPool
from blocks.records import Message, Request
from tasks.models.loopback import listen, running
from tasks.models.members import Switch
from tasks.models.open_pool import OpenPool, open_pool
from tasks.models.references import Model

REQUEST = Request(messages=(Message(role="user", content="say hi"),), problem_id="p", stage="coding")

Answer = Callable[[dict[str, Any]], Response | Awaitable[Response]]


class Server:
    """A server of several models: `answers` by model, `hi` where a test says nothing. What it was sent is `asked`."""

    def __init__(self) -> None:
        self.url = ""
        self.answers: dict[str, Answer] = {}
        self.listing = 200  # the status of its list of models
        self.asked: list[dict[str, Any]] = []

    @property
    def counts(self) -> Counter[str]:
        """Requests by model, without the looks of one token."""
        return Counter(body["model"] for body in self.asked if body.get("max_tokens") != 1)

    @property
    def looks(self) -> Counter[str]:
        """Looks of one token by model."""
        return Counter(body["model"] for body in self.asked if body.get("max_tokens") == 1)

    async def answer(self, http: HttpRequest) -> Response:
        body = await http.json()
        self.asked.append(body)
        said = self.answers.get(body["model"], lambda _: whole(body["model"]))(body)
        return said if isinstance(said, Response) else await said


@contextlib.asynccontextmanager
async def serving(port: int = 0) -> AsyncIterator[Server]:
    """A server on loopback, in this process; on exit it is dead, with all its connections."""
    server = Server()
    routes = [
        Route("/v1/chat/completions", server.answer, methods=["POST"]),
        Route("/v1/models", lambda _: JSONResponse({"data": []}, server.listing)),
    ]
    with listen("127.0.0.1", port) as listener:
        async with running(Starlette(routes=routes), listener):
            server.url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
            yield server


@contextlib.asynccontextmanager
async def pool_at(
    url: str | list[str],
    names: str = "a b c",
    *,
    accounts: dict[str, str] | None = None,
    endpoint: dict[str, Any] | None = None,
    **rules: Any,
) -> AsyncIterator[OpenPool]:
    """A pool of endpoints whose models have their names, all at one URL or one at each."""
    listed = names.split()
    urls = [url] * len(listed) if isinstance(url, str) else url
    fields: dict[str, Any] = {"provider": "generic", "tries": 3, **(endpoint or {})}
    members = tuple(
        Model(
            name,
            name,
            name,
            ModelEndpoint(base_url=at, model=name, account=(accounts or {}).get(name, name), **fields),
        )
        for name, at in zip(listed, urls, strict=True)
    )
    model = Model("pool", "pool", "pool", None, members=members, rotation=ModelPool(endpoints=listed, **rules))
    async with open_pool(model, shared=False) as pool:
        told: list[Switch] = []
        pool.tell = told.append
        pool.told = told  # type: ignore[attr-defined]
        yield pool


def events(pool: OpenPool) -> list[tuple[str, str]]:
    """The switches so far: what became of which endpoint."""
    return [(switch.event, switch.endpoint) for switch in pool.told]  # type: ignore[attr-defined]


def whole(text: str = "hi", **more: Any) -> JSONResponse:
    """A reply that is not streamed."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    return JSONResponse({"model": text, "choices": [choice], **more})


def failing(status: int, body: object = None, headers: dict[str, str] | None = None) -> Answer:
    """An answer that is always the same failure."""
    content = body if isinstance(body, str) else json.dumps(body)
    return lambda _: Response(content, status_code=status, headers=headers, media_type="application/json")


def once(*first: Answer) -> Answer:
    """Each of these answers in turn, and then replies."""
    left = list(first)
    return lambda body: left.pop(0)(body) if left else whole(body["model"])


async def soon(condition: Callable[[], bool]) -> None:
    """Wait until a condition of this event loop holds."""
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)

"""Looks at an endpoint: whether its server is there, and whether it gives a token."""

import asyncio

from blocks.errors import CallError, Transient
from blocks.records import Message, Request
from tasks.models.complete import OpenEndpoint, look

LISTING, ANSWERING = 2.0, 30.0  # seconds that a look may take: a list of models, then one token
PATIENTLY = 10.0  # seconds for the list, where much hangs on it
GATEWAYS = (502, 503, 504)  # what a proxy says of a server that is away
PROBE = Request(messages=(Message(role="user", content="Hi"),), max_tokens=1)


async def listens(endpoint: OpenEndpoint, seconds: float = LISTING) -> bool:
    """Whether a server answers when it is asked for its models, in time."""
    try:
        async with asyncio.timeout(seconds):
            await endpoint.models()
    except (TimeoutError, Transient):
        return False
    return endpoint.listing not in GATEWAYS


async def probe(endpoint: OpenEndpoint) -> CallError | None:
    """Ask for one token, whatever the endpoint's marks and limits say; return what went wrong."""
    try:
        async with asyncio.timeout(ANSWERING):
            return await look(endpoint, PROBE)
    except TimeoutError:
        return Transient(f"{endpoint.where} does not answer")

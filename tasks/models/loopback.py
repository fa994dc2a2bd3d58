"""An ASGI application served on loopback inside a running event loop, without signal handlers or logs."""

import asyncio
import contextlib
import ipaddress
import logging
import socket
from collections.abc import AsyncIterator

import uvicorn
from starlette.types import ASGIApp


def listen(host: str, port: int) -> socket.socket:
    """Open a listening socket on loopback, port 0 for any; raises ValueError for other hosts, OSError where taken."""
    if host != "localhost" and not ipaddress.ip_address(host).is_loopback:
        raise ValueError(f"host '{host}' is not on loopback; use 127.0.0.1 or ::1")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named asyncio turns Nagle's algorithm off: a stream would else stand still for 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen()
    except OSError as error:
        listener.close()
        problem = f"port {port} of {host} cannot be used ({error.strerror})"
        raise OSError(f"{problem}; choose another") from error
    return listener


@contextlib.asynccontextmanager
async def running(app: ASGIApp, listener: socket.socket) -> AsyncIterator[None]:
    """uvicorn without its main loop and signal handlers, which are the caller's; its loggers are silenced.

    No keep-alive limit: a client that computes for a while would lose the race for its idle connection.
    """
    config = uvicorn.Config(
        app,
        interface="asgi3",
        lifespan="off",
        ws="none",
        log_config=None,
        log_level=logging.CRITICAL + 1,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=86400,
    )
    config.load()
    engine = uvicorn.Server(config)
    engine.lifespan = config.lifespan_class(config)
    await engine.startup(sockets=[listener])
    try:
        yield
    finally:
        await _stop(engine)


async def _stop(engine: uvicorn.Server) -> None:
    """Cut what is open, and wait until nothing of it is left in the event loop."""
    for server in engine.servers:
        server.close()
    await asyncio.sleep(0)  # a connection that was just accepted appears
    for connection in list(engine.server_state.connections):
        connection.transport.abort()
    replying = list(engine.server_state.tasks)
    for task in replying:
        task.cancel()
    await asyncio.gather(*replying, return_exceptions=True)
    await asyncio.sleep(0)  # transports close in the loop's next turn

"""A reply put together from what a server sends: a stream's chunks, or one whole answer."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx2

from blocks.errors import read_failure

DRAINING = 1.0  # seconds that a stream may take to end after its last event

OnText = Callable[[str | None], None]


class CutOff(Exception):
    """The answer ended before its end, or is none."""


class ErrorInside(Exception):
    """An error object in an answer that began with 200."""

    def __init__(self, body: bytes) -> None:
        super().__init__()
        self.body = body
        code = read_failure(body).code or ""
        self.status = int(code) if code.isdecimal() and 400 <= int(code) < 600 else None


class Reading:
    """Puts a reply together from a stream's chunks, or from one whole answer.

    The chunks are read as plain JSON: building the client's typed objects costs about four times as much, and a
    server may send one chunk a token.
    """

    def __init__(self, on_text: OnText | None) -> None:
        self.on_text = on_text
        self.started = time.perf_counter()
        self.first: float | None = None
        self.text: list[str] = []
        self.reasoning: list[str] = []
        self.finish_reason: str | None = None
        self.usage: dict[str, Any] = {}
        self.model: str | None = None

    async def stream(self, pieces: AsyncIterator[bytes]) -> None:
        lines = _lines(pieces)
        async for line in lines:
            if not line.startswith(b"data:"):
                continue  # comments such as `: keep-alive`, and empty lines
            data = line[5:].strip()
            if data == b"[DONE]":
                await _drain(lines)
                return
            self._take(_fields(data), "delta")
        if self.finish_reason is None:
            raise CutOff("the stream was cut before its end")

    def whole(self, content: bytes) -> None:
        answer = _fields(content)
        if not answer.get("choices"):
            raise ErrorInside(content)
        self._take(answer, "message")
        self.first = None  # nobody saw when the first token came

    def _take(self, chunk: dict[str, Any], field: str) -> None:
        self.model = chunk.get("model") or self.model
        self.usage = chunk.get("usage") or self.usage
        for choice in filter(None, chunk.get("choices") or ()):
            delta = choice.get(field) or {}
            reasoning = delta.get("reasoning_content") or delta.get("reasoning")
            text = delta.get("content")
            if (text or reasoning) and self.first is None:
                self.first = time.perf_counter()
            if reasoning:
                self.reasoning.append(reasoning)
            if text:
                self.text.append(text)
                if self.on_text:
                    self.on_text(text)
            self.finish_reason = choice.get("finish_reason") or self.finish_reason


async def _drain(lines: AsyncIterator[bytes]) -> None:
    """Read what little may follow the end of a stream: only a body that was read whole leaves its connection open."""
    with contextlib.suppress(TimeoutError, httpx2.HTTPError):
        async with asyncio.timeout(DRAINING):
            async for _ in lines:
                pass


def joined(pieces: list[str]) -> str:
    """Join pieces between which a surrogate pair may be parted; half of one cannot be stored."""
    text = "".join(pieces)
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


async def _lines(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield lines as line feeds end them; the client's own also end at U+2028, which JSON may hold as it is."""
    rest = b""
    async for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            yield line
    if rest:
        yield rest


def _fields(data: bytes) -> dict[str, Any]:
    """Parse an answer, or one chunk of it; raises ErrorInside where it is an error in one of its shapes."""
    try:
        fields = json.loads(data)
    except (ValueError, RecursionError):
        raise CutOff("the answer is not JSON" if data else "the answer is empty") from None
    if not isinstance(fields, dict) or fields.get("error"):
        raise ErrorInside(data)
    if "choices" not in fields and ("message" in fields or fields.get("object") == "error"):
        raise ErrorInside(data)
    return fields

"""Model references: how a flag or a deployment names a model, and the endpoint that it opens."""

import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple, cast
from urllib.parse import urlsplit

from pydantic import SecretStr, ValidationError

from blocks.endpoint import ModelEndpoint, Provider
from blocks.errors import TABLES, UsageError
from blocks.pool import ModelPool
from tasks.models.complete import OpenEndpoint
from tasks.models.recorded import serve
from tasks.models.recording import RecordedFileError, Recording, load

POOL = re.compile(r"(?P<pool>[a-z0-9-]+=[a-z_]+)\((?P<members>.*)\)")  # as written
BLOCK_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")  # Prefect's rule for the names of block documents


BETWEEN = ", "  # the members of a pool as written


class Model(NamedTuple):
    """A model that a run may ask: its short name, its pool as written, and what serves it.

    `reference` is what people are shown. `pool` is part of every key of the call cache: the reference with its URL,
    or with the hash of its recorded file. A saved pool has `members`, named as its endpoints are, and its block as
    `rotation`; a single endpoint has neither.
    """

    reference: str
    name: str
    pool: str
    endpoint: ModelEndpoint | None
    recording: Recording | None = None
    recorded_model: str | None = None
    members: tuple["Model", ...] = ()
    rotation: ModelPool | None = None


async def resolve(reference: str, *, number: int = 1, provider: str = "auto") -> Model:
    """Resolve a model reference; raises UsageError where it names nothing.

    `recorded:PATH` or `recorded:PATH#MODEL`; `URL#MODEL`; the name of a saved ModelEndpoint or ModelPool; any other
    text is a model name at OPENAI_API_BASE (model 2 at OPENAI_API_BASE_2, if that is set).
    """
    if reference.startswith("recorded:"):
        return _recorded(reference)
    if urlsplit(reference).scheme in ("http", "https"):
        url, mark, model = reference.partition("#")
        if not mark or not model:
            raise UsageError(f"model {reference!r}: name the model behind the URL, as in {url}#MODEL")
        return _at(url, model, provider)
    if "#" in reference:
        raise UsageError(f"model {reference!r}: that is no http(s) URL; write http://HOST:PORT/v1#MODEL")
    if BLOCK_NAME.fullmatch(reference):
        block = await _saved(reference)
        if block is not None:
            return Model(reference, _last_part(block.model), _as_written(reference, block), block)
        rotation = await _saved_pool(reference)
        if rotation is not None:
            return await _pool(reference, rotation)
    base = (number == 2 and os.environ.get("OPENAI_API_BASE_2")) or os.environ.get("OPENAI_API_BASE")
    if not base:
        raise UsageError(
            f"model {reference!r}: no saved ModelEndpoint or ModelPool of that name, and OPENAI_API_BASE is not set; "
            "register the block (python -m blocks.register), write URL#MODEL, or set OPENAI_API_BASE in .env"
        )
    return _at(base, reference, provider)


def grown(old: str, new: str) -> bool:
    """Whether a pool as written is the old one, or that with more members: they stand in for those it had."""
    if old == new:
        return True
    written = [POOL.fullmatch(pool) for pool in (old, new)]
    if not all(written):
        return False
    before, after = ((each["pool"], set(each["members"].split(BETWEEN))) for each in written if each)
    return before[0] == after[0] and before[1] <= after[1]


@asynccontextmanager
async def open_model(model: Model) -> AsyncIterator[OpenEndpoint]:
    """Open the endpoint of a model, serving its recorded file on loopback where it has one."""
    if model.recording is not None:
        async with serve(model.recording, model=model.recorded_model) as server:
            asked = model.recorded_model or model.name
            quota = model.recording.quota
            spoken = quota.provider if quota and quota.provider in TABLES else "generic"
            block = ModelEndpoint(base_url=server.url, model=asked, provider=cast("Provider", spoken))
            endpoint = OpenEndpoint(model.name, block, recorded=True)
            try:
                yield endpoint
            finally:
                await endpoint.close()
        return
    if model.endpoint is None:
        raise AssertionError(f"model {model.name!r} has neither an endpoint nor a recording")
    endpoint = OpenEndpoint(model.name, model.endpoint)
    try:
        yield endpoint
    finally:
        await endpoint.close()


def _recorded(reference: str) -> Model:
    path_text, _, name = reference.removeprefix("recorded:").partition("#")
    path = Path(path_text)
    if not path.is_file():
        raise UsageError(
            f"model {reference!r}: there is no file {path_text!r}; name a JSONL file of recorded replies"
        )
    try:
        recording = load(path)
    except RecordedFileError as problem:
        raise UsageError(str(problem)) from None
    if name and name not in recording.models:
        known = ", ".join(recording.models) or "no named model"
        raise UsageError(f"model {reference!r}: {path_text} has no replies of {name!r}; it has {known}")
    pool = f"{reference}@{recording.digest}"
    return Model(reference, _last_part(name) if name else path.stem, pool, None, recording, name or None)


def _at(url: str, model: str, provider: str) -> Model:
    key = os.environ.get("OPENAI_API_KEY")
    try:
        endpoint = ModelEndpoint(
            base_url=url,
            model=model,
            api_key=SecretStr(key) if key else None,
            provider=provider,
        )
    except ValidationError as problem:
        first = problem.errors(include_url=False, include_input=False)[0]
        said = f"{first['loc'][0]}: {first['msg'].removeprefix('Value error, ')}"
        raise UsageError(f"model {model!r}: {said}") from None
    return Model(model, _last_part(model), f"{endpoint.base_url}#{model}", endpoint)


async def _pool(name: str, rotation: ModelPool) -> Model:
    """The members are in the list's order, whichever the pool begins with: that is no other pool."""
    members = []
    for endpoint in rotation.endpoints:
        block = await _saved(endpoint)
        if block is None:
            raise UsageError(
                f"pool {name!r}: no saved ModelEndpoint {endpoint!r}; register it, or take it off the list"
            )
        members.append(Model(endpoint, endpoint, _as_written(endpoint, block), block))
    pool = f"{name}={rotation.policy}({BETWEEN.join(member.pool for member in members)})"
    return Model(name, name, pool, None, members=tuple(members), rotation=rotation)


def _as_written(name: str, endpoint: ModelEndpoint) -> str:
    return f"{name}={endpoint.base_url}#{endpoint.model}"


async def _saved(name: str) -> ModelEndpoint | None:
    try:
        return cast("ModelEndpoint", await ModelEndpoint.aload(name))
    except ValueError:
        return None


async def _saved_pool(name: str) -> ModelPool | None:
    try:
        return cast("ModelPool", await ModelPool.aload(name))
    except ValueError:
        return None


def _last_part(model: str) -> str:
    return model.rstrip("/").rpartition("/")[2]

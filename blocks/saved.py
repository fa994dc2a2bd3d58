"""What is saved in Prefect: the names of blocks of a kind, and endpoints by name."""

import asyncio
from collections.abc import Sequence
from typing import cast

from prefect.blocks.core import Block

from blocks.endpoint import ModelEndpoint
from blocks.errors import UsageError
from blocks.pool import ModelPool, load_pool

PAGE = 200


async def saved_names(kind: type[Block]) -> list[str]:
    """Return the names of the saved blocks of a kind; none where the kind was never registered."""
    from prefect import get_client
    from prefect.exceptions import ObjectNotFound

    names: list[str] = []
    async with get_client() as client:
        try:
            await client.read_block_type_by_slug(kind.get_block_type_slug())
        except ObjectNotFound:
            return names
        while True:
            page = await client.read_block_documents_by_type(
                kind.get_block_type_slug(), offset=len(names), limit=PAGE, include_secrets=False
            )
            names += [document.name for document in page if document.name]
            if len(page) < PAGE:
                return names


async def saved_endpoints(names: Sequence[str]) -> dict[str, ModelEndpoint]:
    """Load endpoints by their names or their pools', all without names; raises UsageError where one is not saved."""
    known, pools = await saved_names(ModelEndpoint), await saved_names(ModelPool)
    wanted: list[str] = []
    for name in names or sorted(known):
        members = [name] if name in known else (await load_pool(name)).order if name in pools else []
        lost = [member for member in members if member not in known]
        if not members or lost:
            whose = f", which the pool {name!r} names" if lost else ""
            raise UsageError(
                f"no saved endpoint is called {(lost or [name])[0]!r}{whose}; saved: {_list(known, pools)}"
            )
        wanted += members
    if not wanted:
        raise UsageError("no endpoint is saved; register some (python -m blocks.register FILE.toml)")
    wanted = list(dict.fromkeys(wanted))
    loaded = await asyncio.gather(*(ModelEndpoint.aload(name) for name in wanted))
    return dict(zip(wanted, cast("list[ModelEndpoint]", loaded), strict=True))


def _list(endpoints: Sequence[str], pools: Sequence[str]) -> str:
    return ", ".join(sorted([*endpoints, *pools])) or "none"

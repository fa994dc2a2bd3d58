"""What a call costs: the endpoint's own prices first, then genai-prices, then the price lists in data/, else unknown.

Who charges is told by the URL alone: a model's name says nothing about who serves it.
"""

import tomllib
from functools import cache
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from pydantic import Field

from blocks.endpoint import ModelEndpoint
from blocks.records import Record

PRICE_LISTS = Path(__file__).resolve().parents[2] / "data" / "prices"


class Price(NamedTuple):
    """Cost of one call and where the price comes from; all None where nobody knows."""

    cost: float | None
    currency: str | None
    source: str | None


UNKNOWN = Price(None, None, None)


class Tier(Record):
    """Prices of a request whose prompt has at most `up_to` tokens; no `up_to`: of any length."""

    up_to: int | None = Field(default=None, ge=1)
    input: float = Field(ge=0)
    output: float = Field(ge=0)
    thinking_output: float | None = Field(default=None, ge=0)


class ListedModels(Record):
    """Models of one price; tiers in rising order."""

    names: tuple[str, ...]
    tiers: tuple[Tier, ...]


class PriceList(Record):
    """A file of data/prices: what a provider asked on a date, and on which hosts that holds."""

    source: str
    date: str
    hosts: tuple[str, ...]
    currency: str
    per_tokens: int = Field(ge=1)
    cached_share: float = Field(default=1.0, ge=0, le=1)
    models: tuple[ListedModels, ...]


def price_of(
    endpoint: ModelEndpoint,
    model: str,
    prompt_tokens: int | None,
    completion_tokens: int | None,
    cached_prompt_tokens: int | None,
) -> Price:
    """Price one call of `model` at `endpoint`; endpoint prices are per million tokens."""
    if prompt_tokens is None or completion_tokens is None:
        return UNKNOWN
    if endpoint.input_price is not None and endpoint.output_price is not None:
        cost = (prompt_tokens * endpoint.input_price + completion_tokens * endpoint.output_price) / 1e6
        return Price(cost, endpoint.currency, "endpoint")
    if endpoint.spoken_provider in ("vllm", "generic"):
        return UNKNOWN  # genai-prices would price a name, whoever serves it
    cached = cached_prompt_tokens or 0
    known = _packaged_price(endpoint.base_url, model, prompt_tokens, completion_tokens, cached)
    return known or _listed_price(endpoint, model, prompt_tokens, completion_tokens, cached) or UNKNOWN


def _packaged_price(url: str, model: str, prompt: int, completion: int, cached: int) -> Price | None:
    from genai_prices import Usage, calc_price

    usage = Usage(input_tokens=prompt, output_tokens=completion, cache_read_tokens=cached)
    try:
        price = calc_price(usage, model_ref=model, provider_api_url=url)
    except (LookupError, ValueError):  # a model it does not know, or counts that contradict each other
        return None
    return Price(float(price.total_price), "USD", "genai-prices")


def _listed_price(endpoint: ModelEndpoint, model: str, prompt: int, completion: int, cached: int) -> Price | None:
    host = urlsplit(endpoint.base_url).hostname
    name, prices = next(
        ((name, prices) for name, prices in price_lists().items() if host in prices.hosts), ("", None)
    )
    if prices is None or cached > prompt:
        return None
    tiers = next((each.tiers for each in prices.models if model in each.names), ())
    tier = next((tier for tier in tiers if tier.up_to is None or prompt <= tier.up_to), None)
    if tier is None:
        return None
    thinking = tier.thinking_output if endpoint.parameters.get("enable_thinking") else None
    output = tier.output if thinking is None else thinking
    paid_prompt = prompt - cached * (1 - prices.cached_share)
    cost = (paid_prompt * tier.input + completion * output) / prices.per_tokens
    return Price(cost, prices.currency, f"{name} price list {prices.date}")


@cache
def price_lists() -> dict[str, PriceList]:
    """Read the price lists of data/prices, by their files' names."""
    files = sorted(PRICE_LISTS.glob("*.toml"))
    return {file.stem: PriceList.model_validate(tomllib.loads(file.read_text())) for file in files}

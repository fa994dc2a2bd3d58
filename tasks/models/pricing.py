"""What a call costs: the endpoint's own prices first, then genai-prices for providers it knows, else unknown."""

from typing import NamedTuple

from blocks.endpoint import ModelEndpoint


class Price(NamedTuple):
    """Cost of one call and where the price comes from; all None where nobody knows."""

    cost: float | None
    currency: str | None
    source: str | None


UNKNOWN = Price(None, None, None)


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
    return _listed_price(endpoint.base_url, model, prompt_tokens, completion_tokens, cached_prompt_tokens or 0)


def _listed_price(url: str, model: str, prompt: int, completion: int, cached: int) -> Price:
    from genai_prices import Usage, calc_price

    usage = Usage(input_tokens=prompt, output_tokens=completion, cache_read_tokens=cached)
    try:
        price = calc_price(usage, model_ref=model, provider_api_url=url)
    except (LookupError, ValueError):  # a model it does not know, or counts that contradict each other
        return UNKNOWN
    return Price(float(price.total_price), "USD", "genai-prices")

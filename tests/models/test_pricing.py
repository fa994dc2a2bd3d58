"""What a call costs, and who says so: the endpoint, genai-prices, the DashScope price list, nobody."""

import tomllib
from itertools import pairwise
from typing import Any

import pytest

from blocks.endpoint import ModelEndpoint
from tasks.models.pricing import PRICE_LISTS, UNKNOWN, price_lists, price_of
from tests.processes import CHECKOUT

BEIJING = "https://dashscope.aliyuncs.com/compatible-mode/v1"
SOURCE = "dashscope price list 2026-08"


def endpoint(url: str = BEIJING, **fields: Any) -> ModelEndpoint:
    return ModelEndpoint(base_url=url, model="asked", **fields)


@pytest.mark.parametrize(
    ("model", "prompt", "completion", "yuan"),
    [
        ("qwen3-coder-plus", 1_000, 1_000, (4 + 16) / 1e3),
        ("qwen3-coder-plus", 32_000, 0, 32e3 * 4 / 1e6),
        ("qwen3-coder-plus", 32_001, 1_000, (32_001 * 6 + 24_000) / 1e6),  # the whole request pays the higher tier
        ("qwen3-coder-plus", 256_001, 1_000, (256_001 * 20 + 200_000) / 1e6),
        ("qwen3-coder-flash-2025-07-28", 1_000, 1_000, (1 + 4) / 1e3),
        ("qwen3-max", 1_000, 1_000, (2.5 + 10) / 1e3),
        ("qwen3-max-2025-09-23", 1_000, 1_000, (6 + 24) / 1e3),
        ("qwen-plus-latest", 1_000, 1_000, (0.8 + 2) / 1e3),
        ("qwen-plus-2025-04-28", 200_000, 1_000, (200_000 * 0.8 + 2_000) / 1e6),
        ("qwen-mt-plus", 1_000, 1_000, (1.8 + 5.4) / 1e3),
    ],
)
def test_dashscope_asks_by_the_length_of_the_prompt(model: str, prompt: int, completion: int, yuan: float) -> None:
    price = price_of(endpoint(), model, prompt, completion, None)
    assert price.cost == pytest.approx(yuan)
    assert (price.currency, price.source) == ("CNY", SOURCE)


@pytest.mark.parametrize(
    ("url", "model", "counts"),
    [
        (BEIJING, "qwen3-coder-plus", (1_000_001, 1, None)),  # above the last tier
        (BEIJING, "qwen3-coder-plus", (100, 1, 101)),  # counts that contradict each other
        (BEIJING, "qwen3-coder-plus", (None, 1, None)),
        (BEIJING, "qwen3-coder-plus", (1, None, None)),
        (BEIJING, "qwen3-coder-plus-2031-01-01", (1, 1, None)),
        ("https://dashscope-intl.aliyuncs.com/compatible-mode/v1", "qwen3-coder-plus", (1, 1, None)),
        ("https://dashscope.aliyuncs.com.example.com/v1", "qwen3-coder-plus", (1, 1, None)),
        ("http://127.0.0.1:8000/v1", "qwen3-coder-plus", (1, 1, None)),
    ],
)
def test_what_no_list_knows_has_no_price(url: str, model: str, counts: tuple[Any, Any, Any]) -> None:
    assert price_of(endpoint(url), model, *counts) == UNKNOWN
    assert price_of(endpoint(url, provider="dashscope"), model, *counts) == UNKNOWN


def test_what_the_cache_held_costs_a_fifth() -> None:
    price = price_of(endpoint(), "qwen3-coder-plus", 10_000, 0, 5_000)
    assert price.cost == pytest.approx((5_000 + 5_000 * 0.2) * 4 / 1e6)


def test_thinking_costs_more() -> None:
    thinking = endpoint(parameters={"enable_thinking": True})
    assert price_of(thinking, "qwen-plus", 0, 1_000_000, None).cost == pytest.approx(8)
    assert price_of(thinking, "qwen3-max", 0, 1_000_000, None).cost == pytest.approx(10)
    plain = endpoint(parameters={"enable_thinking": False})
    assert price_of(plain, "qwen-plus", 0, 1_000_000, None).cost == pytest.approx(2)


def test_the_endpoint_goes_before_every_list() -> None:
    own = endpoint(input_price=1.0, output_price=0.0, currency="EUR")
    assert price_of(own, "qwen3-coder-plus", 1_000_000, 1, None) == (1.0, "EUR", "endpoint")
    half = endpoint(input_price=1.0)  # one price alone prices nothing
    assert price_of(half, "qwen3-coder-plus", 1, 1, None).source == SOURCE


def test_genai_prices_goes_before_the_price_lists() -> None:
    price = price_of(endpoint("https://api.deepseek.com"), "deepseek-chat", 1_000_000, 1_000_000, None)
    assert price.cost is not None
    assert (price.currency, price.source) == ("USD", "genai-prices")


def test_every_model_of_the_example_has_a_price() -> None:
    example = tomllib.loads((CHECKOUT / "deployments" / "models.example.toml").read_text())
    models = [each["model"] for each in example["endpoints"].values()]
    assert len(models) == 15
    assert {price_of(endpoint(), model, 1, 1, None).source for model in models} == {SOURCE}


@pytest.mark.parametrize("name", [file.stem for file in PRICE_LISTS.glob("*.toml")])
def test_a_price_list_holds_together(name: str) -> None:
    prices = price_lists()[name]
    assert prices.source
    assert prices.date
    models = [model for each in prices.models for model in each.names]
    assert len(models) == len(set(models))
    for each in prices.models:
        assert all(tier.up_to for tier in each.tiers[:-1])
        ends = [tier.up_to for tier in each.tiers if tier.up_to]
        assert ends == sorted(set(ends))
        assert all(lower.input <= higher.input for lower, higher in pairwise(each.tiers))

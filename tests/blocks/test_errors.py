"""What a provider's failure means: every row of the table, in every shape that a body comes in."""

import copy
import json
import pickle
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blocks.errors import (
    TABLES,
    AccessDenied,
    AuthFailed,
    BadRequest,
    CallError,
    ContentFiltered,
    ContextOverflow,
    QuotaExhausted,
    RateLimited,
    Transient,
    classify,
    read_failure,
    retry_after,
)

HTML = "<!DOCTYPE html>\n<html><head><title>502 Bad\n Gateway</title></head><body>quota 403</body></html>"


class Case(NamedTuple):
    """A failure as a provider sends it, and what it means."""

    provider: str
    status: int
    fields: dict[str, Any]
    error: type[CallError]
    scope: str = "model"


def coded(provider: str, status: int, codes: str, error: type[CallError], scope: str = "model") -> list[Case]:
    return [Case(provider, status, {"code": code, "message": "?"}, error, scope) for code in codes.split()]


def quota_id(name: str) -> list[dict[str, Any]]:
    kind = "type.googleapis.com/google.rpc.QuotaFailure"
    return [{"@type": kind, "violations": [{"quotaMetric": "generate_requests", "quotaId": name}]}]


PER_DAY = quota_id("GenerateRequestsPerDayPerProjectPerModel-FreeTier")
PER_MINUTE = quota_id("GenerateRequestsPerMinutePerProjectPerModel-FreeTier")
LIMITS = "credit_balance_exhausted organization_spend_limit_exceeded organization_usage_limit_exceeded"
ALLOCATED = "Allocated quota exceeded, please increase your quota limit."
CURRENT = "You exceeded your current quota, please check your plan and billing details."
FREE = "Free allocated quota exceeded."
TOO_LONG = "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens."

CASES = [
    *coded("dashscope", 403, "AllocationQuota.FreeTierOnly", QuotaExhausted),
    *coded("dashscope", 429, "Throttling Throttling.RateQuota limit_requests", RateLimited),
    Case("dashscope", 429, {"message": "Requests rate limit exceeded, please try again later."}, RateLimited),
    *coded("dashscope", 429, "Throttling.AllocationQuota", RateLimited),
    Case("dashscope", 429, {"code": "insufficient_quota", "message": ALLOCATED}, RateLimited),
    Case("dashscope", 429, {"code": "insufficient_quota", "message": CURRENT}, RateLimited),
    Case("dashscope", 429, {"code": "insufficient_quota", "message": FREE}, QuotaExhausted),
    Case("dashscope", 429, {"code": "Throttling.AllocationQuota", "message": FREE}, QuotaExhausted),
    *coded("dashscope", 400, "Arrearage", QuotaExhausted, "account"),
    *coded("dashscope", 403, "Arrearage", QuotaExhausted, "account"),
    *coded("dashscope", 401, "InvalidApiKey invalid_api_key", AuthFailed),
    *coded("dashscope", 403, "AccessDenied access_denied AccessDenied.Unpurchased", AccessDenied),
    *coded("dashscope", 403, "Model.AccessDenied SomethingNew", AccessDenied),
    *coded("dashscope", 404, "ModelNotFound model_not_found", AccessDenied),
    *coded("dashscope", 400, "InvalidParameter invalid_parameter_error BadRequest.TooLarge", BadRequest),
    *coded("dashscope", 400, "InvalidParameter.DataInspection SomethingNew", BadRequest),
    *coded("dashscope", 400, "DataInspectionFailed data_inspection_failed", ContentFiltered),
    *coded("dashscope", 408, "RequestTimeOut", Transient),
    *coded("dashscope", 500, "InternalError InternalError.Algo InternalError.Timeout", Transient),
    *coded("dashscope", 503, "ModelServingError", Transient),
    *coded("openai", 429, f"insufficient_quota {LIMITS} project_spend_limit_exceeded", QuotaExhausted, "account"),
    Case("openai", 429, {"type": "insufficient_quota", "code": None, "message": CURRENT}, QuotaExhausted, "account"),
    *coded("openai", 429, "rate_limit_exceeded slow_down", RateLimited),
    Case("openai", 429, {"type": "tokens", "code": "rate_limit_exceeded", "message": CURRENT}, RateLimited),
    Case("openai", 403, {"code": "unsupported_country_region_territory", "message": "Country"}, AccessDenied),
    *coded("openai", 400, "context_length_exceeded", ContextOverflow),
    *coded("openai", 400, "content_filter invalid_prompt", ContentFiltered),
    *coded("openai", 401, "invalid_api_key", AuthFailed),
    *coded("openai", 500, "server_error", Transient),
    Case("deepseek", 402, {"message": "Insufficient Balance"}, QuotaExhausted, "account"),
    Case("deepseek", 429, {"message": "Rate limit reached"}, RateLimited),
    Case("deepseek", 500, {"message": "Server error"}, Transient),
    Case("deepseek", 503, {"message": "Server overloaded"}, Transient),
    Case("azure", 429, {"code": "429", "message": "Requests to … have exceeded the token rate limit"}, RateLimited),
    *coded("azure", 400, "content_filter", ContentFiltered),
    Case("vllm", 400, {"type": "BadRequestError", "code": 400, "message": "temperature must be ≥ 0"}, BadRequest),
    Case("vllm", 400, {"type": "BadRequestError", "code": 400, "message": TOO_LONG}, ContextOverflow),
    Case("vllm", 400, {"type": "BadRequestError", "message": "x" * 400 + TOO_LONG}, ContextOverflow),
    Case("vllm", 400, {"code": 400, "param": "input_tokens", "message": "too long"}, ContextOverflow),
    Case("vllm", 400, {"code": 400, "param": "max_tokens", "message": "too many"}, BadRequest),
    Case("vllm", 400, {"message": "max_tokens cannot be greater than max_model_len=4096."}, ContextOverflow),
    Case("vllm", 404, {"type": "NotFoundError", "code": 404, "message": "no model `x`"}, AccessDenied),
    Case("vllm", 500, {"type": "InternalServerError", "code": 500, "message": "EngineCore died"}, Transient),
    Case("gemini", 429, {"code": 429, "status": "RESOURCE_EXHAUSTED", "details": PER_DAY}, QuotaExhausted),
    Case("gemini", 429, {"code": 429, "status": "RESOURCE_EXHAUSTED", "details": PER_MINUTE}, RateLimited),
    Case("gemini", 429, {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": CURRENT}, RateLimited),
    Case("openrouter", 402, {"code": 402, "message": "Insufficient credits"}, QuotaExhausted, "account"),
    Case("openrouter", 429, {"code": 429, "message": "Rate limit exceeded: free-models-per-min"}, RateLimited),
    Case("moonshot", 429, {"type": "rate_limit_reached_error", "message": "max RPM: 3"}, RateLimited),
    *[Case("generic", 401, {"code": code, "message": "?"}, AuthFailed) for code in ("401", 401, None, "x")],
    *[Case("generic", 402, {"code": code, "message": "?"}, QuotaExhausted, "account") for code in ("402", 402, None)],
    *[Case("generic", 403, {"code": code, "message": CURRENT}, AccessDenied) for code in ("403", 403, None)],
    *[Case("generic", 404, {"code": code, "message": "?"}, AccessDenied) for code in ("404", 404, None)],
    *[Case("generic", status, {"message": "quota"}, Transient) for status in (408, 500, 502, 503, 504, 529, 599)],
    *[Case("generic", 429, {"code": code, "message": CURRENT}, RateLimited) for code in ("429", 429, None, "x")],
    Case("generic", 429, {"code": "insufficient_quota", "message": "?"}, QuotaExhausted, "account"),
    Case("generic", 429, {"type": "insufficient_quota", "message": "?"}, QuotaExhausted, "account"),
    *[Case("generic", status, {"message": "quota 403"}, BadRequest) for status in (400, 405, 409, 413, 418, 422)],
    *coded("generic", 400, "context_length_exceeded", ContextOverflow),
]


def named(case: Case) -> str:
    said = case.fields.get("code") or case.fields.get("type") or case.fields.get("message", "")
    return f"{case.provider}-{case.status}-{str(said)[:30]}-{case.error.__name__}"


def shapes(fields: dict[str, Any]) -> dict[str, object]:
    """The body as servers wrap it: parsed and as text."""
    wrapped = {
        "nested": {"error": fields},
        "flat": {"object": "error", **fields},
        "bare": {**fields, "request_id": "r"},
        "in a list": [{"error": fields}],
    }
    texts = {f"{name}, as text": json.dumps(body) for name, body in wrapped.items()}
    return {**wrapped, **texts, "as bytes": json.dumps(wrapped["nested"], ensure_ascii=False).encode()}


@pytest.mark.parametrize("case", CASES, ids=named)
def test_every_row_of_the_table(case: Case):
    for shape, body in shapes(case.fields).items():
        problem = classify(case.provider, case.status, {}, body, endpoint="m at host")
        assert (type(problem), problem.scope) == (case.error, case.scope), shape
        assert problem.status == case.status
        assert problem.message.startswith(f"m at host answered {case.status}")
        assert "\n" not in problem.message
        code = case.fields.get("code") or case.fields.get("type") or case.fields.get("status")
        assert problem.code == (None if code is None else str(code))


def test_azure_says_in_milliseconds_when_to_come_back():
    problem = classify("azure", 429, {"Retry-After-Ms": "1500", "Retry-After": "2"}, {}, endpoint="m")
    assert isinstance(problem, RateLimited)
    assert problem.retry_after == 1.5


@pytest.mark.parametrize("provider", TABLES)
@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, AuthFailed),
        (402, QuotaExhausted),
        (403, AccessDenied),
        (404, AccessDenied),
        (408, Transient),
        (413, BadRequest),
        (429, RateLimited),
        (500, Transient),
        (502, Transient),
        (302, Transient),
    ],
)
@pytest.mark.parametrize("body", [None, "", b"", "insufficient_quota, says the proxy: 403", HTML, "[]", "null", "7"])
def test_without_a_code_the_status_decides(provider: str, status: int, error: type[CallError], body: object):
    """Words and numbers in free text say nothing."""
    assert type(classify(provider, status, {}, body, endpoint="m")) is error


@pytest.mark.parametrize(
    ("provider", "fields", "error", "scope"),
    [
        ("dashscope", {"code": "AllocationQuota.FreeTierOnly"}, QuotaExhausted, "model"),
        ("dashscope", {"code": "Arrearage"}, QuotaExhausted, "account"),
        ("openai", {"code": "insufficient_quota"}, QuotaExhausted, "account"),
        ("openai", {"code": "rate_limit_exceeded"}, RateLimited, "model"),
        ("openai", {"code": "context_length_exceeded"}, ContextOverflow, "model"),
        ("openai", {"code": "server_error", "message": "403 quota"}, Transient, "model"),
        ("generic", {"code": None, "message": "401"}, Transient, "model"),
        ("vllm", {"message": TOO_LONG}, Transient, "model"),
    ],
)
def test_an_error_in_the_middle_of_a_stream_has_a_code_and_no_status(
    provider: str, fields: dict[str, Any], error: type[CallError], scope: str
):
    problem = classify(provider, None, {}, {"error": fields}, endpoint="m")
    assert (type(problem), problem.scope, problem.status) == (error, scope, None)
    assert problem.message.startswith("m answered an error")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"error": {"code": 7, "type": "t", "param": "p", "message": " a\n b "}}, ("7", "t", "p", "a b")),
        ({"error": "no model\nhere"}, (None, None, None, "no model here")),
        ({"error": "no", "code": "c"}, ("c", None, None, "no")),
        ({"error": None, "message": "a"}, (None, None, None, "a")),
        ({"error": {"code": "", "message": ""}}, (None, None, None, "")),
        ({"error": {"code": "a\n b", "type": [1], "message": {"a": 1}}}, ("a b", "[1]", None, "{'a': 1}")),
        ({"error": {"status": "NOT_FOUND", "code": 404}}, ("404", "NOT_FOUND", None, "")),
        ({"detail": "Not Found"}, (None, None, None, "Not Found")),
        ([{"error": {"message": "a"}}], (None, None, None, "a")),
        ([], (None, None, None, "[]")),
        ("slow\ndown", (None, None, None, "slow down")),
        ('{"code": "\\ud83c", "message": "a\\ud83cb"}', ("?", None, None, "a?b")),
        (b"\xff\xfe", (None, None, None, "\ufffd\ufffd")),
        (HTML, (None, None, None, "an HTML page titled '502 Bad Gateway'")),
        ("  <html>x", (None, None, None, "an HTML page")),
        (None, (None, None, None, "")),
        ("", (None, None, None, "")),
        ("{" * 100_000, (None, None, None, "{" * 100_000)),
        ("[" * 100_000, (None, None, None, "[" * 100_000)),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_body_of_any_shape(body: object, expected: tuple[str | None, ...]):
    failure = read_failure(body)
    assert (failure.code, failure.type, failure.param, failure.message) == expected


def test_a_refusal_of_fastapi_says_what_is_wrong():
    detail = [{"loc": ["body", "stream_options"], "msg": "Extra inputs are not permitted"}]
    assert "stream_options" in classify("generic", 422, {}, {"detail": detail}, endpoint="m").message


def test_a_long_message_is_cut():
    problem = classify("generic", 400, {}, {"error": {"message": "word " * 1000}}, endpoint="m")
    assert len(problem.message) < 400


# When to come back


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "7"}, 7),
        ({"retry-after": "0"}, 0),
        ({"RETRY-AFTER": " 1.5 "}, 1.5),
        ({"Retry-After": "1m30s"}, 90),
        ({"Retry-After": "20ms"}, 0.02),
        ({"Retry-After": "1h"}, 3600),
        ({"Retry-After": "1h2m3.5s"}, 3723.5),
        ({"Retry-After": "-5"}, None),
        ({"Retry-After": ""}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0),
        ({"Retry-After": "Sun Nov  6 08:49:37 1994"}, 0),
        ({"retry-after-ms": "250"}, 0.25),
        ({"retry-after-ms": "250", "Retry-After": "9"}, 0.25),
        ({"retry-after-ms": "soon", "Retry-After": "9"}, 9),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1m30s"}, 90),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "6ms"}, 0.006),
        ({"x-ratelimit-remaining-tokens": "5", "x-ratelimit-reset-tokens": "6m"}, None),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1741305600000"}, None),
        ({"x-ratelimit-remaining-requests": "0"}, None),
        (
            {
                "x-ratelimit-remaining-requests": "0",
                "x-ratelimit-reset-requests": "1s",
                "x-ratelimit-remaining-tokens": "0",
                "x-ratelimit-reset-tokens": "2s",
            },
            2,
        ),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1s", "Retry-After": "3"}, 3),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float | None):
    assert retry_after(headers) == seconds


@pytest.mark.parametrize("usegmt", [True, False])
def test_retry_after_as_a_date(usegmt: bool):
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=usegmt)
    seconds = retry_after({"Retry-After": date})
    assert seconds is not None
    assert 0 < seconds <= 100


# Anything at all


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["error", "code", "type", "message", "detail", "details"]), inner)
    ),
    max_leaves=8,
)


@given(
    st.sampled_from([*TABLES, "unheard-of"]),
    st.integers(100, 599) | st.none(),
    st.dictionaries(
        st.sampled_from(["Retry-After", "retry-after-ms", "x-ratelimit-remaining-a"]), st.text(max_size=9)
    ),
    JSON | JSON.map(json.dumps) | st.text() | st.binary(),
)
def test_every_answer_means_something(provider: str, status: int | None, headers: dict[str, str], body: object):
    problem = classify(provider, status, headers, body, endpoint="m")
    assert problem.retry_after is None or problem.retry_after >= 0
    assert "\n" not in problem.message
    assert len(problem.message) < 5000


@pytest.mark.parametrize("again", [copy.copy, lambda error: pickle.loads(pickle.dumps(error))])
def test_an_error_goes_from_process_to_process(again: Any):
    problem = QuotaExhausted("spent", status=429, code="c", retry_after=2.5, scope="account")
    other = again(problem)
    assert type(other) is QuotaExhausted
    assert vars(other) == vars(problem)
    assert str(other) == "spent"

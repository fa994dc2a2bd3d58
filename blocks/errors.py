"""What a provider's failure means: one table per provider, read by `classify`.

Sources: the error pages of Alibaba Cloud Model Studio (DashScope), OpenAI, DeepSeek, Azure OpenAI, Gemini and
OpenRouter, and vLLM's `ErrorResponse`. A rule is tried in order: provider before generic, code or type before
status alone, and the message only to tell apart what the codes do not. Nothing is decided by searching free text
for a number or a word.
"""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from fnmatch import fnmatchcase
from typing import ClassVar, Literal, NamedTuple

Scope = Literal["model", "account"]


class UsageError(ValueError):
    """What was asked for cannot be done as asked: one line that names the thing and the remedy."""


class CallError(Exception):
    """A model call that brought no reply. `retry_after` is in seconds; `status` None: no HTTP status said so.

    `known` tells that the provider's own table has the error, `endpoint` and `model` name who was asked, and
    `elsewhere` counts the other endpoints of the pool that are fit: what met the error can go on with one of them.
    """

    kind: ClassVar[str] = "call_error"
    known: bool = True
    endpoint: str | None = None
    model: str | None = None
    elsewhere: int = 0

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        code: str | None = None,
        retry_after: float | None = None,
        scope: Scope = "model",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.code = code
        self.retry_after = retry_after
        self.scope = scope

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.message, self.status, self.code, self.retry_after, self.scope)


class RateLimited(CallError):
    kind = "rate_limited"


class QuotaExhausted(CallError):
    kind = "quota_exhausted"


class Throttled(QuotaExhausted):
    """Rate limiting that went on for so long that the quota must be spent; a small request shows when it is over."""


class PoolExhausted(CallError):
    """No endpoint of a pool is left; `remedy` says when the same command goes on, where no quota is concerned."""

    kind = "pool_exhausted"
    remedy: str = ""


class AccessDenied(CallError):
    kind = "access_denied"


class AuthFailed(CallError):
    kind = "auth_failed"


class Transient(CallError):
    kind = "transient"


class BadRequest(CallError):
    kind = "bad_request"


class ContextOverflow(CallError):
    kind = "context_overflow"


class ContentFiltered(CallError):
    kind = "content_filtered"


class Rule(NamedTuple):
    """One row of a table; empty fields match anything.

    `codes` are globs over the error's code and type, `params` names of its `param`; `says` are phrases, in lower
    case, of its message and details.
    """

    error: type[CallError]
    status: tuple[int, ...] = ()
    codes: tuple[str, ...] = ()
    says: tuple[str, ...] = ()
    params: tuple[str, ...] = ()
    scope: Scope = "model"


class Failure(NamedTuple):
    """An error body, whatever its shape: nested, flat, plain text, HTML or empty.

    `message` is one line, `details` the JSON of what a provider (Gemini) says beside it.
    """

    code: str | None = None
    type: str | None = None
    param: str | None = None
    message: str = ""
    details: str = ""


LONGEST_MESSAGE = 300  # characters of a provider's message in ours
SERVER_TROUBLE = (408, *range(500, 600))

TABLES: dict[str, tuple[Rule, ...]] = {
    "dashscope": (
        Rule(QuotaExhausted, (403,), ("AllocationQuota.FreeTierOnly",)),
        Rule(QuotaExhausted, (400, 403), ("Arrearage",), scope="account"),
        Rule(QuotaExhausted, (429,), says=("free allocated quota exceeded",)),
        Rule(RateLimited, (429,), ("Throttling*", "limit_requests", "insufficient_quota")),
        Rule(AuthFailed, (401,), ("InvalidApiKey", "invalid_api_key")),
        Rule(AccessDenied, (403,), ("AccessDenied*", "access_denied", "Model.AccessDenied")),
        Rule(AccessDenied, (404,), ("ModelNotFound", "model_not_found")),
        Rule(ContentFiltered, (400,), ("DataInspectionFailed", "data_inspection_failed")),
        Rule(BadRequest, (400,), ("InvalidParameter*", "invalid_parameter_error", "BadRequest.*")),
        Rule(Transient, SERVER_TROUBLE, ("RequestTimeOut", "InternalError*")),
    ),
    "openai": (
        Rule(
            QuotaExhausted,
            (429,),
            (
                "insufficient_quota",
                "credit_balance_exhausted",
                "organization_spend_limit_exceeded",
                "organization_usage_limit_exceeded",
                "project_spend_limit_exceeded",
            ),
            scope="account",
        ),
        Rule(RateLimited, (429,), ("rate_limit_exceeded", "slow_down")),
        Rule(AccessDenied, (403,), ("unsupported_country_region_territory",)),
        Rule(ContextOverflow, (400,), ("context_length_exceeded",)),
        Rule(ContentFiltered, (400,), ("content_filter", "invalid_prompt")),
    ),
    "deepseek": (Rule(QuotaExhausted, (402,), scope="account"),),
    "azure": (Rule(ContentFiltered, (400,), ("content_filter",)),),
    "vllm": (
        Rule(ContextOverflow, (400,), params=("input_tokens",)),
        Rule(ContextOverflow, (400,), says=("maximum context length", "cannot be greater than max_model_len")),
        Rule(AccessDenied, (404,), ("NotFoundError",)),
    ),
    "gemini": (
        Rule(QuotaExhausted, (429,), ("RESOURCE_EXHAUSTED", "429"), ("perday",)),
        Rule(RateLimited, (429,), ("RESOURCE_EXHAUSTED", "429")),
    ),
    "openrouter": (Rule(QuotaExhausted, (402,), scope="account"),),
    "moonshot": (),
    "generic": (
        Rule(BadRequest, (404,), ("no_recorded_reply",)),  # of a recorded server: another request has its reply
        Rule(AuthFailed, (401,)),
        Rule(QuotaExhausted, (402,), scope="account"),
        Rule(AccessDenied, (403, 404)),
        Rule(QuotaExhausted, (429,), ("insufficient_quota",), scope="account"),
        Rule(RateLimited, (429,)),
        Rule(ContextOverflow, (400,), ("context_length_exceeded",)),
        Rule(Transient, SERVER_TROUBLE),
        Rule(BadRequest, tuple(range(400, 500))),
        Rule(Transient),
    ),
}


def classify(
    provider: str, status: int | None, headers: Mapping[str, str], body: object, *, endpoint: str
) -> CallError:
    """Return the error that an HTTP answer of `status` with `body` (parsed JSON, or text) means.

    `status` is None for an error in the middle of an answer that began with 200: its code or type decides alone.
    """
    failure = read_failure(body)
    own = () if provider == "generic" else TABLES.get(provider, ())
    rule = next(rule for rule in (*own, *TABLES["generic"]) if _matches(rule, status, failure))
    said = f": {failure.message[:LONGEST_MESSAGE]}" if failure.message else ""
    code = failure.code or failure.type
    named = f"{f' {code}' if code else ''}{f' ({failure.param})' if failure.param else ''}"
    error = rule.error(
        f"{endpoint} answered {'an error' if status is None else status}{named}{said}",
        status=status,
        code=code,
        retry_after=retry_after(headers),
        scope=rule.scope,
    )
    error.known = rule in own
    return error


def read_failure(body: object) -> Failure:
    """Read code, type, param, message and details from an error body of any shape."""
    if isinstance(body, (bytes, str)):
        text = body.decode(errors="replace") if isinstance(body, bytes) else body
        try:
            body = json.loads(text)
        except (ValueError, RecursionError):
            return Failure(message=_one_line(text))
    if isinstance(body, list) and body:  # Gemini wraps its error in a list
        body = body[0]
    if not isinstance(body, dict):
        return Failure(message=_one_line("" if body is None else str(body)))
    error = body.get("error")
    if isinstance(error, str):
        return Failure(_name(body.get("code")), _name(body.get("type")), message=_one_line(error))
    fields = error if isinstance(error, dict) else body
    return Failure(
        code=_name(fields.get("code")),
        type=_name(fields.get("type")) or _name(fields.get("status")),
        param=_name(fields.get("param")),
        # FastAPI's own refusals have nothing but a `detail`.
        message=_one_line(str(fields.get("message") or fields.get("detail") or "")),
        details=json.dumps(fields.get("details")) if "details" in fields else "",
    )


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that a server asks to wait: milliseconds, seconds, an HTTP date, or `1m30s`."""
    lower = {name.lower(): value.strip() for name, value in headers.items()}
    if (milliseconds := lower.get("retry-after-ms")) and _is_number(milliseconds):
        return max(0.0, float(milliseconds) / 1000)
    said = lower.get("retry-after")
    if said is None:
        remaining = [name for name, left in lower.items() if name.startswith("x-ratelimit-remaining") and left == "0"]
        waits = [_duration(lower.get(name.replace("remaining", "reset"), "")) for name in remaining]
        return max((wait for wait in waits if wait is not None), default=None)
    if _is_number(said):
        return max(0.0, float(said))
    if (wait := _duration(said)) is not None:
        return wait
    try:
        date = parsedate_to_datetime(said)
    except ValueError:
        return None
    return max(0.0, (date.replace(tzinfo=date.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


def _rebuild(
    error: type[CallError],
    message: str,
    status: int | None,
    code: str | None,
    wait: float | None,
    scope: Scope,
) -> CallError:
    return error(message, status=status, code=code, retry_after=wait, scope=scope)


def _matches(rule: Rule, status: int | None, failure: Failure) -> bool:
    if status is None and rule.status and not rule.codes:
        return False
    if status is not None and rule.status and status not in rule.status:
        return False
    said = [name for name in (failure.code, failure.type) if name]
    if rule.codes and not any(fnmatchcase(name, code) for name in said for code in rule.codes):
        return False
    if rule.params and failure.param not in rule.params:
        return False
    if not rule.says:
        return True
    text = f"{failure.message} {failure.details}".lower()
    return any(phrase in text for phrase in rule.says)


def _duration(text: str) -> float | None:
    parts = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?", text)
    if not text or parts is None:
        return None
    hours, minutes, seconds, milliseconds = (float(part or 0) for part in parts.groups())
    return hours * 3600 + minutes * 60 + seconds + milliseconds / 1000


def _is_number(text: str) -> bool:
    return re.fullmatch(r"\d+(\.\d+)?", text) is not None


def _name(value: object) -> str | None:
    return None if value is None else _one_line(str(value))[:100] or None


def _one_line(text: str) -> str:
    """Bring a message to one line; an HTML page is only named as such."""
    if re.match(r"\s*<(!doctype|html)", text, re.IGNORECASE):
        title = re.search(r"<title>(.*?)</title>", text, re.IGNORECASE | re.DOTALL)
        return "an HTML page" + (f" titled {' '.join(title.group(1).split())[:80]!r}" if title else "")
    return " ".join(text.encode(errors="replace").decode().split())  # JSON may hold half a surrogate pair

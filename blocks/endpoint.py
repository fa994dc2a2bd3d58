"""ModelEndpoint: one model behind one OpenAI-compatible URL, as a Prefect Block."""

import hashlib
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from prefect.blocks.core import Block
from pydantic import ConfigDict, Field, SecretStr, field_validator

if TYPE_CHECKING:
    from openai import AsyncOpenAI

Provider = Literal["openai", "dashscope", "deepseek", "azure", "openrouter", "gemini", "moonshot", "vllm", "generic"]

PROVIDER_HOSTS: dict[str, Provider] = {
    "api.openai.com": "openai",
    "aliyuncs.com": "dashscope",
    "api.deepseek.com": "deepseek",
    "azure.com": "azure",
    "openrouter.ai": "openrouter",
    "generativelanguage.googleapis.com": "gemini",
    "api.moonshot.cn": "moonshot",
    "api.moonshot.ai": "moonshot",
}

NO_KEY = "EMPTY"  # what vLLM's clients send where a server wants no key


class ModelEndpoint(Block):
    """One model behind one URL, with its key, limits and prices."""

    _block_type_name = "Consort Model Endpoint"
    _block_type_slug = "consort-model-endpoint"
    model_config = ConfigDict(hide_input_in_errors=True)  # a key would be shown

    base_url: str = Field(description="URL of the OpenAI-compatible API, up to and with /v1.")
    model: str = Field(description="Model name as the server knows it.")
    api_key: SecretStr | None = Field(default=None, description="Key; none for servers that want none.")
    account: str | None = Field(
        default=None, description="Quota scope; by default the host and a fingerprint of the key."
    )
    provider: Provider | Literal["auto"] = Field(
        default="auto", description="Whose error codes the server speaks; auto goes by the host."
    )
    max_concurrency: int | None = Field(default=None, ge=1, description="Most calls in flight at once.")
    rpm: int | None = Field(default=None, ge=1, description="Requests per minute.")
    tpm: int | None = Field(default=None, ge=1, description="Tokens per minute.")
    input_price: float | None = Field(default=None, ge=0, description="Price of a million prompt tokens.")
    output_price: float | None = Field(default=None, ge=0, description="Price of a million completion tokens.")
    currency: str = Field(default="USD", description="Currency of the prices.")
    context_window: int | None = Field(default=None, ge=1, description="Longest prompt and reply, in tokens.")
    timeout: float = Field(default=600.0, gt=0, description="Seconds without a byte before a call is given up.")
    reply_timeout: float | None = Field(
        default=None, gt=0, description="Seconds that a reply may take in all; no limit without it."
    )
    tries: int = Field(default=6, ge=1, description="Most requests for one reply while the trouble is short.")
    parameters: dict[str, Any] = Field(
        default_factory=dict, description="Extra fields of the request body, such as enable_thinking."
    )

    @field_validator("base_url")
    @classmethod
    def _is_http(cls, url: str) -> str:
        if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
            raise ValueError(f"base_url {url!r} is not an http(s) URL; write it up to and with /v1")
        if "@" in urlsplit(url).netloc:  # it would stand in messages, rows and reports
            raise ValueError("base_url holds a user name or a password; leave it out, and give the key as api_key")
        return url.rstrip("/")

    @field_validator("api_key")
    @classmethod
    def _can_be_sent(cls, key: SecretStr | None) -> SecretStr | None:
        text = key.get_secret_value().strip() if key else ""  # a key file ends with a line end
        if not text.isascii() or not all(character.isprintable() for character in text):
            raise ValueError("api_key holds characters that HTTP cannot carry; copy it again")
        return SecretStr(text) if text else None

    @property
    def host(self) -> str:
        """Host and port of the URL."""
        return urlsplit(self.base_url).netloc

    @property
    def spoken_provider(self) -> Provider:
        """The provider whose error table applies."""
        if self.provider != "auto":
            return self.provider
        host = urlsplit(self.base_url).hostname or ""
        known = (name for suffix, name in PROVIDER_HOSTS.items() if host == suffix or host.endswith("." + suffix))
        return next(known, "vllm")  # a URL of nobody's is most often somebody's own vLLM

    @property
    def quota_account(self) -> str:
        """Who pays: endpoints of one account are spent together."""
        if self.account:
            return self.account
        digest = hashlib.sha256(self.key.encode()).hexdigest()[:8]
        return f"{self.host}/{digest}"

    @property
    def key(self) -> str:
        """The key in clear, for the client alone."""
        return (self.api_key.get_secret_value() if self.api_key else "") or NO_KEY

    def client(self) -> "AsyncOpenAI":
        """Open a client that retries nothing by itself; the caller closes it."""
        from openai import AsyncOpenAI, DefaultAioHttpClient, Timeout

        return AsyncOpenAI(
            base_url=self.base_url,
            api_key=self.key,
            max_retries=0,
            timeout=Timeout(self.timeout, connect=min(10.0, self.timeout)),
            http_client=DefaultAioHttpClient(),
        )

"""What the configuration of another tool comes to as a file for `python -m blocks.register`: its text, its key files.

The readers are blocks/import_sactor.py and blocks/import_hybridflow.py. A key that they find inline never stands in
the text, which names an environment variable, or a file that `write` puts the key into with mode 0600.
"""

import json
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from pydantic import SecretStr, ValidationError

from blocks.endpoint import ModelEndpoint
from blocks.errors import UsageError

LOCAL = ("127.0.0.1", "localhost", "::1", "0.0.0.0", "host.docker.internal")
# What stands where a key should be put, or where a server wants none.
PLACEHOLDER = re.compile(r"|.*[^\x21-\x7e].*|your.*|<.*>|\W+|empty|none|null|sk-[x.*]*|x+|.{1,5}", re.IGNORECASE)
DAILY_IN_CHINA = "daily 00:00 Asia/Shanghai"

Value = str | int | float | bool | list[str] | dict[str, object]


class Known(NamedTuple):
    """Where a provider is reached unless a file says otherwise, and the variable that usually holds its key."""

    url: str | None
    variable: str


PROVIDERS = {
    "anthropic": Known("https://api.anthropic.com/v1", "ANTHROPIC_API_KEY"),
    "azure": Known(None, "AZURE_API_KEY"),
    "dashscope": Known("https://dashscope.aliyuncs.com/compatible-mode/v1", "DASHSCOPE_API_KEY"),
    "deepseek": Known("https://api.deepseek.com", "DEEPSEEK_API_KEY"),
    "gemini": Known("https://generativelanguage.googleapis.com/v1beta/openai", "GEMINI_API_KEY"),
    "groq": Known("https://api.groq.com/openai/v1", "GROQ_API_KEY"),
    "mistral": Known("https://api.mistral.ai/v1", "MISTRAL_API_KEY"),
    "moonshot": Known("https://api.moonshot.cn/v1", "MOONSHOT_API_KEY"),
    "ollama": Known("http://127.0.0.1:11434/v1", "OLLAMA_API_KEY"),
    "openai": Known("https://api.openai.com/v1", "OPENAI_API_KEY"),
    "openrouter": Known("https://openrouter.ai/api/v1", "OPENROUTER_API_KEY"),
    "xai": Known("https://api.x.ai/v1", "XAI_API_KEY"),
}


class ImportedKey(NamedTuple):
    """Where a key is: in a variable, in a file, or (`secret`) found inline; `variable` then is what to set."""

    variable: str | None = None
    file: Path | None = None
    secret: SecretStr | None = None


class ImportedEndpoint(NamedTuple):
    name: str
    base_url: str
    model: str
    key: ImportedKey | None = None
    more: Mapping[str, Value] = {}


class ImportedPool(NamedTuple):
    name: str
    endpoints: tuple[str, ...]
    policy: str = "failover"
    start: str | None = None
    reset: str | None = None


class Imported(NamedTuple):
    """Endpoints and pools in their order, and what people should know."""

    endpoints: tuple[ImportedEndpoint, ...]
    pools: tuple[ImportedPool, ...]
    notes: tuple[str, ...] = ()


class Names:
    """Gives names by Prefect's rule, each once: endpoints and pools share them."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def take(self, *wishes: str) -> str:
        """Return the first wish that is free, else the last with a number."""
        wished = [slug(wish) for wish in wishes]
        numbered = (f"{wished[-1]}-{number}" for number in range(2, len(self._taken) + 3))
        name = next(name for name in (*wished, *numbered) if name not in self._taken)
        self._taken.add(name)
        return name


def slug(text: str) -> str:
    """Return a text as a block's name: lower-case letters, digits and single dashes."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "model"


def key_of(said: object, variable: str, base_url: str) -> ImportedKey | None:
    """Return the key that a file gives as `api_key`: inline, as `os.environ/NAME`, a placeholder, or not at all."""
    text = said.strip() if isinstance(said, str) else ""
    if text.startswith("os.environ/"):
        return ImportedKey(variable=text.removeprefix("os.environ/"))
    if not PLACEHOLDER.fullmatch(text):
        return ImportedKey(variable=variable, secret=SecretStr(text))
    return None if urlsplit(base_url).hostname in LOCAL else ImportedKey(variable=variable)


def daily_where_free(base_urls: Iterable[str]) -> str | None:
    """Return when spent quotas come back, for a pool of DashScope's models."""
    hosts = {urlsplit(url).hostname or "" for url in base_urls}
    return DAILY_IN_CHINA if hosts and all(host.endswith("aliyuncs.com") for host in hosts) else None


def text_of(imported: Imported, source: str, key_files: Mapping[str, Path] | None = None) -> str:
    """Return the TOML; `key_files` says which variable's key is in which file. Raises UsageError."""
    if not imported.endpoints:
        why = "; ".join(imported.notes) or "it names no model"
        raise UsageError(f"{source}: no endpoint comes of it: {why}")
    keys, files = _told_apart(imported.endpoints), key_files or {}
    inline = sorted({key.variable for key in keys.values() if key.secret and key.variable} - files.keys())
    head = [f"# From {source}. Register with: python -m blocks.register FILE"]
    head += [f"# Set {variable} first (or put it in .env): its key stands in {source}." for variable in inline]
    head += [f"# {' '.join(note.split())}" for note in imported.notes]
    tables = [_endpoint(endpoint, keys.get(endpoint.name), files, source) for endpoint in imported.endpoints]
    return "\n".join(head) + "\n\n" + "\n".join([*map(_pool, imported.pools), *tables])


def write(imported: Imported, source: str, file: Path, *, key_files: bool) -> list[Path]:
    """Write the TOML, and with `key_files` the keys that were found beside it; return the files, the TOML last.

    Raises UsageError where a file is there already with something else in it, and writes nothing then.
    """
    folder = file.absolute().parent
    secrets = {
        key.variable: key.secret for key in _told_apart(imported.endpoints).values() if key.variable and key.secret
    }
    paths = {variable: folder / f"{variable}.key" for variable in sorted(secrets)} if key_files else {}
    texts = {path: secrets[variable].get_secret_value() + "\n" for variable, path in paths.items()}
    texts[file] = text_of(imported, source, paths)
    for path, text in texts.items():
        if path.exists() and not (path.is_file() and path.read_bytes() == text.encode()):
            raise UsageError(f"{path}: is there already and says something else; name another file, or remove it")
    for path, text in texts.items():
        _put(path, text, secret=path in paths.values())
    return list(texts)


def _told_apart(endpoints: Iterable[ImportedEndpoint]) -> dict[str, ImportedKey]:
    """Return each endpoint's key, with a variable of its own for each secret."""
    endpoints = tuple(endpoints)
    named = {endpoint.key.variable for endpoint in endpoints if endpoint.key and not endpoint.key.secret}
    variables: dict[str, str] = {}  # by secret
    keys: dict[str, ImportedKey] = {}
    for endpoint in endpoints:
        key = endpoint.key
        if key and key.secret and key.variable:
            secret, taken = key.secret.get_secret_value(), {*named, *variables.values()}
            wishes = (key.variable, *(f"{key.variable}_{number}" for number in range(2, len(taken) + 3)))
            variables.setdefault(secret, next(wish for wish in wishes if wish not in taken))
            key = key._replace(variable=variables[secret])
        if key:
            keys[endpoint.name] = key
    return keys


def _endpoint(endpoint: ImportedEndpoint, key: ImportedKey | None, files: Mapping[str, Path], source: str) -> str:
    fields: dict[str, Value] = {"base_url": endpoint.base_url.rstrip("/"), "model": endpoint.model}
    fields.update(endpoint.more)
    try:
        ModelEndpoint.model_validate(fields)
    except ValidationError as problem:
        first = problem.errors(include_url=False, include_input=False)[0]
        said = str(first["msg"]).removeprefix("Value error, ")
        raise UsageError(f"{source}: {endpoint.name}, {'.'.join(map(str, first['loc']))}: {said}") from None
    file = files.get(key.variable or "", key.file) if key else None
    if file:
        fields["api_key_file"] = str(file)
    elif key and key.variable:
        fields["api_key_env"] = key.variable
    return _table(f"endpoints.{endpoint.name}", fields)


def _pool(pool: ImportedPool) -> str:
    fields: dict[str, Value] = {"endpoints": list(pool.endpoints), "policy": pool.policy}
    fields |= {name: said for name, said in (("start", pool.start), ("reset", pool.reset)) if said}
    return _table(f"pools.{pool.name}", fields)


def _table(name: str, fields: Mapping[str, Value]) -> str:
    return "\n".join([f"[{name}]", *(f"{field} = {_value(value)}" for field, value in fields.items())]) + "\n"


def _value(value: object) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_field(name)} = {_value(each)}" for name, each in value.items()) + " }"
    if isinstance(value, list):
        return "[\n" + "".join(f"    {_value(each)},\n" for each in value) + "]"
    # A string of JSON is one of TOML, but for DEL, which TOML wants escaped.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _field(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _value(name)


def _put(path: Path, text: str, *, secret: bool) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600 if secret else 0o666)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            if secret:
                os.fchmod(descriptor, 0o600)
            file.write(text)
    except OSError as problem:
        raise UsageError(f"{path}: {problem.strerror}; name a file that can be written") from None

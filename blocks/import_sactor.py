"""SACTOR's sactor.toml as endpoints and pools: its provider sections, or its LiteLLM `model_list`.

    [Qwen]                                                  [[litellm.model_list]]
    base_url = "https://…/compatible-mode/v1"               model_name = "gpt-4o"
    api_key = "sk-…"                                        [litellm.model_list.litellm_params]
    model = "qwen3-coder-plus"                              model = "openai/gpt-4o"
    # available models: qwen3-max, qwen3-coder-plus         api_key = "os.environ/OPENAI_API_KEY"

The models to rotate through stand in `available_models`, or in comments of the section: after "available models:" in
one line, as a list below it, or as names alone. LiteLLM's own config.yaml is read as well.
"""

import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import yaml

from blocks.errors import UsageError
from blocks.import_configs import (
    PROVIDERS,
    Imported,
    ImportedEndpoint,
    ImportedPool,
    Known,
    Names,
    Value,
    daily_where_free,
    key_of,
)

LISTS = ("available_models", "models", "model_list")
ALIASES = {
    "qwen": "dashscope",
    "azureopenai": "azure",
    "google": "gemini",
    "ollama_chat": "ollama",
    "hosted_vllm": "openai",
    "openai_like": "openai",
    "custom_openai": "openai",
    "litellm_proxy": "openai",
    "text-completion-openai": "openai",
}
LITELLM_DASHSCOPE = "https://dashscope-intl.aliyuncs.com/compatible-mode/v1"  # its default is Singapore's

NAME = r"[A-Za-z][\w.:/-]*"
# A model's name in a comment: after a bullet or a number, in quotes or not, with remarks in brackets or symbols.
ITEM = re.compile(rf"""["'`]?({NAME})["'`]?(?:\s|[(（][^)）]*[)）]|[^\x00-\x7f])*""")
BULLET = re.compile(r"(?:[-*•]|\d+[.)、])\s*")
HEADING = re.compile(r"(?P<head>[^:：=]*(?:model|模型)[^:：=]*)[:：=](?P<rest>.*)", re.IGNORECASE)
NO_NAME = re.compile(r"sk-|.*[A-Za-z0-9]{24}|.*://")  # a key that is switched off, a page's address


class Comment(NamedTuple):
    section: str
    text: str
    alone: bool  # nothing else is in its line


def from_sactor(text: str, source: str, environment: Mapping[str, str]) -> Imported:
    """Read a sactor.toml (or LiteLLM's config.yaml); raises UsageError where it is neither."""
    data = _parse(text, source)
    general = _mapping(data.get("general"))
    names, notes = Names(), list[str]()
    endpoints, pools = list[ImportedEndpoint](), list[ImportedPool]()
    lists = _listed_in_comments(text)
    chosen = str(general.get("llm") or "")
    for section, fields in data.items():
        if isinstance(fields, dict) and isinstance(fields.get("model"), str) and section != "general":
            found = _section(section, fields, lists.get(section, []), chosen, names)
            if isinstance(found, str):
                notes.append(found)
                continue
            endpoints += found.endpoints
            pools += found.pools
    routed = _mapping(data.get("litellm")) or data
    found = _model_list(routed, str(general.get("model") or ""), environment, names)
    return Imported((*endpoints, *found.endpoints), (*pools, *found.pools), (*notes, *found.notes))


def _parse(text: str, source: str) -> dict[str, Any]:
    """Parse TOML, or YAML by the file's ending; what goes wrong is told without the line, which may hold a key."""
    if source.endswith((".yaml", ".yml")):
        return yaml_of(text, source)
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        raise UsageError(f"{source}: not TOML ({problem})") from None


def yaml_of(text: str, source: str) -> dict[str, Any]:
    """Parse YAML that is a mapping; raises UsageError without the line at fault, which may hold a key."""
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as problem:
        mark = getattr(problem, "problem_mark", None)
        raise UsageError(f"{source}: not YAML{f' (line {mark.line + 1})' if mark else ''}") from None
    if not isinstance(data, dict):
        raise UsageError(f"{source}: no mapping of settings")
    return data


def _section(section: str, fields: dict[str, Any], listed: list[str], chosen: str, names: Names) -> Imported | str:
    """Read one provider's section; return why not, where it is not in use or cannot be."""
    known = _known(section)
    variable = known.variable if known else f"{section.upper()}_API_KEY"
    said = next((fields[name] for name in ("base_url", "api_base", "endpoint", "host") if fields.get(name)), None)
    url = _compatible(section, str(said)) if said else known.url if known else None
    if url is None:
        return f"[{section}] is left out: it has no base_url"
    key = key_of(fields.get("api_key"), variable, url)
    has_key = (key and key.secret) or "os.environ/" in str(fields.get("api_key"))
    if chosen and section.lower() != chosen.lower() and not has_key:
        return f"[{section}] is left out: it has no key, and `llm` does not name it"
    own = [str(model) for name in LISTS if isinstance(fields.get(name), list) for model in fields[name]]
    models = list(dict.fromkeys(own or listed))
    current = str(fields["model"])
    models = models if current in models else [current, *models]
    endpoints = tuple(ImportedEndpoint(names.take(model, f"{section}-{model}"), url, model, key) for model in models)
    members = tuple(endpoint.name for endpoint in endpoints)
    start = members[models.index(current)]
    pool = ImportedPool(names.take(section, f"{section}-pool"), members, start=start, reset=daily_where_free([url]))
    return Imported(endpoints, (pool,))


def _known(provider: str) -> Known | None:
    name = provider.lower()
    return PROVIDERS.get(ALIASES.get(name, name))


def _compatible(provider: str, url: str) -> str:
    """Return the OpenAI-compatible URL of a server that a file names by its root."""
    name = ALIASES.get(provider.lower(), provider.lower())
    url = url.rstrip("/")
    if name == "ollama" and not url.endswith("/v1"):
        return f"{url}/v1"
    if name == "azure" and "/openai" not in url:
        return f"{url}/openai/v1"
    return url


def _model_list(routed: dict[str, Any], current: str, environment: Mapping[str, str], names: Names) -> Imported:
    """Read LiteLLM's `model_list`: all of it is a pool, and so are the deployments that share a name."""
    rows = routed.get("model_list")
    deployments = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    shared = Counter(str(row.get("model_name")) for row in deployments)
    groups: dict[str, list[ImportedEndpoint]] = {}
    notes = []
    for row in deployments:
        called = str(row.get("model_name") or _mapping(row.get("litellm_params")).get("model") or "")
        wish = f"{called}-{len(groups.get(called, [])) + 1}" if shared[called] > 1 else called
        found = _deployment(_mapping(row.get("litellm_params")), wish, environment, names)
        if isinstance(found, str):
            notes.append(f"{called} is left out: {found}")
        else:
            groups.setdefault(called, []).append(found)
    endpoints = tuple(endpoint for group in groups.values() for endpoint in group)
    if not endpoints:
        return Imported((), (), tuple(notes))
    strategy = _mapping(routed.get("router_settings")).get("routing_strategy")
    policy = "least_busy" if strategy == "least-busy" else "round_robin"
    pools = [
        ImportedPool(names.take(called, f"{called}-pool"), tuple(each.name for each in group), policy)
        for called, group in groups.items()
        if len(group) > 1
    ]
    start = groups[current][0].name if current in groups else None
    reset = daily_where_free(each.base_url for each in endpoints)
    pools.append(
        ImportedPool(names.take("litellm"), tuple(each.name for each in endpoints), start=start, reset=reset)
    )
    return Imported(endpoints, tuple(pools), tuple(notes))


def _deployment(
    parameters: dict[str, Any], wish: str, environment: Mapping[str, str], names: Names
) -> ImportedEndpoint | str:
    """Read one deployment; return why not, where no OpenAI-compatible URL is known for it."""
    said = str(parameters.get("model") or "")
    prefix, _, rest = said.partition("/")
    known = _known(prefix) if rest else None
    provider, model = (prefix, rest) if known else ("", said)
    base = str(parameters.get("api_base") or parameters.get("base_url") or "")
    if base.startswith("os.environ/"):
        variable = base.removeprefix("os.environ/")
        if variable not in environment:
            return f"the environment has no {variable}, which is its api_base"
        base = environment[variable]
    if not provider and not base:
        provider = next((name for name in ("gpt", "o1", "o3", "o4", "claude") if said.startswith(name)), "")
        known = PROVIDERS["anthropic" if provider == "claude" else "openai"] if provider else None
    default = LITELLM_DASHSCOPE if provider == "dashscope" else known.url if known else None
    url = _compatible(provider, base) if base else default
    if not model or url is None:
        return f"no OpenAI-compatible URL is known for {said or 'it'}; give its api_base"
    key = key_of(parameters.get("api_key"), known.variable if known else "OPENAI_API_KEY", url)
    return ImportedEndpoint(names.take(wish), url, model, key, _limits(parameters))


def _limits(parameters: dict[str, Any]) -> dict[str, Value]:
    """Return a deployment's limits and prices as an endpoint's fields."""
    more: dict[str, Value] = {}
    for name, field in (("rpm", "rpm"), ("tpm", "tpm"), ("max_parallel_requests", "max_concurrency")):
        if isinstance(parameters.get(name), int):
            more[field] = parameters[name]
    if isinstance(parameters.get("timeout"), (int, float)):
        more["timeout"] = float(parameters["timeout"])
    for name, field in (("input_cost_per_token", "input_price"), ("output_cost_per_token", "output_price")):
        if isinstance(parameters.get(name), (int, float)):
            more[field] = round(float(parameters[name]) * 1e6, 6)
    return more


def _listed_in_comments(text: str) -> dict[str, list[str]]:
    """Return the models that the comments of each section list."""
    found: dict[str, list[str]] = {}
    listing = ""  # the section whose list goes on
    for section, comment, alone in _comments(text):
        heading = HEADING.fullmatch(comment)
        if heading is None and "=" in comment:  # a setting that is switched off
            listing = ""
            continue
        sure = heading is not None or (alone and listing == section)
        models = _models(heading["rest"] if heading else comment, sure=sure)
        found.setdefault(section, []).extend(models)
        if heading or re.search(r"\bmodels\b|模型", comment, re.IGNORECASE):
            listing = section
        elif not models or not alone:
            listing = ""
    return found


def _models(text: str, *, sure: bool) -> list[str]:
    """Return the models that a comment lists; `sure`: it is known to be a list, else all of it must look like one."""
    text = text.partition("#")[0].strip().strip("[]")
    bullet = BULLET.match(text)
    if bullet:
        text = text[bullet.end() :].partition(" ")[0] if sure else text[bullet.end() :]
    parts = [part.strip() for part in re.split(r"[,，、;；|]", text) if part.strip()]
    if not sure and len(parts) == 1:
        parts = parts[0].split()
    items = [ITEM.fullmatch(part) for part in parts]
    models = [item[1].rstrip(".:") for item in items if item and not NO_NAME.match(item[1])]
    looks = [model for model in models if re.search(r"[\d-]", model)]
    if sure:
        return models
    return looks if len(looks) == len(parts) else []


def _comments(text: str) -> Iterator[Comment]:
    """Yield the comments of a TOML text with their sections; strings, also those of many lines, hold none."""
    section, quote = "", ""
    for line in text.splitlines():
        rest, alone = line, line.lstrip().startswith("#")
        if not quote and (header := re.match(r"\s*\[+\s*([^\[\]#]+?)\s*\]+", line)):
            section = header[1].strip("\"'")
        while rest:
            if quote:
                _, end, rest = rest.partition(quote)
                quote = "" if end else quote
                continue
            start = re.search(r"#|\"\"\"|'''|\"(?:\\.|[^\"\\])*\"|'[^']*'", rest)
            if start is None:
                break
            rest = rest[start.end() :]
            if start[0] == "#":
                yield Comment(section, rest.lstrip("#").strip(), alone)
                break
            quote = start[0] if start[0] in ('"""', "'''") else ""


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}

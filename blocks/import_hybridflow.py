"""HybridFlow's config.yaml as endpoints: `small`, `large`, `planner` (its router) and `judge`.

    models: {small_model: qwen2.5-3b-instruct, large_model: gpt-4o, router_model: qwen3-1.7b, use_local_router: false}
    api: {small_key_path: usage/qwen, small_api_base_url: "https://…/v1", local_router_base_url: "http://…:8000/v1"}
    evaluation: {model: deepseek-chat, key_path: usage/deepseek, api_base_url: "https://api.deepseek.com"}

A list of models makes a pool of that role's name. Key files stay where they are; their paths go by the file's folder.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from blocks.import_configs import (
    Imported,
    ImportedEndpoint,
    ImportedKey,
    ImportedPool,
    Names,
    Value,
    daily_where_free,
    key_of,
)
from blocks.import_sactor import yaml_of


class Role(NamedTuple):
    """What a file says of one role; `thinking` is None where it says nothing."""

    name: str
    models: object
    base_url: object
    key_path: object
    key: object
    thinking: object


def from_hybridflow(text: str, source: str, folder: Path) -> Imported:
    """Read a config.yaml that lies in `folder`; raises UsageError where it is none."""
    data = yaml_of(text, source)
    timeout = data.get("timeout")
    more: dict[str, Value] = {"timeout": float(timeout)} if isinstance(timeout, (int, float)) and timeout > 0 else {}
    names, notes = Names(), list[str]()
    endpoints, pools = list[ImportedEndpoint](), list[ImportedPool]()
    for role in _roles(data):
        models = [str(model) for model in (role.models if isinstance(role.models, list) else [role.models]) if model]
        if not models or not role.base_url:
            if models:
                notes.append(f"{role.name} is left out: {', '.join(models)} has no base URL")
            continue
        url = str(role.base_url)
        key = _key(role, url, folder, notes)
        fields = {**more, **_thinking(role, url)}
        wishes = [role.name] if len(models) == 1 else [f"{role.name}-{model}" for model in models]
        found = [
            ImportedEndpoint(names.take(wish), url, model, key, fields)
            for wish, model in zip(wishes, models, strict=True)
        ]
        endpoints += found
        if len(found) > 1:
            members = tuple(endpoint.name for endpoint in found)
            pools.append(ImportedPool(names.take(role.name), members, reset=daily_where_free([url])))
    return Imported(tuple(endpoints), tuple(pools), tuple(notes))


def _roles(data: dict[str, Any]) -> list[Role]:
    models, api, judge = (_mapping(data.get(name)) for name in ("models", "api", "evaluation"))
    answers, plans = (_mapping(models.get(name)).get("enable_thinking") for name in ("executor", "planner"))
    small, large, router = (
        Role(name, models.get(f"{said}_model"), *_access(api, f"{said}_", "api_base_url"), thinking)
        for name, said, thinking in (
            ("small", "small", answers),
            ("large", "large", answers),
            ("planner", "router", plans),
        )
    )
    if models.get("use_local_router"):
        router = Role("planner", models.get("local_router_model"), api.get("local_router_base_url"), None, None, None)
    elif not router.models:  # HybridFlow plans with the small model then
        router = small._replace(name="planner", thinking=plans)
    return [small, large, router, Role("judge", judge.get("model"), *_access(judge, "", "api_base_url"), None)]


def _access(fields: dict[str, Any], prefix: str, url: str) -> tuple[object, object, object]:
    return fields.get(prefix + url), fields.get(f"{prefix}key_path"), fields.get(f"{prefix}api_key")


def _key(role: Role, url: str, folder: Path, notes: list[str]) -> ImportedKey | None:
    if not role.key_path:
        return key_of(role.key, f"{role.name.upper()}_API_KEY", url)
    file = (folder / Path(str(role.key_path)).expanduser()).absolute()
    if not file.is_file():
        notes.append(f"{role.name}: the key file {file} is not there yet")
    return ImportedKey(file=file)


def _thinking(role: Role, url: str) -> Mapping[str, Value]:
    """Qwen's models on DashScope take `enable_thinking` as a field of the request."""
    if isinstance(role.thinking, bool) and (urlsplit(url).hostname or "").endswith("aliyuncs.com"):
        return {"parameters": {"enable_thinking": role.thinking}}
    return {}


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}

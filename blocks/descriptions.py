"""Blocks as a TOML text or the environment describes them; nothing is saved here.

The TOML: see blocks/register.py. Keys never stand in it.
"""

import json
import os
import re
import tomllib
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from prefect.blocks.core import Block
from pydantic import SecretStr, ValidationError

from blocks.endpoint import ModelEndpoint
from blocks.errors import UsageError
from blocks.pool import ModelPool
from blocks.sandbox import Sandbox
from blocks.store import ResultsStore
from blocks.team import Team

SECTIONS: dict[str, type[Block]] = {
    "endpoints": ModelEndpoint,
    "pools": ModelPool,
    "teams": Team,
    "stores": ResultsStore,
    "sandboxes": Sandbox,
}
NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def blocks_of(text: str, source: str) -> dict[str, Block]:
    """Return the blocks that a TOML text describes, by name; raises UsageError."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        raise UsageError(f"{source}: not TOML ({problem})") from None
    blocks: dict[str, Block] = {}
    for section, named in data.items():
        if section not in SECTIONS or not isinstance(named, dict):
            raise UsageError(f"{source}: section [{section}] is not known; use {', '.join(SECTIONS)}")
        for name, fields in named.items():
            where = f"{source}, [{section}.{name}]"
            if not NAME.fullmatch(name):
                raise UsageError(f"{where}: a name has lower-case letters, digits and single dashes (Prefect's rule)")
            if name in blocks:
                raise UsageError(f"{where}: the name is taken by another section; names are unique across the file")
            if not isinstance(fields, dict):
                raise UsageError(f"{where}: give its fields")
            blocks[name] = _block(SECTIONS[section], fields, where)
    return blocks


def blocks_from_environment(environment: Mapping[str, str], warn: Callable[[str], None]) -> dict[str, Block]:
    """Return `results` and `default` (store, sandbox), and `model1`, `model2` where their servers are named.

    The model is OPENAI_MODEL (OPENAI_MODEL_2); without it, the one that the server lists. An endpoint whose model is
    not to be found out is left out, and `warn` hears why.
    """
    blocks: dict[str, Block] = {"results": ResultsStore(), "default": Sandbox()}
    key = environment.get("OPENAI_API_KEY")
    for number, suffix in ((1, ""), (2, "_2")):
        url = environment.get(f"OPENAI_API_BASE{suffix}")
        if not url:
            continue
        try:
            endpoint = ModelEndpoint(base_url=url, model="", api_key=SecretStr(key) if key else None)
        except ValidationError as problem:
            raise UsageError(f"OPENAI_API_BASE{suffix}: {_first(problem)}") from None
        model = environment.get(f"OPENAI_MODEL{suffix}")
        listed = [model] if model else _listed(endpoint)
        if len(listed) == 1:
            blocks[f"model{number}"] = endpoint.model_copy(update={"model": listed[0]})
        else:
            found = f"lists {', '.join(listed)}" if listed else "does not say what it serves"
            warn(f"model{number} is left out: {endpoint.base_url} {found}; set OPENAI_MODEL{suffix}")
    return blocks


def _listed(endpoint: ModelEndpoint) -> list[str]:
    """Ask a server for its models; none where it does not answer as it should."""
    request = urllib.request.Request(
        f"{endpoint.base_url}/models", headers={"Authorization": f"Bearer {endpoint.key}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return [str(model["id"]) for model in json.load(answer)["data"]]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _block(kind: type[Block], fields: dict[str, Any], where: str) -> Block:
    fields = dict(fields)
    if kind is ModelEndpoint:
        fields["api_key"] = _key(fields, where)
    known = [field for field in kind.model_fields if not field.startswith("_")]
    unknown = sorted(fields.keys() - set(known))
    if unknown:
        raise UsageError(f"{where}: field {unknown[0]!r} is not known; use {', '.join(known)}")
    try:
        return kind(**fields)
    except ValidationError as problem:
        raise UsageError(f"{where}: {_first(problem)}") from None


def _first(problem: ValidationError) -> str:
    first = problem.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return (f"{where}: " if where else "") + str(first["msg"]).removeprefix("Value error, ")


def _key(fields: dict[str, Any], where: str) -> SecretStr | None:
    if "api_key" in fields:
        raise UsageError(f"{where}: no key stands in the file; name a variable with api_key_env, or an api_key_file")
    variable, file = fields.pop("api_key_env", None), fields.pop("api_key_file", None)
    if variable is not None:
        if variable not in os.environ:
            raise UsageError(f"{where}: the environment has no {variable}; set it, or put it in .env")
        return SecretStr(os.environ[variable])
    if file is not None:
        try:
            return SecretStr(Path(file).expanduser().read_text().strip())
        except OSError as problem:
            raise UsageError(f"{where}: api_key_file {file}: {problem.strerror}") from None
    return None

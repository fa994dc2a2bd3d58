"""HybridFlow's config.yaml as flags: `--config config.yaml` of the flows that answer questions."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from blocks.errors import UsageError


def hybridflow_flags(data: Mapping[str, Any], file: Path) -> dict[str, Any] | None:
    """Return the flags that a HybridFlow config.yaml stands for; None for a file that is none.

    Its models are the endpoints that `python -m blocks.register --from-hybridflow` makes of it.
    """
    if not isinstance(data.get("models"), dict):
        return None
    models, dataset, system = (_mapping(data.get(name)) for name in ("models", "dataset", "system"))
    build = _mapping(dataset.get("build"))
    enabled = bool(dataset.get("enabled"))
    if enabled and build.get("enabled"):
        raise UsageError(f"--config {file}: dataset.build is enabled; switch it off to answer the questions")
    flags = {
        "planner": "planner",
        "small": "small",
        "large": "large",
        "threshold": models.get("threshold"),
        "no-threshold": None if models.get("enable_threshold", True) else True,
        "workers": system.get("workers"),
        "query": None if enabled else data.get("query"),
        "dataset": _found(dataset.get("path"), file) if enabled else None,
        "limit": dataset.get("limit") if enabled else None,
    }
    return {name: value for name, value in flags.items() if value is not None}


def hybridflow_model_flags(data: Mapping[str, Any], file: Path) -> dict[str, Any] | None:
    """Return the flags of the baseline that a HybridFlow config.yaml stands for: its large model is asked."""
    flags = hybridflow_flags(data, file)
    if flags is None:
        return None
    return {"model": "large"} | {name: flags[name] for name in ("query", "dataset", "limit") if name in flags}


def _found(path: object, file: Path) -> str | None:
    """A path of a config.yaml: by the working directory, else by the folder that the file is in."""
    if path is None:
        return None
    beside = file.parent / str(path)
    return str(beside) if not Path(str(path)).exists() and beside.exists() else str(path)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}

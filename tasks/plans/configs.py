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
    evaluated = _evaluated(_mapping(data.get("evaluation")), file)
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
        "evaluate": evaluated,
        "judge": "judge" if evaluated else None,
    }
    return {name: value for name, value in flags.items() if value is not None}


def hybridflow_model_flags(data: Mapping[str, Any], file: Path) -> dict[str, Any] | None:
    """Return the flags of the baseline that a HybridFlow config.yaml stands for: its large model is asked."""
    flags = hybridflow_flags(data, file)
    if flags is None:
        return None
    return {"model": "large"} | {name: flags[name] for name in ("query", "dataset", "limit") if name in flags}


def _evaluated(evaluation: Mapping[str, Any], file: Path) -> str | None:
    """What is to be scored, None where nothing is; both parts have switches of their own below the one of both."""
    if not evaluation.get("enabled"):
        return None
    roles = [role for role in ("planner", "executor") if evaluation.get(f"{role}_enabled")]
    if not roles:
        raise UsageError(
            f"--config {file}: evaluation is enabled and neither of its parts is; switch on planner_enabled or "
            "executor_enabled, or switch it off"
        )
    return ",".join(roles)


def hybridflow_build_flags(data: Mapping[str, Any], file: Path) -> dict[str, Any] | None:
    """Return the flags of building a dataset that a HybridFlow config.yaml stands for."""
    if not isinstance(data.get("models"), dict):
        return None
    models, dataset, system = (_mapping(data.get(name)) for name in ("models", "dataset", "system"))
    build = _mapping(dataset.get("build"))
    executes = bool(build.get("use_models_for_execution"))
    flags = {
        "planner": "planner",
        "dataset": _found(dataset.get("path"), file),
        "limit": dataset.get("limit"),
        "workers": system.get("workers"),
        "save-thinking": True if build.get("save_thinking") else None,
    }
    if executes:
        flags |= {"execute": True, "small": "small", "large": "large", "threshold": models.get("threshold")}
    return {name: value for name, value in flags.items() if value is not None}


def _found(path: object, file: Path) -> str | None:
    """A path of a config.yaml: by the working directory, else by the folder that the file is in."""
    if path is None:
        return None
    beside = file.parent / str(path)
    return str(beside) if not Path(str(path)).exists() and beside.exists() else str(path)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}

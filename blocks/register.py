"""Save endpoints, pools, teams, stores and sandboxes as Prefect Blocks, from a TOML file or the environment.

    python -m blocks.register FILE.toml
    python -m blocks.register --from-env
    python -m blocks.register --check [NAME ...]                          can the saved endpoints be used?
    python -m blocks.register --from-sactor sactor.toml [--write FILE]    another tool's models as such a TOML file
    python -m blocks.register --from-hybridflow config.yaml [--write FILE]

Keys never stand in the file: `api_key_env` names an environment variable, `api_key_file` a file. Registering the same
file again changes nothing; a block of the same name is overwritten. No endpoint has the name of a pool, also not of
one that was saved before. `.env` of the working directory is read.

    [endpoints.small]
    base_url = "http://127.0.0.1:8000/v1"
    model = "Qwen2.5-Coder-0.5B-Instruct"

    [endpoints.large]
    base_url = "https://example.com/compatible-mode/v1"
    model = "qwen3-coder-plus"
    provider = "dashscope"
    api_key_env = "DASHSCOPE_API_KEY"

    [pools.qwen]
    endpoints = ["large", "small"]            # of this file, or saved before
    policy = "failover"
    reset = "daily 00:00 Asia/Shanghai"

    [teams.two]
    default = "small"                         # teams name endpoints and pools alike
    stages = { debugging = ["small", "large"] }
"""

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from prefect.blocks.core import Block

from blocks.check import Finding, check, table
from blocks.descriptions import blocks_from_environment, blocks_of
from blocks.endpoint import ModelEndpoint
from blocks.errors import UsageError
from blocks.import_configs import Imported, text_of, write
from blocks.import_hybridflow import from_hybridflow
from blocks.import_sactor import from_sactor
from blocks.pool import ModelPool
from blocks.saved import saved_endpoints, saved_names
from blocks.server import load_environment, prefect_server


async def save(blocks: Mapping[str, Block], source: str) -> list[str]:
    """Save blocks under their names; return a line about each. Raises UsageError where they do not agree with others.

    A pool names endpoints, of the same source or saved before; no endpoint has the name of a pool.
    """
    endpoints, pools = await saved_names(ModelEndpoint), await saved_names(ModelPool)
    for name, block in blocks.items():
        if why := _disagrees(name, block, blocks, endpoints, pools):
            raise UsageError(f"{source}, {type(block).__name__} {name}: {why}")
    lines = []
    for name, block in blocks.items():
        await type(block).aregister_type_and_schema()
        await block.asave(name, overwrite=True)
        lines.append(f"{type(block).__name__} {name}")
    return lines


def _disagrees(
    name: str, block: Block, blocks: Mapping[str, Block], endpoints: Sequence[str], pools: Sequence[str]
) -> str | None:
    """Return why a block cannot be saved beside `blocks` and the endpoints and pools that are saved."""
    if isinstance(block, ModelEndpoint) and name in pools:
        return "a pool of that name is saved; names are unique across endpoints and pools"
    if not isinstance(block, ModelPool):
        return None
    if name in endpoints:
        return "an endpoint of that name is saved; names are unique across endpoints and pools"
    for member in block.endpoints:
        found = blocks.get(member)
        if isinstance(found, ModelPool) or (found is None and member in pools):
            return f"{member!r} is a pool; a pool names endpoints"
        if not isinstance(found, ModelEndpoint) and member not in endpoints:
            return f"no endpoint is called {member!r}, neither there nor saved; register it"
    return None


def main(arguments: list[str] | None = None) -> int:
    """`python -m blocks.register FILE.toml | --from-env | --check | --from-sactor FILE | --from-hybridflow FILE`."""
    import cyclopts

    app = cyclopts.App(
        name="python -m blocks.register",
        help_format="plaintext",
        result_action="return_value",
        default_parameter=cyclopts.Parameter(negative=()),
    )

    @app.default
    def register(
        *names: str,
        from_env: bool = False,
        check: bool = False,
        from_sactor: Path | None = None,
        from_hybridflow: Path | None = None,
        write: Path | None = None,
        key_files: bool = False,
    ) -> int:
        """Save endpoints, pools, teams, stores and sandboxes as Prefect Blocks, or check those that are saved.

        Parameters
        ----------
        names
            TOML file of blocks; with --check, endpoints and pools.
        from_env
            Take model1 and model2 from OPENAI_API_BASE, OPENAI_API_BASE_2, OPENAI_API_KEY, OPENAI_MODEL and
            OPENAI_MODEL_2 (.env is read).
        check
            Ask saved endpoints for their models and for one token; without names all of them. Exit code 1 where one
            cannot be used.
        from_sactor
            Turn SACTOR's sactor.toml, or LiteLLM's model_list, into a TOML file of blocks.
        from_hybridflow
            Turn HybridFlow's config.yaml into a TOML file of blocks.
        write
            Write that TOML here, not to the terminal.
        key_files
            Write keys that stand in the file that is read beside the TOML, each into a file that only you may read.
        """
        load_environment()
        tool = from_sactor or from_hybridflow
        jobs = (names and not check, from_env, check, from_sactor, from_hybridflow)
        if sum(map(bool, jobs)) != 1 or (len(names) > 1 and not check):
            raise UsageError("give a TOML file of blocks, or --from-env, --check, --from-sactor or --from-hybridflow")
        if (write or key_files) and (tool is None or write is None):
            raise UsageError("--write goes with --from-sactor or --from-hybridflow, --key-files with --write")
        if tool is not None:
            return _import(tool, sactor=from_sactor is not None, file=write, key_files=key_files)
        return _check(names) if check else _register(Path(names[0]) if names else None)

    try:
        code: int = app(arguments, exit_on_error=False, print_error=False)
    except (UsageError, cyclopts.CycloptsError) as problem:
        print(" ".join(str(problem).split()), file=sys.stderr)
        return 2
    return code


def _register(file: Path | None) -> int:
    """Save the blocks of a file, or of the environment."""
    if file is None:
        source = "the environment"
        blocks = blocks_from_environment(os.environ, lambda said: print(f"warning: {said}", file=sys.stderr))
    else:
        source = str(file)
        blocks = blocks_of(_text_of(file), source)
    with prefect_server():
        print("\n".join(asyncio.run(save(blocks, source))))
    return 0


def _check(names: Sequence[str]) -> int:
    """Check saved endpoints and print what was found."""

    async def found() -> list[Finding]:
        return await check(await saved_endpoints(names))

    with prefect_server():
        findings = asyncio.run(found())
    print(table(findings))
    return 1 if any(finding.error for finding in findings) else 0


def _import(tool: Path, *, sactor: bool, file: Path | None, key_files: bool) -> int:
    """Turn the configuration of another tool into a TOML file of blocks."""
    text, source = _text_of(tool), str(tool)
    imported: Imported
    if sactor:
        imported = from_sactor(text, source, os.environ)
    else:
        imported = from_hybridflow(text, source, tool.absolute().parent)
    if file is None:
        print(text_of(imported, source), end="")
        return 0
    written = write(imported, source, file, key_files=key_files)
    print("\n".join([*(f"wrote {each}" for each in written), *imported.notes]))
    return 0


def _text_of(file: Path) -> str:
    if not file.is_file():
        raise UsageError(f"{file}: there is no such file")
    try:
        return file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as problem:
        raise UsageError(f"{file}: cannot be read ({problem.__class__.__name__}); it has to be a text file") from None


if __name__ == "__main__":
    raise SystemExit(main())

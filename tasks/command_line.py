"""Command lines from flows' signatures, and what every command does around its flow.

Flags, deployment parameters and `--help` are one thing: the flow's keyword-only parameters. Exit codes: 0 done,
1 incomplete or failed, 2 usage or configuration (one line that names the thing and the remedy), 130 interrupted.
"""

import asyncio
import re
import shlex
import sys
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from functools import wraps
from pathlib import Path
from typing import Any, NamedTuple

import cyclopts
from prefect import Flow
from prefect.client.schemas.objects import State

from blocks.errors import UsageError
from blocks.server import (
    deaf,
    is_of_temporary_server,
    load_environment,
    prefect_server,
    start_temporary_server,
)
from tasks.models.interruption import INTERRUPTION

OTHER_NAMES = {"--output-dir": "--output"}

Check = Callable[..., Awaitable[object]]


class Command(NamedTuple):
    """A flow on the command line; `check` raises UsageError for parameters that cannot work, before Prefect starts.

    The command of an empty name is the one without a name. `read` makes flags of a --config file in another tool's
    form; it returns None for a file of flags.
    """

    flow: Flow[..., Any]
    check: Check | None = None
    name: str = ""
    read: Callable[[dict[str, Any], Path], dict[str, Any] | None] | None = None


def main(*commands: Command, arguments: list[str] | None = None) -> int:
    """Parse the command line, check the parameters, run the flow; return the exit code."""
    tokens = normalised(sys.argv[1:] if arguments is None else arguments)
    app, by_function = _app(commands)
    try:
        tokens, app.config = _configured(tokens, commands)
        function, bound, _ = app.parse_args(tokens, exit_on_error=False, print_error=False)
    except cyclopts.CycloptsError as problem:
        return _usage(str(problem))
    except UsageError as problem:
        return _usage(str(problem))
    command = by_function.get(function)
    if command is None:  # --help and --version
        function(*bound.args, **bound.kwargs)
        return 0
    load_environment()
    try:
        return asyncio.run(_interruptible(command, bound.arguments))
    except UsageError as problem:
        return _usage(str(problem))
    except RuntimeError as problem:
        if not is_of_temporary_server(problem):
            raise
        return _usage("Prefect's temporary server did not answer in time; `make up` starts one that stays")
    except (KeyboardInterrupt, asyncio.CancelledError):
        print(f"\ninterrupted; resume with: python {shlex.join(sys.argv)}", file=sys.stderr)
        return 130


def normalised(tokens: list[str]) -> list[str]:
    """Accept `--top_p` for `--top-p`, and flags by their other names.

    The part behind a dot or an equals sign is left as it is.
    """

    def one(token: str) -> str:
        flag = re.match(r"--[A-Za-z][\w-]*", token)
        if flag is None:
            return token
        name = flag[0].replace("_", "-")
        return OTHER_NAMES.get(name, name) + token[flag.end() :]

    return [one(token) for token in tokens]


async def _interruptible(command: Command, parameters: dict[str, Any]) -> int:
    work = asyncio.current_task()
    assert work is not None
    with INTERRUPTION.heeded(work):
        return await _run(command, parameters)


async def _run(command: Command, parameters: dict[str, Any]) -> int:
    with prefect_server() as url:
        if command.check is not None:
            with nullcontext() if url else deaf():  # a check that loads blocks starts a temporary server
                await command.check(**parameters)
        if url is None:
            print(
                "No Prefect server is running: a temporary one starts (10-16 s); `make up` keeps one.",
                flush=True,
            )
            await asyncio.to_thread(start_temporary_server)
        state: State[Any] = await command.flow(**parameters, return_state=True)  # type: ignore[misc]
        if state.is_completed():
            return 0
        failure = await state.aresult(raise_on_failure=False)
    if isinstance(failure, UsageError):
        return _usage(str(failure))
    print(state.message, file=sys.stderr)
    return 1


def _app(commands: tuple[Command, ...]) -> tuple[cyclopts.App, dict[Any, Command]]:
    app = cyclopts.App(
        name=f"python flows/{Path(sys.argv[0]).name}",
        help_format="plaintext",
        help_epilogue="--config FILE takes flags from a TOML or YAML file; the command line wins.",
        result_action="return_value",
    )
    by_function: dict[Any, Command] = {}
    for command in commands:
        function = _parameters_of(command.flow)
        by_function[function] = command
        if command.name:
            app.command(function, name=command.name)
        else:
            app.default(function)
    return app, by_function


def _parameters_of(flow: Flow[..., Any]) -> Callable[..., Any]:
    @wraps(flow.fn)
    def function(**parameters: Any) -> Any:
        return parameters

    return function


def _configured(tokens: list[str], commands: tuple[Command, ...]) -> tuple[list[str], tuple[Any, ...]]:
    """Take `--config FILE` out of the tokens; its values stand below the command line's."""
    rest: list[str] = []
    files: list[Path] = []
    left = iter(tokens)
    for token in left:
        if token == "--config":
            files.append(Path(next(left, "")))
        elif token.startswith("--config="):
            files.append(Path(token.removeprefix("--config=")))
        else:
            rest.append(token)
    return rest, tuple(_config(file, commands) for file in files)


def _config(file: Path, commands: tuple[Command, ...]) -> Any:
    if not file.is_file():
        raise UsageError(f"--config {str(file)!r}: there is no such file; give a TOML or YAML file of flags")
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise UsageError(f"--config {file}: not UTF-8 text") from None
    if file.suffix in (".yaml", ".yml"):
        import yaml

        try:
            data = yaml.safe_load(text) or {}
        except yaml.YAMLError as problem:
            raise UsageError(f"--config {file}: not YAML ({' '.join(str(problem).split())})") from None
    else:
        import tomllib

        try:
            data = tomllib.loads(text)
        except tomllib.TOMLDecodeError as problem:
            raise UsageError(f"--config {file}: not TOML ({problem})") from None
    if not isinstance(data, dict):
        raise UsageError(f"--config {file}: give flags and their values, such as workers = 8")
    for command in commands:
        read = command.read(data, file) if command.read else None
        data = data if read is None else read
    flags = {normalised([f"--{name}"])[0].removeprefix("--"): value for name, value in data.items()}
    return cyclopts.config.Dict(flags, use_commands_as_keys=False, source=str(file))


def _usage(message: str) -> int:
    print(" ".join(message.split()), file=sys.stderr)
    return 2

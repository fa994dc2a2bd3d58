"""`python -m blocks.register --check` against the real recorded server, its replies and scripted failures."""

import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from blocks.check import Finding, check, table
from blocks.endpoint import ModelEndpoint
from tasks.models.loopback import listen, running
from tasks.models.recorded import serve
from tasks.models.recording import load
from tests.conftest import SMALL, Run
from tests.processes import recorded_server

KEY = "sk-planted-0123456789/secret"
HI = {"content": "Hello", "model": "good", "prompt_tokens": 1, "completion_tokens": 1}


def error(code: str, message: str) -> dict[str, Any]:
    return {"error": {"message": message, "type": code, "code": code}}


# What a model's one line of the recording says, and the kind of error that it is.
FAILURES: dict[str, tuple[dict[str, Any], str]] = {
    "spent": ({"status": 403, "body": error("AllocationQuota.FreeTierOnly", "free tier")}, "quota_exhausted"),
    "denied": ({"status": 403, "body": error("Model.AccessDenied", "not yours")}, "access_denied"),
    "gone": ({"status": 404, "body": error("model_not_found", "no such model")}, "access_denied"),
    "key": ({"status": 401, "body": error("invalid_api_key", f"Incorrect API key: {KEY}")}, "auth_failed"),
    "limited": ({"status": 429, "body": error("Throttling.RateQuota", "slow down")}, "rate_limited"),
    "proxy": ({"status": 502, "body": "<html><head><title>Bad gateway</title></head></html>"}, "transient"),
    "request": ({"status": 400, "body": error("invalid_parameter_error", "temperature is odd")}, "bad_request"),
    "filter": ({"status": 400, "body": error("data_inspection_failed", "no")}, "content_filtered"),
    "cut": ({"content": "a reply that is cut", "disconnect_after": 3}, "transient"),
    "login": ({"status": 200, "body": "<html><title>Sign in</title></html>"}, "transient"),
    "inside": ({"status": 200, "body": error("InternalError", "late trouble")}, "transient"),
    "empty": ({"status": 200, "body": ""}, "transient"),
}


@asynccontextmanager
async def recorded(folder: Path, *lines: dict[str, Any], api_key: str | None = None) -> AsyncIterator[str]:
    """Serve lines; yields the URL."""
    file = folder / "replies.jsonl"
    file.write_text("\n".join(map(json.dumps, lines)))
    async with serve(load(file), api_key=api_key) as server:
        yield server.url


@asynccontextmanager
async def answering(listing: Response, completion: Callable[[dict[str, Any]], Response]) -> AsyncIterator[str]:
    """A server with a `/models` of its own."""

    async def models(http: Request) -> Response:
        return listing

    async def complete(http: Request) -> Response:
        return completion(await http.json())

    routes = [Route("/v1/models", models), Route("/v1/chat/completions", complete, methods=["POST"])]
    with listen("127.0.0.1", 0) as listener:
        async with running(Starlette(routes=routes), listener):
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"


async def checked(url: str, model: str, **fields: Any) -> Finding:
    (finding,) = await check({"one": ModelEndpoint(base_url=url, model=model, **fields)})
    return finding


def reply(asked: dict[str, Any]) -> Response:
    return JSONResponse({"model": f"served-{asked['model']}", "choices": [{"message": {"content": "Hi"}}]})


async def test_an_endpoint_that_answers_fits(tmp_path: Path) -> None:
    async with recorded(tmp_path, HI) as url:
        finding = await checked(url, "good", context_window=4096)
    assert (finding.reachable, finding.served, finding.context_window) == (True, "good", 4096)
    assert finding.latency is not None
    assert finding.error is None


@pytest.mark.parametrize("what", FAILURES)
async def test_a_failure_is_classed_and_holds_no_key(tmp_path: Path, what: str) -> None:
    line, kind = FAILURES[what]
    async with recorded(tmp_path, {**line, "model": what}) as url:
        finding = await checked(url, what, provider="dashscope", api_key=KEY)
    assert finding.error is not None
    assert (finding.reachable, finding.served, finding.error.kind) == (True, None, kind)
    assert KEY not in table([finding])
    assert "Bearer" not in table([finding])


async def test_a_wrong_key(tmp_path: Path) -> None:
    async with recorded(tmp_path, HI, api_key="sk-the-right-one") as url:
        finding = await checked(url, "good", api_key=KEY)
    assert finding.error is not None
    assert finding.error.kind == "auth_failed"
    assert "***" in str(finding.error)
    assert KEY not in table([finding])


async def test_nobody_there() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
        finding = await checked(url, "good")
    assert finding.error is not None
    assert (finding.reachable, finding.latency, finding.error.kind) == (False, None, "transient")


async def test_a_server_that_hangs(tmp_path: Path) -> None:
    async with recorded(tmp_path, {**HI, "latency": 3600.0}) as url:
        finding = await checked(url, "good", timeout=0.5)
    assert finding.error is not None
    assert finding.reachable  # it listed its models
    assert (finding.latency, finding.error.kind) == (None, "transient")


@pytest.mark.parametrize("field", ["max_model_len", "context_length"])
async def test_the_context_window_of_the_listing_goes_first(field: str) -> None:
    listing = {"data": [{"id": "other", field: 1}, {"id": "m", field: 32768}]}
    async with answering(JSONResponse(listing), reply) as url:
        finding = await checked(url, "m", context_window=4096)
        assert (finding.served, finding.context_window) == ("served-m", 32768)
        assert (await checked(url, "unlisted", context_window=4096)).context_window == 4096
        assert (await checked(url, "unlisted")).context_window is None


@pytest.mark.parametrize(
    "listing",
    [Response(status_code=404), Response("not JSON"), JSONResponse([1]), JSONResponse({"data": 3})],
    ids=["none", "text", "list", "number"],
)
async def test_a_listing_is_not_needed(listing: Response) -> None:
    async with answering(listing, reply) as url:
        assert (await checked(url, "m")).error is None


async def test_a_server_that_only_streams_is_asked_for_a_stream(tmp_path: Path) -> None:
    refusal = {"status": 400, "body": error("invalid_parameter_error", "This model only support stream mode")}
    async with recorded(tmp_path, {**refusal, "model": "good"}, HI) as url:
        finding = await checked(url, "good", provider="dashscope")
    assert (finding.served, finding.error) == ("good", None)


async def test_a_model_that_counts_otherwise_is_asked_its_way() -> None:
    def particular(asked: dict[str, Any]) -> Response:
        if "max_tokens" in asked:
            wanted = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."
            return JSONResponse(error("unsupported_parameter", wanted), status_code=400)
        return reply(asked)

    async with answering(JSONResponse({"data": []}), particular) as url:
        assert (await checked(url, "m")).error is None


async def test_the_endpoints_own_parameters_are_sent() -> None:
    asked: list[dict[str, Any]] = []

    def keep(body: dict[str, Any]) -> Response:
        asked.append(body)
        return reply(body)

    async with answering(JSONResponse({"data": []}), keep) as url:
        await checked(url, "m", parameters={"enable_thinking": False})
    assert [(body["max_tokens"], body["enable_thinking"]) for body in asked] == [(1, False)]


async def test_several_keep_their_order(tmp_path: Path) -> None:
    names = [f"e{number}" for number in range(40)]
    async with recorded(tmp_path, HI) as url:
        findings = await check({name: ModelEndpoint(base_url=url, model="good") for name in names})
    assert [finding.name for finding in findings] == names
    lines = table(findings).splitlines()
    assert len(lines) == 41
    assert lines[0].split("  ")[0] == "endpoint"


def test_the_command_prints_a_table(flow: Run, tmp_path: Path) -> None:
    file = tmp_path / "replies.jsonl"
    lines = [HI, {**FAILURES["spent"][0], "model": "spent"}]
    file.write_text("\n".join(map(json.dumps, lines)))
    with recorded_server(file) as url, recorded_server(SMALL) as of_problems:
        blocks = tmp_path / "blocks.toml"
        blocks.write_text(f"""
[endpoints.check-good]
base_url = "{url}"
model = "good"
api_key_env = "PLANTED"
[endpoints.check-spent]
base_url = "{url}"
model = "spent"
provider = "dashscope"
api_key_env = "PLANTED"
[endpoints.check-recorded]
base_url = "{of_problems}"
model = "small"
[pools.check-both]
endpoints = ["check-good", "check-spent"]
start = "check-spent"
""")
        assert flow("-m", "blocks.register", blocks, PLANTED=KEY).returncode == 0
        good = flow("-m", "blocks.register", "--check", "check-good", "check-recorded")
        pool = flow("-m", "blocks.register", "--check", "check-both")
        everything = flow("-m", "blocks.register", "--check")
    assert good.returncode == 0, good.stderr
    assert [line.split()[0] for line in good.stdout.splitlines()] == ["endpoint", "check-good", "check-recorded"]
    assert "small (recorded)" in good.stdout  # it has replies for its own problems only
    assert pool.returncode == 1, pool.stderr
    spent, fit = pool.stdout.splitlines()[1:3]
    assert spent.split()[0] == "check-spent"
    assert spent.split()[-1] == "quota_exhausted"
    assert fit.split()[:3] == ["check-good", "yes", "good"]
    assert everything.returncode == 1
    assert "check-recorded" in everything.stdout
    assert not [each for each in (good, pool, everything) if KEY in each.stdout + each.stderr]


def test_the_command_names_what_is_not_saved(flow: Run) -> None:
    ended = flow("-m", "blocks.register", "--check", "nobody-saved-this")
    assert ended.returncode == 2
    assert len(ended.stderr.splitlines()) == 1
    assert "nobody-saved-this" in ended.stderr

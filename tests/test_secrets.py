"""A planted key, echoed by a server in its error bodies, appears nowhere afterwards."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Run, solving
from tests.processes import get, post

KEY = "sk-planted-9f8e7d6c5b4a-secret"

# Echoes what it was sent: 500 for the first problem, then 401. The last line it prints says what keys it saw.
SERVER = """
import json, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

seen = set()

class Echo(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path == "/seen":
            return self.answer(200, sorted(seen))
        self.answer(200, {"data": [{"id": "echo"}]})

    def do_POST(self):
        asked = self.rfile.read(int(self.headers["Content-Length"])).decode()
        key = self.headers["Authorization"]
        seen.add(key)
        if "lantern_code" in asked:
            return self.answer(500, {"error": {"message": f"no luck with {key}", "code": key}})
        self.answer(401, {"error": {"message": f"Incorrect API key provided: {key}", "code": "invalid_api_key"}})

    def answer(self, status, body):
        body = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
print(server.server_port, flush=True)
server.serve_forever()
"""


@pytest.fixture
def echo() -> Iterator[str]:
    """The URL of a server that quotes the key it was sent."""
    process = subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
    finally:
        process.kill()
        process.communicate()


def test_a_planted_key_appears_nowhere(
    flow: Run, echo: str, tmp_path: Path, environment: dict[str, str], prefect_home: Path
) -> None:
    blocks = tmp_path / "blocks.toml"
    blocks.write_text(
        f'[endpoints.echo]\nbase_url = "{echo}"\nmodel = "echo"\napi_key_env = "PLANTED"\ntries = 2\n'
        '[teams.echoes]\ndefault = "echo"\n'
    )
    registered = flow("-m", "blocks.register", blocks, PLANTED=KEY)
    assert registered.returncode == 0, registered.stderr
    output = tmp_path / "out"
    arguments = ["--strategy", "direct", "--limit", "3", "--sequential", "--verbose", "2"]
    by_block = flow(*solving(output, *arguments, model1="echo", large=False))
    by_url = flow(*solving(output, *arguments, model1=f"{echo}#echo", large=False), OPENAI_API_KEY=KEY)
    assert by_block.returncode == 2  # every endpoint refused its key
    assert "set the endpoint's key" in by_block.stderr
    assert by_url.returncode == 2
    assert get(f"{echo.removesuffix('/v1')}/seen") == [f"Bearer {KEY}"]

    said = [registered, by_block, by_url]
    assert not [each for each in said if KEY in each.stdout + each.stderr]
    written = [path for folder in (output, prefect_home) for path in folder.rglob("*") if path.is_file()]
    assert any(path.suffix == ".jsonl" for path in written)
    assert any(path.suffix == ".db" for path in written)
    assert not [path for path in written if KEY.encode() in path.read_bytes()]
    api = environment["PREFECT_API_URL"]
    for what in ("flow_runs", "task_runs", "logs", "artifacts", "block_documents", "events"):
        answer = str(post(f"{api}/{what}/filter", {}))
        assert answer != "[]"
        assert KEY not in answer, what

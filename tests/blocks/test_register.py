"""`python -m blocks.register` against a real Prefect server: TOML, pools, the environment, .env, what it refuses."""

from pathlib import Path
from typing import Any

import pytest

from tests.conftest import SMALL, Run, solving
from tests.processes import CHECKOUT, post, recorded_server
from tests.test_solve import summary_of


def test_blocks_from_toml_serve_a_run(flow: Run, tmp_path: Path) -> None:
    with recorded_server(SMALL) as url:
        file = tmp_path / "blocks.toml"
        file.write_text(f"""
[endpoints.tiny]
base_url = "{url}"
model = "small"
input_price = 1.0
output_price = 2.0

[teams.alone]
default = "tiny"
stages = {{ debugging = ["tiny", "tiny"] }}

[sandboxes.strict]
cpu_seconds = 2.0
""")
        for _ in range(2):  # registering twice changes nothing
            registered = flow("-m", "blocks.register", file)
            assert registered.returncode == 0, registered.stderr
            assert registered.stdout.splitlines() == ["ModelEndpoint tiny", "Team alone", "Sandbox strict"]
        arguments = [each for each in solving(tmp_path / "out", large=False) if "model1" not in str(each)]
        arguments.remove(f"recorded:{SMALL}")
        ended = flow(*arguments, "--team", "alone", "--sandbox", "strict", "--limit", "1", "--strategy", "direct")
    assert ended.returncode == 0, ended.stderr
    summary = summary_of(next((tmp_path / "out").glob("problems/direct/small/*/Run-1")))
    assert summary["api_calls"] == 1
    tokens = summary["prompt_tokens"], summary["completion_tokens"]
    assert summary["cost_usd"] == pytest.approx((tokens[0] + 2 * tokens[1]) / 1e6)


def test_a_dot_env_names_the_servers(flow: Run, tmp_path: Path) -> None:
    with recorded_server(SMALL) as url:
        (tmp_path / ".env").write_text(f'OPENAI_API_BASE="{url}"\nOPENAI_API_BASE_2={url}\nOPENAI_API_KEY=EMPTY\n')
        registered = flow("-m", "blocks.register", "--from-env", cwd=tmp_path)
        assert registered.returncode == 0, registered.stderr
        assert "ModelEndpoint model1" in registered.stdout
        assert "ModelEndpoint model2" in registered.stdout
        ended = flow(
            *solving(tmp_path / "out", "--limit", "1", "--strategy", "direct", model1="/path/to/small", large=False),
            cwd=tmp_path,
        )
    assert ended.returncode == 0, ended.stderr
    assert next((tmp_path / "out").glob("problems/direct/small/*/Run-1")).is_dir()


MODEL = 'base_url = "http://h/v1"\nmodel = "m"\n'


def documents(environment: dict[str, str], kind: str) -> dict[str, dict[str, Any]]:
    """The saved blocks of a kind, by name."""
    wanted = {"block_types": {"slug": {"any_": [kind]}}, "limit": 200}
    found = post(f"{environment['PREFECT_API_URL']}/block_documents/filter", wanted)
    return {each["name"]: each["data"] for each in found}


def test_pools_and_the_teams_that_name_them(flow: Run, environment: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "blocks.toml"
    file.write_text(f"""
[teams.pooled]
default = "pool-one"
stages = {{ debugging = ["pool-one", "pooled-b"] }}

[pools.pool-one]
endpoints = ["pooled-a", "pooled-b"]
start = "pooled-b"
policy = "round_robin"
reset = "after 1h"
on_exhausted = "stop"

[endpoints.pooled-a]
{MODEL}
[endpoints.pooled-b]
{MODEL}
""")
    saved = []
    for _ in range(2):
        registered = flow("-m", "blocks.register", file)
        assert registered.returncode == 0, registered.stderr
        assert "ModelPool pool-one" in registered.stdout.splitlines()
        saved.append(documents(environment, "consort-model-pool"))
    assert saved[0] == saved[1]
    assert saved[0]["pool-one"] == {
        "endpoints": ["pooled-a", "pooled-b"],
        "policy": "round_robin",
        "reset": "after 1h",
        "on_exhausted": "stop",
        "start": "pooled-b",
    }
    later = tmp_path / "later.toml"  # its endpoints are saved already
    later.write_text('[pools.pool-two]\nendpoints = ["pooled-b"]')
    assert flow("-m", "blocks.register", later).returncode == 0
    clashes = {
        f"[endpoints.pool-one]\n{MODEL}": "a pool of that name is saved",
        '[pools.pooled-a]\nendpoints = ["pooled-b"]': "an endpoint of that name is saved",
        '[pools.pool-three]\nendpoints = ["pooled-a", "pool-one"]': "'pool-one' is a pool; a pool names endpoints",
    }
    for text, said in clashes.items():
        later.write_text(text)
        ended = flow("-m", "blocks.register", later)
        assert ended.returncode == 2
        assert said in ended.stderr
    assert documents(environment, "consort-model-pool").keys() >= {"pool-one", "pool-two"}
    assert "pool-three" not in documents(environment, "consort-model-pool")


def test_the_example_of_fifteen_models_registers(flow: Run, environment: dict[str, str]) -> None:
    example = CHECKOUT / "deployments" / "models.example.toml"
    without = flow("-m", "blocks.register", example)
    assert without.returncode == 2
    assert "DASHSCOPE_API_KEY" in without.stderr
    registered = flow("-m", "blocks.register", example, DASHSCOPE_API_KEY="sk-dummy")
    assert registered.returncode == 0, registered.stderr
    assert len(registered.stdout.splitlines()) == 16
    pool = documents(environment, "consort-model-pool")["qwen"]
    assert len(pool["endpoints"]) == 15
    assert set(pool["endpoints"]) <= documents(environment, "consort-model-endpoint").keys()
    assert (pool["start"], pool["reset"]) == ("qwen3-coder-plus", "daily 00:00 Asia/Shanghai")


REFUSED = {
    "a key in the file": ('[endpoints.a]\nbase_url = "http://h/v1"\nmodel = "m"\napi_key = "sk-1"', "api_key_env"),
    "an unset variable": ('[endpoints.a]\nbase_url = "http://h/v1"\nmodel = "m"\napi_key_env = "NOT_SET"', "NOT_SET"),
    "an unknown field": ('[endpoints.a]\nbase_url = "http://h/v1"\nmodle = "m"', "modle"),
    "a missing field": ('[endpoints.a]\nmodel = "m"', "base_url"),
    "a URL that is none": ('[endpoints.a]\nbase_url = "h/v1"\nmodel = "m"', "not an http(s) URL"),
    "a name against the rule": ('[endpoints.Big_One]\nbase_url = "http://h/v1"\nmodel = "m"', "Big_One"),
    "a name twice": ('[endpoints.a]\nbase_url = "http://h/v1"\nmodel = "m"\n[teams.a]\ndefault = "a"', "teams.a"),
    "an unknown section": ('[engines.a]\nmodel = "m"', "engines"),
    "no TOML": ("[endpoints", "not TOML"),
    "a pool's name against the rule": ('[pools.my_pool]\nendpoints = ["a"]', "lower-case letters, digits"),
    "a pool and an endpoint of one name": (f'[endpoints.a]\n{MODEL}[pools.a]\nendpoints = ["a"]', "pools.a"),
    "a pool of unknown endpoints": ('[pools.p]\nendpoints = ["nobody-knows-it"]', "nobody-knows-it"),
    "a pool of nothing": ("[pools.p]\nendpoints = []", "endpoints"),
    "a pool that starts elsewhere": (f'[endpoints.a]\n{MODEL}[pools.p]\nendpoints = ["a"]\nstart = "b"', "start 'b'"),
    "a policy that is none": (f'[endpoints.a]\n{MODEL}[pools.p]\nendpoints = ["a"]\npolicy = "best"', "policy"),
    "a reset that is none": (f'[endpoints.a]\n{MODEL}[pools.p]\nendpoints = ["a"]\nreset = "noon"', "reset 'noon'"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_file_at_fault_is_refused_in_one_line(flow: Run, tmp_path: Path, what: str) -> None:
    text, named = REFUSED[what]
    file = tmp_path / "blocks.toml"
    file.write_text(text)
    ended = flow("-m", "blocks.register", file)
    assert ended.returncode == 2, ended.stdout
    assert len(ended.stderr.splitlines()) == 1
    assert str(file) in ended.stderr
    assert named in ended.stderr


def test_it_wants_a_file_or_the_environment(flow: Run) -> None:
    ended = flow("-m", "blocks.register")
    assert ended.returncode == 2
    assert "--from-env" in ended.stderr

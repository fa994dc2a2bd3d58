"""sactor.toml and config.yaml of other tools become a TOML file that registers, and no key is in it."""

import os
import stat
import tomllib
from pathlib import Path
from typing import Any

import pytest

from blocks.descriptions import blocks_of
from blocks.errors import UsageError
from blocks.import_configs import text_of, write
from blocks.import_hybridflow import from_hybridflow
from blocks.import_sactor import from_sactor
from tests.conftest import Run
from tests.processes import CHECKOUT

KEY = "sk-0123456789abcdef0123456789abcdef"
OTHER = "sk-fedcba9876543210fedcba9876543210"
BEIJING = "https://dashscope.aliyuncs.com/compatible-mode/v1"
MODELS = tomllib.loads((CHECKOUT / "deployments" / "models.example.toml").read_text())["pools"]["qwen"]["endpoints"]

QWEN = f"""
[general]
llm = "Qwen"   # one of the sections below
system_message = '''
# available models: not-a-model-1
[Nobody]
'''

[OpenAI]
api_key = "your-api-key"
model = "gpt-4o" # change this to your own model
# temperature = 1 # Uncomment this line if you want to set a temperature
# organization = "your-organization" # uncomment this line if you are using an organization
# base_url = "https://api.openai.com/v1" # uncomment this line if you are using a custom base url

[Qwen]
base_url = "{BEIJING}"
api_key = "{KEY}"
# api_key = "{OTHER}"
# {OTHER}
model = "qwen3-coder-plus"  # 可选模型见下方
max_tokens = 8192           # maximum
# temperature = 1  # 可选
# see https://help.example.com/model-studio/models
LISTED
[Qwen.more]
# qwen-of-another-table-1

[test_generator]
max_attempts = 6
"""

LISTS = {
    "an array": "available_models = [\n" + "".join(f'  "{model}",  # one\n' for model in MODELS) + "]",
    "one line": "# available models: " + ", ".join(MODELS),
    "one line in Chinese": "# 可用模型：" + "，".join(MODELS),
    "bullets": "# Available models:\n" + "".join(f"# - {model}\n" for model in MODELS),
    "numbers": "# 可用模型列表\n" + "".join(f"# {at}. {model} ⭐ (默认)\n" for at, model in enumerate(MODELS, 1)),
    "a list that is switched off": "# models = [\n" + "".join(f'#   "{model}",\n' for model in MODELS) + "# ]",
    "names alone": "# " + ", ".join(MODELS[:7]) + "\n# " + ", ".join(MODELS[7:]),
    "one a line": "".join(f"# {model}\n" for model in MODELS),
    "settings that are switched off": "".join(f'# model = "{model}"  # or this\n' for model in MODELS),
    "beside the model": 'other = "x"  # ' + " ".join(MODELS),
}


def read(text: str) -> dict[str, Any]:
    """What comes of a sactor.toml, as TOML is parsed."""
    return tomllib.loads(text_of(from_sactor(text, "sactor.toml", {}), "sactor.toml"))


@pytest.mark.parametrize("how", LISTS)
def test_the_models_that_a_section_lists_are_a_pool(how: str) -> None:
    text = text_of(from_sactor(QWEN.replace("LISTED", LISTS[how]), "sactor.toml", {}), "sactor.toml")
    made = tomllib.loads(text)
    assert list(made["endpoints"]) == MODELS
    assert made["pools"] == {
        "qwen": {
            "endpoints": MODELS,
            "policy": "failover",
            "start": "qwen3-coder-plus",
            "reset": "daily 00:00 Asia/Shanghai",
        }
    }
    for name, fields in made["endpoints"].items():
        assert fields == {"base_url": BEIJING, "model": name, "api_key_env": "DASHSCOPE_API_KEY"}
    assert KEY not in text
    assert OTHER not in text
    assert "Set DASHSCOPE_API_KEY first" in text


def test_a_section_without_a_list_is_a_pool_of_one() -> None:
    made = read(QWEN.replace("LISTED", ""))
    assert list(made["endpoints"]) == ["qwen3-coder-plus"]
    assert made["pools"]["qwen"]["endpoints"] == ["qwen3-coder-plus"]


def test_a_model_in_use_that_the_list_lacks_comes_first() -> None:
    made = read(QWEN.replace("LISTED", "# available models: qwen-plus, qwen3-max"))
    assert made["pools"]["qwen"]["endpoints"] == ["qwen3-coder-plus", "qwen-plus", "qwen3-max"]


def test_any_providers_section() -> None:
    made = read(f"""
[AzureOpenAI]
api_key = "{KEY}"
endpoint = "https://mine.openai.azure.com/"
model = "gpt-4o"
[OpenAI]
api_key = "{OTHER}"
model = "gpt-4o"
[DeepSeek]
base_url = "https://api.deepseek.com"
api_key = "os.environ/MY_KEY"
model = "deepseek-chat"
[Ollama]
host = "http://127.0.0.1:11434"
model = "llama3.3"
[Unknown]
api_key = "{KEY}"
model = "mystery"
""")
    assert {name: fields["base_url"] for name, fields in made["endpoints"].items()} == {
        "gpt-4o": "https://mine.openai.azure.com/openai/v1",
        "openai-gpt-4o": "https://api.openai.com/v1",
        "deepseek-chat": "https://api.deepseek.com",
        "llama3-3": "http://127.0.0.1:11434/v1",
    }
    keys = [fields.get("api_key_env") for fields in made["endpoints"].values()]
    assert keys == ["AZURE_API_KEY", "OPENAI_API_KEY", "MY_KEY", None]
    assert list(made["pools"]) == ["azureopenai", "openai", "deepseek", "ollama"]


LITELLM = f"""
[general]
model = "fast"
[litellm.router_settings]
routing_strategy = "simple-shuffle"
[[litellm.model_list]]
model_name = "fast"
[litellm.model_list.litellm_params]
model = "openai/gpt-4o-mini"
api_key = "os.environ/OPENAI_API_KEY"
rpm = 500
input_cost_per_token = 1.5e-7
output_cost_per_token = 6e-7
[[litellm.model_list]]
model_name = "own"
litellm_params = {{ model = "hosted_vllm/Qwen/Qwen3-8B", api_base = "http://127.0.0.1:8000/v1" }}
[[litellm.model_list]]
model_name = "own"
litellm_params = {{ model = "hosted_vllm/Qwen/Qwen3-8B", api_base = "http://10.0.0.2:8000/v1", api_key = "{KEY}" }}
[[litellm.model_list]]
model_name = "own"
litellm_params = {{ model = "openai/Qwen/Qwen3-8B", api_base = "http://10.0.0.3:8000/v1", api_key = "{OTHER}" }}
[[litellm.model_list]]
model_name = "azure"
litellm_params = {{ model = "azure/deployed", api_key = "os.environ/AZ_KEY", api_base = "os.environ/AZ_BASE" }}
[[litellm.model_list]]
model_name = "elsewhere"
litellm_params = {{ model = "bedrock/claude" }}
"""


def test_a_litellm_model_list() -> None:
    imported = from_sactor(LITELLM, "sactor.toml", {"AZ_BASE": "https://mine.openai.azure.com"})
    text = text_of(imported, "sactor.toml")
    made = tomllib.loads(text)
    assert made["endpoints"]["fast"] == {
        "base_url": "https://api.openai.com/v1",
        "model": "gpt-4o-mini",
        "rpm": 500,
        "input_price": 0.15,
        "output_price": 0.6,
        "api_key_env": "OPENAI_API_KEY",
    }
    assert made["endpoints"]["own-1"] == {"base_url": "http://127.0.0.1:8000/v1", "model": "Qwen/Qwen3-8B"}
    # Two keys that stand in the file are not the one that OPENAI_API_KEY holds.
    assert made["endpoints"]["own-2"]["api_key_env"] == "OPENAI_API_KEY_2"
    assert made["endpoints"]["own-3"]["api_key_env"] == "OPENAI_API_KEY_3"
    assert made["endpoints"]["azure"]["base_url"] == "https://mine.openai.azure.com/openai/v1"
    assert made["pools"]["own"] == {"endpoints": ["own-1", "own-2", "own-3"], "policy": "round_robin"}
    members = ["fast", "own-1", "own-2", "own-3", "azure"]
    assert made["pools"]["litellm"] == {"endpoints": members, "policy": "failover", "start": "fast"}
    assert "elsewhere is left out" in text
    assert KEY not in text
    assert OTHER not in text


def test_litellms_own_file() -> None:
    text = "model_list:\n- model_name: a\n  litellm_params: {model: dashscope/qwen-plus, api_key: os.environ/K}\n"
    made = tomllib.loads(text_of(from_sactor(text, "config.yaml", {}), "config.yaml"))
    assert made["endpoints"]["a"] == {
        "base_url": "https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
        "model": "qwen-plus",
        "api_key_env": "K",
    }


HYBRIDFLOW = """
models:
  small_model: "qwen2.5-3b-instruct"
  large_model: "gpt-4o"
  router_model: "qwen3-1.7b"
  use_local_router: LOCAL
  local_router_model: "saves/Qwen3-1.7B/sft"
  executor: {enable_thinking: False}
api:
  small_key_path: "usage/qwen"
  large_key_path: "usage/large"
  router_key_path: "usage/qwen"
  small_api_base_url: "https://dashscope.aliyuncs.com/compatible-mode/v1"
  large_api_base_url: "https://api.example.com/v1"
  router_api_base_url: "https://dashscope.aliyuncs.com/compatible-mode/v1"
  local_router_base_url: "http://127.0.0.1:8000/v1"
timeout: 1000
evaluation: {enabled: False, model: "deepseek-chat", key_path: "usage/judge", api_base_url: "https://api.deepseek.com"}
"""


@pytest.mark.parametrize("local", [True, False])
def test_hybridflow(tmp_path: Path, local: bool) -> None:
    (tmp_path / "usage").mkdir()
    (tmp_path / "usage" / "qwen").write_text(KEY)
    imported = from_hybridflow(HYBRIDFLOW.replace("LOCAL", str(local)), "config.yaml", tmp_path)
    text = text_of(imported, "config.yaml")
    made = tomllib.loads(text)
    assert {name: fields["model"] for name, fields in made["endpoints"].items()} == {
        "small": "qwen2.5-3b-instruct",
        "large": "gpt-4o",
        "planner": "saves/Qwen3-1.7B/sft" if local else "qwen3-1.7b",
        "judge": "deepseek-chat",
    }
    assert made["endpoints"]["small"] == {
        "base_url": BEIJING,
        "model": "qwen2.5-3b-instruct",
        "timeout": 1000.0,
        "parameters": {"enable_thinking": False},
        "api_key_file": str(tmp_path / "usage" / "qwen"),
    }
    assert made["endpoints"]["planner"].get("api_key_file") == (None if local else str(tmp_path / "usage" / "qwen"))
    assert "usage/judge is not there yet" in text.replace(os.sep, "/")
    assert KEY not in text


def test_hybridflow_with_lists_of_models(tmp_path: Path) -> None:
    text = HYBRIDFLOW.replace('"gpt-4o"', '["gpt-4o", "gpt-4.1"]').replace('router_model: "qwen3-1.7b"', "a: 1")
    made = tomllib.loads(text_of(from_hybridflow(text.replace("LOCAL", "False"), "c.yaml", tmp_path), "c.yaml"))
    assert made["pools"] == {"large": {"endpoints": ["large-gpt-4o", "large-gpt-4-1"], "policy": "failover"}}
    assert made["endpoints"]["planner"]["model"] == "qwen2.5-3b-instruct"  # as HybridFlow does without a router


def test_keys_go_into_files_of_their_own(tmp_path: Path) -> None:
    imported = from_sactor(QWEN.replace("LISTED", LISTS["one line"]), "sactor.toml", {})
    file = tmp_path / "models.toml"
    for _ in range(2):  # the same again is no harm
        written = write(imported, "sactor.toml", file, key_files=True)
    key = tmp_path / "DASHSCOPE_API_KEY.key"
    assert written == [key, file]
    assert key.read_text() == f"{KEY}\n"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert KEY not in file.read_text()
    made = blocks_of(file.read_text(), str(file))
    assert [name for name in made if name != "qwen"] == MODELS
    assert {made[name].key for name in MODELS} == {KEY}  # type: ignore[attr-defined]


@pytest.mark.parametrize("kept", ["models.toml", "DASHSCOPE_API_KEY.key"])
def test_nothing_is_overwritten(tmp_path: Path, kept: str) -> None:
    (tmp_path / kept).write_text("mine")
    imported = from_sactor(QWEN.replace("LISTED", ""), "sactor.toml", {})
    with pytest.raises(UsageError, match=kept):
        write(imported, "sactor.toml", tmp_path / "models.toml", key_files=True)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [(kept, "mine")]


AT_FAULT = {
    "no TOML": (f'[Qwen]\napi_key = "{KEY}', "not TOML"),
    "no model": ("[general]\nllm = 'Qwen'", "no endpoint comes of it"),
    "no URL": (f"[Mine]\nmodel = 'm'\napi_key = '{KEY}'", "has no base_url"),
    "a URL that is none": (f"[Mine]\nmodel = 'm'\nbase_url = 'h/v1'\napi_key = '{KEY}'", "not an http(s) URL"),
}


@pytest.mark.parametrize("what", AT_FAULT)
def test_a_file_at_fault_is_refused(what: str) -> None:
    text, said = AT_FAULT[what]
    with pytest.raises(UsageError) as refused:
        text_of(from_sactor(text, "sactor.toml", {}), "sactor.toml")
    assert said in str(refused.value)
    assert KEY not in str(refused.value)


def test_yaml_at_fault_is_refused_without_its_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="line 1") as refused:
        from_hybridflow(f'api: {{small_api_key: "{KEY}}}', "config.yaml", tmp_path)
    assert KEY not in str(refused.value)
    with pytest.raises(UsageError, match="no mapping"):
        from_hybridflow("- a", "config.yaml", tmp_path)


def test_the_command(flow: Run, tmp_path: Path) -> None:
    source, made = tmp_path / "sactor.toml", tmp_path / "models.toml"
    source.write_text(QWEN.replace("LISTED", LISTS["bullets"]))
    printed = flow("-m", "blocks.register", "--from-sactor", source)
    assert printed.returncode == 0, printed.stderr
    assert list(tomllib.loads(printed.stdout)["endpoints"]) == MODELS
    written = flow("-m", "blocks.register", "--from-sactor", source, "--write", made, "--key-files")
    assert written.returncode == 0, written.stderr
    assert f"wrote {made}" in written.stdout
    config = tmp_path / "config.yaml"
    config.write_text(HYBRIDFLOW.replace("LOCAL", "True"))
    hybrid = flow("-m", "blocks.register", "--from-hybridflow", config)
    assert list(tomllib.loads(hybrid.stdout)["endpoints"]) == ["small", "large", "planner", "judge"]
    assert not [each for each in (printed, written, hybrid) if KEY in each.stdout + each.stderr]
    alone = flow("-m", "blocks.register", "--from-sactor", source, "--key-files")
    assert (alone.returncode, "--write" in alone.stderr) == (2, True)
    both = flow("-m", "blocks.register", "--from-sactor", source, "--from-hybridflow", config)
    assert both.returncode == 2

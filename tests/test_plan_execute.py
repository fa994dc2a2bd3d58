"""`flows/plan_execute.py` and `flows/single_model.py` as users run them: samples, real questions, kills."""

import json
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.conftest import Run, Start
from tests.plans.recordings import Recorded, plan, record, recorded, reply
from tests.processes import CHECKOUT, get, heed_interrupts, post, recorded_server, stats, until
from tests.test_rotation_flow import register
from tests.test_solve import CHANGING, kill_when, size_of, summary_of

FLOW = CHECKOUT / "flows" / "plan_execute.py"
BASELINE = CHECKOUT / "flows" / "single_model.py"
SAMPLES = CHECKOUT / "data" / "questions.jsonl"
MODELS = "planner+small+large"
LETTERS = "ABCD"
DIAMOND = ((1, 2, ()), (2, 3, (1,)), (3, 6, (1,)), (4, 3, (2, 3)))


def asked(output: Path, query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(output / "consort.duckdb"), read_only=True) as store:
        return store.execute(query).fetchall()


def results_of(run: Path) -> list[dict[str, Any]]:
    loaded: list[dict[str, Any]] = json.loads((run / "dataset_results.json").read_text())
    return loaded


@pytest.fixture
def query(tmp_path: Path) -> Recorded:
    """Replies for a question of the command line, by a plan with two branches."""
    files = recorded(tmp_path / "replies", [("query", "42")])
    record(files.planner, [reply("query", "planning", plan(DIAMOND))])
    return files


@pytest.fixture(scope="module")
def real(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Recorded]:
    """The real questions, with replies that are right for all but every fifth."""
    file = data / "mmlu_stem_300.json"
    rows = json.loads(file.read_text())
    answers = [
        (str(number), f"The answer is ({LETTERS[(row['answer_id'] + (number % 5 == 0)) % 4]})")
        for number, row in enumerate(rows, start=1)
    ]
    return file, recorded(tmp_path_factory.mktemp("real"), answers)


# Without any configuration


def test_without_a_flag_a_sample_question_is_answered(flow: Run, tmp_path: Path) -> None:
    ended = flow(FLOW, "--output", tmp_path)
    assert ended.returncode == 0, ended.stderr
    run = tmp_path / "plan_execute" / "single" / MODELS / "Run-1"
    assert {"report.md", "result.json", "plan.xml", "summary.json"} <= {path.name for path in run.iterdir()}
    assert summary_of(run)["recorded"] is True
    assert "ecorded" in (run / "report.md").read_text()
    assert json.loads((run / "result.json").read_text())["correct"] is True
    assert "In theory" in (run / "gantt.svg").read_text()
    baseline = flow(BASELINE, "--output", tmp_path)
    assert baseline.returncode == 0, baseline.stderr
    (folder,) = (tmp_path / "single_model" / "single").glob("*/Run-1")
    assert summary_of(folder)["recorded"] is True


def test_the_sample_questions_beside_their_baseline(flow: Run, tmp_path: Path) -> None:
    baseline = flow(BASELINE, "--dataset", SAMPLES, "--output", tmp_path)
    assert baseline.returncode == 0, baseline.stderr
    ended = flow(FLOW, "--dataset", SAMPLES, "--output", tmp_path)
    assert ended.returncode == 0, ended.stderr
    run = tmp_path / "plan_execute" / "dataset" / "questions" / MODELS / "Run-1"
    results = results_of(run)
    count = len(SAMPLES.read_text().splitlines())
    assert len(results) == count >= 8
    assert {each["fallback"] for each in results} == {None, "direct"}
    assert any(each["repairs"] for each in results)
    assert any(step["escalated"] for each in results for step in each["steps"])
    assert sum(each["correct"] is True for each in results) >= count - 2
    assert sum(each["decided_by"] is None for each in results) <= 1
    report = (run / "dataset_report.md").read_text()
    for said in ("verage steps", "ompression", "oken budget", "recorded", "large"):
        assert said in report, said
    tasks = flow("flows/report.py", "tasks", run / "dataset_results.json", "--threshold", "5")
    assert tasks.returncode == 0, tasks.stderr
    assert "small" in tasks.stdout


# One question


def test_a_question_alone_shows_its_steps_with_their_edges(
    flow: Run, tmp_path: Path, query: Recorded, environment: dict[str, str]
) -> None:
    ended = flow(FLOW, "--query", "What is it?", *query.flags(), "--output", tmp_path)
    assert ended.returncode == 0, ended.stderr
    api = environment["PREFECT_API_URL"]
    (run_row,) = asked(tmp_path, "SELECT flow_run_id FROM executions")
    found = post(f"{api}/task_runs/filter", {"flow_runs": {"id": {"any_": [run_row[0]]}}, "limit": 50})
    by_id = {each["id"]: each for each in found}
    names = {each["name"].split(":")[0]: each for each in found}
    assert names.keys() == {"planning", "step 1", "step 2", "step 3", "step 4", "aggregation"}
    edges = {
        name: {
            by_id[before["id"]]["name"].split(":")[0]
            for before in each["task_inputs"].get("wait_for", [])
            if before["input_type"] == "task_run"
        }
        for name, each in names.items()
    }
    assert edges == {
        "planning": set(),
        "step 1": set(),
        "step 2": {"step 1"},
        "step 3": {"step 1"},
        "step 4": {"step 2", "step 3"},
        "aggregation": {"step 1", "step 2", "step 3", "step 4"},
    }
    assert all(each["state_type"] == "COMPLETED" for each in found)
    drawn = dict(get(f"{api}/flow_runs/{run_row[0]}/graph-v2")["nodes"])
    parents = {
        node["label"].split(":")[0]: {drawn[parent["id"]]["label"].split(":")[0] for parent in node["parents"]}
        for node in drawn.values()
    }
    assert parents == edges  # what the UI draws
    again = flow(FLOW, "--query", "What is it?", *query.flags(), "--output", tmp_path)
    assert again.returncode == 0, again.stderr
    summary = summary_of(tmp_path / "plan_execute" / "single" / MODELS / "Run-1")
    assert summary["cached_calls"] == summary["api_calls"] == 6


def test_two_questions_are_two_runs(flow: Run, tmp_path: Path, query: Recorded) -> None:
    for text in ("What is it?", "And what is that?"):
        assert flow(FLOW, "--query", text, *query.flags(), "--output", tmp_path).returncode == 0
    parent = tmp_path / "plan_execute" / "single" / MODELS
    assert sorted(path.name for path in parent.iterdir()) == ["Run-1", "Run-2"]


# Real questions


def test_killed_twice_the_real_questions_end_as_if_they_had_not(
    flow: Run, real: tuple[Path, Recorded], tmp_path: Path, started: Start
) -> None:
    file, replies = real
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    run = Path("plan_execute/dataset/mmlu_stem_300") / MODELS / "Run-1"
    ended = flow(FLOW, "--dataset", file, *replies.flags(), "--output", whole)
    assert ended.returncode == 0, ended.stderr
    command = [FLOW, "--dataset", file, *replies.flags(), "--output", cut]
    moments = random.Random(7)
    for _ in range(2):
        spool = cut / ".consort" / "spool"
        kill_when(started(*command), spool, size_of(spool) + moments.randrange(200_000, 700_000))
    ended = flow(*command)
    assert ended.returncode == 0, ended.stderr
    assert [_untimed(each) for each in results_of(cut / run)] == [_untimed(each) for each in results_of(whole / run)]
    results = results_of(cut / run)
    assert sum(each["correct"] is True for each in results) == 240
    different = {name for name, value in summary_of(cut / run).items() if value != summary_of(whole / run)[name]}
    assert different <= CHANGING | {"run_id", "generation_seconds", "evaluation_seconds", "started_at"}
    (calls,) = asked(cut, "SELECT count(*), count(DISTINCT call_key) FROM calls")
    assert calls[0] == calls[1] == summary_of(whole / run)["api_calls"]


def _untimed(entry: dict[str, Any]) -> dict[str, Any]:
    """What an entry says but for times."""
    step = ("id", "task", "difficulty", "token_budget", "depends_on", "model", "size", "escalated", "result")
    kept = (
        "problem_id", "fallback", "repairs", "failed_steps", "prediction", "correct", "decided_by", "critical_path",
        "compression_ratio",
    )  # fmt: skip
    steps = [{name: each[name] for name in step} for each in entry["steps"]]
    return {**{name: entry[name] for name in kept}, "steps": steps}


def test_a_limit_takes_a_sample_and_a_larger_one_adds_to_it(
    flow: Run, real: tuple[Path, Recorded], tmp_path: Path
) -> None:
    file, replies = real
    command = [FLOW, "--dataset", file, *replies.flags(), "--output", tmp_path]
    run = tmp_path / "plan_execute/dataset/mmlu_stem_300" / MODELS / "Run-1"
    assert flow(*command, "--limit", "5").returncode == 0
    first = [each["problem_id"] for each in results_of(run)]
    assert flow(*command, "--limit", "12").returncode == 0
    second = [each["problem_id"] for each in results_of(run)]
    assert (len(first), len(second)) == (5, 12)
    assert set(first) < set(second)
    assert first != ["1", "2", "3", "4", "5"]
    summary = summary_of(run)
    assert 0 < summary["cached_calls"] < summary["api_calls"]


def test_ctrl_c_says_how_to_resume(real: tuple[Path, Recorded], tmp_path: Path, environment: dict[str, str]) -> None:
    file, replies = real
    with recorded_server(replies.small, "--latency", "0.2") as small:
        models = ["--planner", f"recorded:{replies.planner}", "--small", f"{small}#small",
                  "--large", f"recorded:{replies.large}"]  # fmt: skip
        command = [FLOW, "--dataset", file, *models, "--output", tmp_path]
        process = subprocess.Popen(
            [sys.executable, *map(str, command)],
            env=environment, cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            preexec_fn=heed_interrupts,
        )  # fmt: skip
        until(lambda: bool(stats(small)["total_replies"] > 20), 60)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said.strip().splitlines()[-1].startswith("interrupted; resume with: python ")


# Pools


def test_a_pool_as_planner_rotates(flow: Run, tmp_path: Path, environment: dict[str, str]) -> None:
    questions = tmp_path / "six.jsonl"
    questions.write_text("".join(json.dumps({"problem": f"What is {n}?", "answer": "42"}) + "\n" for n in range(6)))
    replies = recorded(tmp_path / "replies", [(str(n), "42") for n in range(1, 7)])
    unnamed = [json.loads(line) for line in replies.planner.read_text().splitlines()]
    lines = [{"quota": {"one": 2, "two": 9}}, *({**each, "model": None} for each in unnamed)]
    pool = tmp_path / "pool.jsonl"
    pool.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with recorded_server(pool) as url:
        register(flow, tmp_path, "planners", url, ["one", "two"])
        ended = flow(
            FLOW, "--dataset", questions, *replies.flags()[2:], "--planner", "planners", "--output", tmp_path / "out",
            "--questions", "2",
        )  # fmt: skip
        served = stats(url)
    assert ended.returncode == 0, ended.stderr
    assert served["replies"] == {"one": 2, "two": 4}
    summary = summary_of(tmp_path / "out/plan_execute/dataset/six/planners+small+large/Run-1")
    assert (summary["solved"], summary["errors"]) == (6, 0)
    assert asked(tmp_path / "out", "SELECT event FROM model_events") == [("exhausted",)]


# Configuration files


CONFIG = """
models: {{small_model: small, large_model: large, router_model: planner, enable_threshold: True, threshold: 3,
         use_local_router: False}}
api:
  small_key_path: usage/key
  large_key_path: usage/key
  router_key_path: usage/key
  small_api_base_url: "{small}"
  large_api_base_url: "{large}"
  router_api_base_url: "{planner}"
system: {{workers: 3}}
query: "What is it?"
dataset:
  enabled: {enabled}
  path: "six.jsonl"
  limit: 4
  build: {{enabled: False}}
evaluation: {{enabled: False}}
"""


def test_a_configuration_file_of_hybridflow_runs(flow: Run, tmp_path: Path) -> None:
    (tmp_path / "six.jsonl").write_text(
        "".join(json.dumps({"problem": f"What is {n}?", "answer": "42"}) + "\n" for n in range(6))
    )
    replies = recorded(tmp_path / "replies", [*((str(n), "42") for n in range(1, 7)), ("query", "42")])
    (tmp_path / "usage").mkdir()
    (tmp_path / "usage" / "key").write_text("sk-not-a-real-key\n")
    config = tmp_path / "config.yaml"
    with (
        recorded_server(replies.planner) as planner,
        recorded_server(replies.small) as small,
        recorded_server(replies.large) as large,
    ):
        config.write_text(CONFIG.format(planner=planner, small=small, large=large, enabled="True"))
        made = flow("-m", "blocks.register", "--from-hybridflow", config, "--write", tmp_path / "models.toml")
        assert made.returncode == 0, made.stderr
        saved = flow("-m", "blocks.register", tmp_path / "models.toml")
        assert saved.returncode == 0, saved.stderr
        ended = flow(FLOW, "--config", config, "--output", tmp_path / "out")
        assert ended.returncode == 0, ended.stderr
        results = results_of(tmp_path / "out/plan_execute/dataset/six" / MODELS / "Run-1")
        assert len(results) == 4
        sizes = {step["difficulty"] >= 3: step["size"] for each in results for step in each["steps"]}
        assert sizes == {True: "large", False: "small"}
        config.write_text(CONFIG.format(planner=planner, small=small, large=large, enabled="False"))
        ended = flow(FLOW, "--config", config, "--output", tmp_path / "out", "--threshold", "10")
        assert ended.returncode == 0, ended.stderr
        result = json.loads((tmp_path / "out/plan_execute/single" / MODELS / "Run-1/result.json").read_text())
        assert {step["size"] for step in result["steps"]} == {"small"}
        ended = flow(BASELINE, "--config", config, "--output", tmp_path / "out")
        assert ended.returncode == 0, ended.stderr
        assert (tmp_path / "out/single_model/single/large/Run-1/summary.json").exists()


# Bad input


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--query", " "], "--query"),
        (["--query", "x", "--dataset", "y"], "one of them"),
        (["--query", "x"], "--large"),
        (["--query", "x", "--large", "http://127.0.0.1:9/v1#m"], "--small"),
        (["--threshold", "11"], "--threshold 11"),
        (["--threshold", "-1"], "--threshold -1"),
        (["--threshold", "nan"], "--threshold nan"),
        (["--workers", "0"], "--workers 0"),
        (["--questions", "0"], "--questions 0"),
        (["--timeout", "0"], "--timeout 0"),
        (["--router", "best"], "--router"),
        (["--limit", "0"], "--limit 0"),
        (["--dataset", "no/such.jsonl", "--small", "{down}", "--large", "{down}"], "no/such.jsonl"),
        (["--dataset", "{rows}"], "row 2: no `problem`"),
        (["--query", "x", "--small", "{down}", "--large", "{down}"], "127.0.0.1:9"),
        (["--small", "recorded:nowhere.jsonl", "--large", "{down}", "--query", "x"], "nowhere.jsonl"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(
    flow: Run, tmp_path: Path, arguments: list[str], named: str
) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"problem": "a", "answer": "b"}\n{"question": "c"}\n')
    given = [each.format(rows=rows, down="http://127.0.0.1:9/v1#m") for each in arguments]
    if "{rows}" in arguments:
        given += ["--small", "http://127.0.0.1:9/v1#m", "--large", "http://127.0.0.1:9/v1#m"]
    output = tmp_path / "out"
    ended = flow(FLOW, *given, "--output", output)
    assert ended.returncode == 2, ended.stderr
    assert len(ended.stderr.splitlines()) == 1, ended.stderr
    assert named in ended.stderr
    assert not output.exists()

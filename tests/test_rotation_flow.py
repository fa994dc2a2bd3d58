"""Rotation as users see it: runs over pools whose models run out, in the UI's API, the store, and on the terminal."""

import json
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.benchmarks.throughput import write_inputs
from tests.conftest import Run, solving
from tests.processes import CHECKOUT, post, recorded_server, stats, until
from tests.test_resume import CHANCE, RIGHT, ROW, replies, write
from tests.test_solve import summary_of


def register(flow: Run, folder: Path, name: str, url: str, models: list[str], **rules: object) -> None:
    """Save a pool and its endpoints, which have the pool's name before their model's."""
    lines = [
        f'[endpoints.{name}-{each}]\nbase_url = "{url}"\nmodel = "{each}"\nprovider = "dashscope"' for each in models
    ]
    rules = {"endpoints": [f"{name}-{each}" for each in models], **rules}
    lines += [f"[pools.{name}]", *(f"{field} = {json.dumps(value)}" for field, value in rules.items())]
    path = folder / f"{name}.toml"
    path.write_text("\n".join(lines))
    ended = flow("-m", "blocks.register", path)
    assert ended.returncode == 0, ended.stderr


def inputs(folder: Path, problems: int, quota: dict[str, int]) -> tuple[Path, Path]:
    """A dataset, and replies of models that give out."""
    dataset, file = write_inputs(folder, problems)
    file.write_text(json.dumps({"quota": quota}) + "\n" + file.read_text())
    return dataset, file


def task_runs(environment: dict[str, str], name: str) -> list[dict[str, Any]]:
    """The task runs of the flow runs of that name."""
    api = environment["PREFECT_API_URL"]
    flows = post(f"{api}/flow_runs/filter", {"flow_runs": {"name": {"any_": [name]}}})
    found: list[dict[str, Any]] = post(
        f"{api}/task_runs/filter", {"flow_runs": {"id": {"any_": [each["id"] for each in flows]}}, "limit": 200}
    )
    return found


def asked(output: Path, query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(output / "consort.duckdb"), read_only=True) as store:
        return store.execute(query).fetchall()


@contextmanager
def served_at(port: int, file: Path) -> Iterator[str]:
    """A recorded-reply server at a port: started again it has counted nothing."""
    command = [sys.executable, "-m", "tasks.models.recorded", str(file), "--port", str(port)]
    process = subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().split()[-1]
    finally:
        process.kill()
        process.communicate()


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def test_a_run_goes_through_the_models_of_a_pool(flow: Run, tmp_path: Path, environment: dict[str, str]) -> None:
    """Attempts of four calls meet the end of a quota in their middle, and pay for nothing twice."""
    models, workers, problems = [f"m{n}" for n in range(6)], 8, 30
    dataset, file = inputs(tmp_path, problems, dict.fromkeys(models, 25))
    with recorded_server(file, "--latency", "0.05") as url:
        register(flow, tmp_path, "six", url, models, start="six-m2")
        command = solving(tmp_path / "out", "--workers", workers, dataset=dataset, model1="six", large=False)
        ended = flow(*command)
        assert ended.returncode == 0, ended.stderr
        served = stats(url)
        assert flow(*command).returncode == 0
        assert stats(url) == served, "the same command again asks nobody"
    run = next((tmp_path / "out").glob("bench/codesim/six/*/Run-1"))
    summary = summary_of(run)
    assert (summary["solved"], summary["errors"], summary["mixed_models"]) == (problems, 0, True)
    assert summary["api_calls"] == served["total_replies"] == 4 * problems
    assert served["replies"] == dict.fromkeys(["m0", "m1", "m2", "m3"], 25) | {"m4": 20}
    assert set(served["errors"]) == {"m0", "m1", "m2", "m3"}
    assert all(wasted <= workers for wasted in served["errors"].values())
    # In the UI: the attempts that met a spent model were retried, and no others.
    runs = task_runs(environment, "codesim/bench/six")
    retried = {each["name"] for each in runs if each["run_count"] > 1}
    failed = asked(tmp_path / "out", "SELECT problem_id, error_kind FROM calls WHERE error_kind IS NOT NULL")
    assert retried == {problem for problem, _ in failed}
    assert sum(each["run_count"] - 1 for each in runs) == len(failed) == served["total_errors"]
    assert {kind for _, kind in failed} == {"quota_exhausted"}
    assert {each["state_name"] for each in runs} == {"Completed"}
    # In the store: the switches, and who served what.
    switches = asked(tmp_path / "out", "SELECT event, endpoint, model, next FROM model_events ORDER BY happened_at")
    assert switches == [
        ("exhausted", "six-m2", "m2", "six-m0"),
        ("exhausted", "six-m0", "m0", "six-m1"),
        ("exhausted", "six-m1", "m1", "six-m3"),
        ("exhausted", "six-m3", "m3", "six-m4"),
    ]
    by_model = asked(tmp_path / "out", "SELECT model, count(*) FROM calls WHERE error_kind IS NULL GROUP BY model")
    assert dict(by_model) == served["replies"]
    by_attempt = asked(tmp_path / "out", "SELECT served_by FROM attempts")
    assert Counter(model for (names,) in by_attempt for model in names).keys() == served["replies"].keys()
    # On the terminal.
    assert "pool six: six-m2 is exhausted" in ended.stderr
    assert "next is six-m0" in ended.stderr
    assert "m4" in ended.stdout
    # As events that automations may act on.
    expected = {f"consort.model.six.six-{name}" for name in ("m0", "m1", "m2", "m3")}
    until(lambda: expected <= exhausted_resources(environment), 30)


def exhausted_resources(environment: dict[str, str]) -> set[str]:
    """What the server has heard of being exhausted."""
    wanted = {"filter": {"event": {"name": ["consort.model.exhausted"]}}, "limit": 50}
    found = post(f"{environment['PREFECT_API_URL']}/events/filter", wanted)["events"]
    return {event["resource"]["prefect.resource.id"] for event in found}


def test_what_depends_on_chance_is_not_paid_for_again(flow: Run, tmp_path: Path) -> None:
    """A program whose samples go otherwise every time: the attempt that goes on sees what it saw before."""
    dataset = write(tmp_path / "rolls.jsonl", [{"task_id": "R/0", **ROW}])
    debugging = [{"stage": "debugging", "n": n, "content": text} for n, text in ((1, CHANCE), (2, RIGHT))]
    file = write(tmp_path / "replies.jsonl", [{"quota": {"one": 4}}, *replies(CHANCE), *debugging])
    with recorded_server(file) as url:
        register(flow, tmp_path, "dice", url, ["one", "two"])
        assert flow(*solving(tmp_path / "out", dataset=dataset, model1="dice", large=False)).returncode == 0
        assert stats(url)["replies"] == {"one": 4, "two": 1}


def test_all_spent_ends_with_what_is_left_and_a_reset_goes_on(flow: Run, tmp_path: Path) -> None:
    dataset, file = inputs(tmp_path, 12, {"one": 3, "two": 4})
    port = free_port()
    with served_at(port, file) as url:
        register(flow, tmp_path, "couple", url, ["one", "two"])
        command = solving(
            tmp_path / "out", "--strategy", "direct", "--workers", "2", dataset=dataset, model1="couple", large=False
        )
        ended = flow(*command)
        assert ended.returncode == 1
        assert "5 of 12 left" in ended.stderr
        assert "python -m blocks.pool reset couple" in ended.stderr
        assert "the same command" in ended.stderr
        assert "Traceback" not in ended.stderr
        for said in ("couple-one", "couple-two", "spent", "AllocationQuota.FreeTierOnly"):
            assert said in ended.stdout
        assert stats(url)["total_replies"] == 7
        errors = stats(url)["total_errors"]
        again = flow(*command)  # the marks are remembered: nobody is asked
        assert again.returncode == 1
        assert "5 of 12 left" in again.stderr
        assert stats(url)["total_errors"] == errors
    run = next((tmp_path / "out").glob("bench/direct/couple/*/Run-1"))
    assert (summary_of(run)["problems"], summary_of(run)["errors"]) == (7, 0)
    file.write_text(file.read_text().replace('"one": 3', '"one": 300'))
    with served_at(port, file) as url:
        assert flow("-m", "blocks.pool", "reset", "couple").returncode == 0
        assert flow(*command).returncode == 0
        assert stats(url)["total_replies"] == 5
    assert summary_of(run)["solved"] == 12
    assert [path.name for path in run.parent.iterdir()] == ["Run-1"]


def test_a_single_endpoint_that_is_spent_is_all_spent(flow: Run, tmp_path: Path) -> None:
    dataset, file = inputs(tmp_path, 8, {"recorded": 5})
    with recorded_server(file) as url:
        command = solving(
            tmp_path / "out", "--strategy", "direct", "--workers", "2", "--model-provider", "dashscope",
            dataset=dataset, model1=f"{url}#recorded", large=False,
        )  # fmt: skip
        ended = flow(*command)
        assert ended.returncode == 1
        assert "3 of 8 left" in ended.stderr
        assert "AllocationQuota.FreeTierOnly" in ended.stderr
        assert stats(url)["total_replies"] == 5
        assert stats(url)["total_errors"] <= 2


def test_one_problem_alone_rotates_by_its_stages(flow: Run, tmp_path: Path, environment: dict[str, str]) -> None:
    dataset, file = inputs(tmp_path, 1, {"one": 2, "two": 50})
    with recorded_server(file) as url:
        register(flow, tmp_path, "pair", url, ["one", "two"])
        command = solving(tmp_path / "out", dataset=dataset, model1="pair", large=False)
        command.insert(1, "problem")
        ended = flow(*command, "--id", "Bench/0")
        assert ended.returncode == 0, ended.stderr
        assert stats(url)["replies"] == {"one": 2, "two": 2}
    runs = task_runs(environment, "codesim/Bench/0/pair")
    assert {each["name"]: each["run_count"] for each in runs if each["run_count"] > 1} == {"refinement 1": 2}


def test_a_failing_request_of_a_pool_is_an_error_and_rotates_nothing(flow: Run, tmp_path: Path) -> None:
    dataset, file = inputs(tmp_path, 6, {"one": 50})
    filtered = {"error": {"code": "data_inspection_failed", "message": "403 quota rate limit"}}
    bad = {"problem_id": "Bench/2", "stage": "coding", "status": 400, "body": filtered}
    lines = file.read_text().splitlines()
    bad_line = json.dumps(bad)
    good = [
        json.dumps({**json.loads(line), "problem_id": f"Bench/{n}"}) for n in (0, 1, 3, 4, 5) for line in lines[1:]
    ]
    file.write_text("\n".join([lines[0], bad_line, *good]) + "\n")
    with recorded_server(file) as url:
        register(flow, tmp_path, "mild", url, ["one", "two"])
        ended = flow(*solving(tmp_path / "out", "--strategy", "direct", dataset=dataset, model1="mild", large=False))
        assert ended.returncode == 1
        assert "attempts that ended in an error: 1" in ended.stderr
        assert stats(url)["replies"] == {"one": 5}
    assert asked(tmp_path / "out", "SELECT * FROM model_events") == []
    assert asked(tmp_path / "out", "SELECT error_kind FROM attempts WHERE solved IS NULL") == [("content_filtered",)]


def test_a_request_that_no_server_bears_is_tried_at_each_and_is_an_error(
    flow: Run, tmp_path: Path, environment: dict[str, str]
) -> None:
    dataset, file = inputs(tmp_path, 3, {"one": 50})
    poison = json.dumps({"problem_id": "Bench/1", "stage": "coding", "status": 500})
    lines = file.read_text().splitlines()
    good = [json.dumps({**json.loads(line), "problem_id": f"Bench/{n}"}) for n in (0, 2) for line in lines[1:]]
    file.write_text("\n".join([lines[0], poison, *good]) + "\n")
    with recorded_server(file) as url:
        path = tmp_path / "sick.toml"
        endpoints = [f'[endpoints.sick-{n}]\nbase_url = "{url}"\nmodel = "m"\ntries = 1' for n in (1, 2, 3)]
        path.write_text("\n".join([*endpoints, '[pools.sick]\nendpoints = ["sick-1", "sick-2", "sick-3"]']))
        assert flow("-m", "blocks.register", path).returncode == 0
        ended = flow(*solving(tmp_path / "out", "--strategy", "direct", dataset=dataset, model1="sick", large=False))
        assert ended.returncode == 1
        assert "attempts that ended in an error: 1" in ended.stderr
    counts = {each["name"]: each["run_count"] for each in task_runs(environment, "direct/bench/sick")}
    assert counts["Bench/0"] == counts["Bench/2"] == 1
    assert 2 <= counts["Bench/1"] <= 3
    errors = asked(tmp_path / "out", "SELECT problem_id, error_kind FROM attempts WHERE solved IS NULL")
    assert errors == [("Bench/1", "transient")]


@pytest.mark.parametrize("down", ["one", "two"])
def test_a_pool_whose_one_server_is_away_begins_with_the_others(flow: Run, tmp_path: Path, down: str) -> None:
    dataset, file = inputs(tmp_path, 4, {"m": 50})
    with recorded_server(file) as url:
        urls = {"one": url, "two": url, down: "http://127.0.0.1:9/v1"}
        path = tmp_path / "away.toml"
        endpoints = [
            f'[endpoints.away-{name}]\nbase_url = "{at}"\nmodel = "m"\ntries = 2' for name, at in urls.items()
        ]
        path.write_text("\n".join([*endpoints, '[pools.away]\nendpoints = ["away-one", "away-two"]']))
        assert flow("-m", "blocks.register", path).returncode == 0
        ended = flow(*solving(tmp_path / "out", "--strategy", "direct", dataset=dataset, model1="away", large=False))
        assert ended.returncode == 0, ended.stderr
        assert "127.0.0.1:9" in ended.stdout
        assert stats(url)["total_replies"] == 4

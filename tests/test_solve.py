"""`flows/solve.py` as users run it: the samples, the real recording, resuming, kills, a locked store, bad input."""

import json
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.conftest import LARGE, SAMPLES, SMALL, Run, Start, solving
from tests.processes import CHECKOUT, heed_interrupts, post, recorded_server, stats, until
from tests.warm import Command

RUN = Path("problems/codesim/small+large/Python3-0.0-0.95-1/Run-1")
HUMANEVAL = "humaneval_codesim_gpt-oss-120b"
CHANGING = {"wall_seconds", "cached_calls", "finished_at"}


def summary_of(run: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((run / "summary.json").read_text())
    return loaded


def rows(output: Path) -> dict[str, list[Any]]:
    """What a run leaves in the store, but for times and ids."""
    with duckdb.connect(str(output / "consort.duckdb"), read_only=True) as store:
        return {
            name: store.execute(query).fetchall()
            for name, query in {
                "runs": "SELECT dataset, strategy, models, problems FROM runs",
                "attempts": "SELECT problem_id, sample, outcome, solved, error_kind, program, tries, samples_checked "
                "FROM attempts ORDER BY ALL",
                "calls": "SELECT problem_id, sample, stage, ordinal, model_number, model, prompt_tokens, "
                "completion_tokens, messages, reply, error_kind FROM calls ORDER BY ALL",
                "programs": "SELECT problem_id, sample, round, stage, program, samples_passed, report "
                "FROM programs ORDER BY ALL",
                "tests": "SELECT problem_id, sample, suite, test, outcome, detail FROM tests ORDER BY ALL",
            }.items()
        }


def folder_of(run: Path) -> dict[str, object]:
    """What a run leaves in its folder, but for times: the problems' files and the counts."""
    files: dict[str, object] = {
        str(path.relative_to(run)): path.read_text()
        for path in sorted((run / "problems").rglob("*"))
        if path.is_file() and path.name != "session_history.json"
    }
    for path in sorted((run / "problems").rglob("session_history.json")):
        history = json.loads(path.read_text())
        history["execution_id"] = None
        for call in history["calls"]:
            call["seconds"] = call["ttft"] = None
        files[str(path.relative_to(run))] = history
    return files


@pytest.fixture(scope="module")
def solved(flow: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled samples, solved in one go."""
    output = tmp_path_factory.mktemp("solved")
    ended = flow(*solving(output))
    assert ended.returncode == 0, ended.stderr
    return output


def test_the_samples_take_every_path(solved: Path) -> None:
    summary = summary_of(solved / RUN)
    assert (summary["problems"], summary["solved"], summary["unsolved"], summary["errors"]) == (12, 10, 2, 0)
    assert {name: use["api_calls"] for name, use in summary["models"].items()} == {"small": 74, "large": 19}
    assert (summary["api_calls"], summary["prompt_tokens"], summary["completion_tokens"]) == (93, 57577, 14991)
    assert summary["recorded"] is True
    assert summary["cost_usd"] is None
    assert summary["pass_at_k"] == {"1": 83.3}
    with duckdb.connect(str(solved / "consort.duckdb"), read_only=True) as store:
        unsolved = store.execute("SELECT problem_id FROM attempts WHERE NOT solved ORDER BY 1").fetchall()
        unchecked = store.execute("SELECT problem_id FROM attempts WHERE samples_checked = 0").fetchall()
        by_large = store.execute("SELECT DISTINCT stage FROM calls WHERE model_number = 2").fetchall()
    assert unsolved == [("Sample/3",), ("Sample/8",)]
    assert unchecked == [("Sample/10",)]
    assert by_large == [("debugging",)]


def test_the_run_folder_holds_what_people_read(solved: Path) -> None:
    run = solved / RUN
    log = (run / "Log.txt").read_text()
    assert f"=== Model Configuration ===\nModel 1: recorded:{SMALL}\nModel 2: recorded:{LARGE}\n" in log
    assert "Response from debugging (Model 2):" in log
    summary = (run / "Summary.txt").read_text()
    assert "Model 2 Statistics:" in summary
    assert "45 calls: 1" in summary.split("Api Calls -> Unsolved")[1]
    assert "FAIL   Sample/3  wrong_answer, 45 calls" in (run / "REPORT.txt").read_text()
    results = [json.loads(line) for line in (run / "Results.jsonl").read_text().splitlines()]
    assert [row["task_id"] for row in results] == [f"Sample/{number}" for number in range(12)]
    assert results[5]["run_details"][0]["model2_calls"] == 1
    assert results[0]["run_details"][0]["details"][0]["stage"] == "planning"
    problem = run / "problems" / "Sample_5"
    assert {path.name for path in problem.iterdir()} == {
        "problem_statement.txt",
        "session_history.json",
        "final_solution.py",
        "round_0",
        "round_1",
        "round_2",
        "round_3",
    }


def test_the_same_command_again_pays_for_nothing(flow: Run, solved: Path) -> None:
    before, known, files = summary_of(solved / RUN), rows(solved), folder_of(solved / RUN)
    ended = flow(*solving(solved))
    assert ended.returncode == 0, ended.stderr
    after = summary_of(solved / RUN)
    assert {name for name in before if before[name] != after[name]} <= CHANGING
    assert after["cached_calls"] == 93
    assert rows(solved) == known
    assert folder_of(solved / RUN) == files
    with duckdb.connect(str(solved / "consort.duckdb"), read_only=True) as store:
        paid = store.execute("SELECT paid_calls FROM executions ORDER BY started_at").fetchall()
    assert paid == [(93,), (0,)]


def test_cont_no_makes_the_next_run_and_pays_anew(flow: Run, tmp_path: Path) -> None:
    with recorded_server(SMALL) as url:
        arguments = solving(tmp_path, "--strategy", "direct", model1=f"{url}#small", large=False)
        assert flow(*arguments).returncode == 0
        paid = stats(url)["total_replies"]
        assert flow(*arguments).returncode == 0
        assert stats(url)["total_replies"] == paid
        assert flow(*arguments, "--cont", "no").returncode == 0
        assert stats(url)["total_replies"] == 2 * paid
    runs = sorted(tmp_path.glob("problems/direct/small/*/Run-*"))
    assert [run.name for run in runs] == ["Run-1", "Run-2"]
    assert summary_of(runs[0])["run_id"] != summary_of(runs[1])["run_id"]
    assert summary_of(runs[0])["recorded"] is True  # though it was given as a URL


def test_killed_at_random_moments_ends_in_the_same_rows(
    flow: Run, solved: Path, tmp_path: Path, started: Start
) -> None:
    seed = random.randrange(1 << 30)
    print(f"seed {seed}")
    moments = random.Random(seed)
    spool = tmp_path / ".consort" / "spool"
    for _ in range(20):
        # A moment is a number of bytes more in the spool: the kills spread over the work, however fast it goes.
        more = size_of(spool) + moments.choice([1, 300, 2_000, 8_000, 30_000, 60_000])
        kill_when(started(*solving(tmp_path, "--workers", "4")), spool, more)
    ended = flow(*solving(tmp_path))
    assert ended.returncode == 0, ended.stderr
    assert rows(tmp_path) == rows(solved)
    assert folder_of(tmp_path / RUN) == folder_of(solved / RUN)
    different = {
        name for name, value in summary_of(tmp_path / RUN).items() if value != summary_of(solved / RUN)[name]
    }
    assert different <= CHANGING | {"run_id", "generation_seconds", "evaluation_seconds", "started_at"}


def kill_when(command: Command, spool: Path, size: int) -> None:
    """Kill a command when it has brought the spool to a size, unless it has ended by then."""
    with command:
        until(lambda: size_of(spool) >= size or command.poll() is not None, 60)


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*.jsonl"))


def test_a_killed_run_pays_for_at_most_what_was_in_flight(flow: Run, tmp_path: Path, started: Start) -> None:
    workers = 6
    with recorded_server(SMALL, "--latency", "0.1") as url:
        arguments = solving(tmp_path, "--workers", workers, model1=f"{url}#small", large=False)
        with started(*arguments):
            until(lambda: bool(stats(url)["total_replies"] > 40), 60)
        assert flow(*arguments).returncode == 0
        served = stats(url)["total_replies"]
    summary = summary_of(next(tmp_path.glob("problems/codesim/small/*/Run-1")))
    assert summary["api_calls"] <= served <= summary["api_calls"] + workers


def test_humaneval_with_every_reply_of_a_published_run(flow: Run, data: Path, tmp_path: Path) -> None:
    command: list[object] = [CHECKOUT / "flows" / "solve.py", "--dataset", data / "humaneval.jsonl"]
    command += ["--model1", f"recorded:{data}/recorded/{HUMANEVAL}.jsonl", "--workers", "16", "--output", tmp_path]
    ended = flow(*command)
    assert ended.returncode == 0, ended.stderr
    run = tmp_path / "humaneval" / "codesim" / HUMANEVAL / "Python3-0.0-0.95-1" / "Run-1"
    summary = summary_of(run)
    assert (summary["problems"], summary["solved"], summary["accuracy"]) == (164, 161, 98.2)
    assert (summary["api_calls"], summary["prompt_tokens"], summary["completion_tokens"]) == (542, 340661, 585204)
    results = [json.loads(line) for line in (run / "Results.jsonl").read_text().splitlines()]
    assert [row["task_id"] for row in results if not row["is_solved"]] == [
        "HumanEval/75",
        "HumanEval/76",
        "HumanEval/145",
    ]
    calls = Counter(row["run_details"][0]["api_calls"] for row in results if row["is_solved"])
    assert calls == {3: 153, 4: 8}
    assert max(row["run_details"][0]["api_calls"] for row in results) == 45


HOLD = "import duckdb, sys; held = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"


def test_a_store_held_open_delays_the_ingest_and_fails_nothing(flow: Run, tmp_path: Path) -> None:
    store = tmp_path / "consort.duckdb"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(store)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None and holder.stdout.readline() == "held\n"
    try:
        ended = flow(*solving(tmp_path, "--limit", "2"))
        assert ended.returncode == 0, ended.stderr
        assert "python -m blocks.store ingest" in ended.stdout
        assert summary_of(tmp_path / RUN)["solved"] == 2
    finally:
        holder.communicate("")
    assert flow("-m", "blocks.store", "ingest", "--output", tmp_path).returncode == 0
    assert len(rows(tmp_path)["attempts"]) == 2


def test_a_second_process_on_the_same_run_is_refused(flow: Run, tmp_path: Path, started: Start) -> None:
    with recorded_server(SMALL, "--latency", "0.5") as url:
        arguments = solving(tmp_path, model1=f"{url}#small", large=False)
        with started(*arguments):
            until(lambda: bool(stats(url)["total_replies"]), 60)
            second = flow(*arguments)
    assert second.returncode == 2
    assert "another process" in second.stderr


def test_ctrl_c_says_how_to_resume(flow: Run, tmp_path: Path, environment: dict[str, str]) -> None:
    with recorded_server(SMALL, "--latency", "0.3") as url:
        arguments = solving(tmp_path, model1=f"{url}#small", large=False)
        process = subprocess.Popen(
            [sys.executable, *map(str, arguments)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=heed_interrupts,
        )
        until(lambda: bool(stats(url)["total_replies"] > 20), 60)
        os.kill(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 130, errors
        assert "resume with: python" in errors
        assert "Traceback" not in errors
        assert flow(*arguments).returncode == 0
        summary = summary_of(next(tmp_path.glob("problems/codesim/small/*/Run-1")))
        assert stats(url)["total_replies"] == summary["api_calls"], "what was in flight is not paid for again"


def test_after_ctrl_c_no_call_begins(started: Start, tmp_path: Path) -> None:
    """A strategy of calls alone: nothing but the end of its first call comes between Ctrl-C and its second."""
    recording = CHECKOUT / "data" / "recorded" / "self_planning" / "small.jsonl"
    with recorded_server(recording, "--latency", "3") as url:
        options = ("--strategy", "self_planning", "--workers", "12")
        with started(*solving(tmp_path, *options, model1=f"{url}#small", large=False)) as command:
            until(lambda: bool(stats(url)["total_replies"] == 12), 60)
            command.send_signal(signal.SIGINT)
            assert command.wait() == 130
        assert stats(url)["total_replies"] == 12


def test_a_second_ctrl_c_waits_for_nothing(started: Start, tmp_path: Path) -> None:
    with (
        recorded_server(SMALL, "--latency", "300") as url,
        started(*solving(tmp_path, model1=f"{url}#small", large=False)) as command,
    ):
        until(lambda: bool(stats(url)["total_replies"]), 60)
        command.send_signal(signal.SIGINT)
        until(lambda: b"Ctrl-C gives them up" in command.err.read_bytes(), 60)
        command.send_signal(signal.SIGINT)
        assert command.wait() == 130
        assert command.err.read_text().strip().splitlines()[-1].startswith("interrupted; resume with: ")


def test_pass_at_k_takes_samples_that_differ_in_their_number_alone(flow: Run, tmp_path: Path) -> None:
    ended = flow(*solving(tmp_path, "--strategy", "direct", "--pass-at-k", "3", "--limit", "4", large=False))
    assert ended.returncode == 0, ended.stderr
    run = next(tmp_path.glob("problems/direct/small/*-3/Run-1"))
    summary = summary_of(run)
    assert set(summary["pass_at_k"]) == {"1", "2", "3"}
    assert summary["api_calls"] == 12
    assert (run / "problems" / "Sample_0" / "sample_2" / "final_solution.py").exists()


def test_partial_results_keep_no_texts_and_still_resume(flow: Run, tmp_path: Path) -> None:
    arguments = solving(tmp_path, "--result-log", "partial", "--limit", "3", "--store-log-in-file", "no")
    assert flow(*arguments).returncode == 0
    assert flow(*arguments).returncode == 0
    with duckdb.connect(str(tmp_path / "consort.duckdb"), read_only=True) as store:
        kept = store.execute("SELECT count(*), count(messages), count(reply) FROM calls").fetchall()
    assert kept[0][0] > 0
    assert kept[0][1:] == (0, 0)
    results = (tmp_path / RUN / "Results.jsonl").read_text()
    assert '"details"' not in results
    assert not (tmp_path / RUN / "Log.txt").exists()


def broken_dataset(folder: Path) -> Path:
    path = folder / "broken.jsonl"
    rows = SAMPLES.read_text().splitlines()
    row = json.loads(rows[1])
    del row["entry_point"]
    path.write_text("\n".join([rows[0], json.dumps(row)]) + "\n")
    return path


def broken_recording(folder: Path) -> Path:
    path = folder / "replies.jsonl"
    path.write_text(SMALL.read_text().splitlines()[0] + "\n{broken\n")
    return path


BAD_INPUT = {
    "dataset": (["--dataset", "nowhere"], ["nowhere"]),
    "strategy": (["--strategy", "guessing"], ["guessing", "analogical, codesim, cot, direct, mapcoder"]),
    "block": (["--model1", "no-such-block"], ["no-such-block", "python -m blocks.register"]),
    "flag": (["--wrokers", "3"], ["--wrokers"]),
    "workers": (["--workers", "0"], ["--workers 0"]),
    "value": (["--cont", "maybe"], ["maybe", "--cont"]),
    "language": (["--language", "Cobol"], ["--language 'Cobol'", "Python3, C, C++"]),
    "language of functions": (["--language", "c++"], ["--language C++", "'Sample/0'", "function"]),
    "time limit": (["--time-limit", "0"], ["--time-limit 0.0", "seconds"]),
    "no time limit": (["--time-limit", "nan"], ["--time-limit nan", "seconds"]),
    "memory limit": (["--memory-limit", "63"], ["--memory-limit 63", "MiB", "64"]),
    "output limit": (["--output-limit", "-1"], ["--output-limit -1", "KiB"]),
    "problem": (["--problems", "Sample/99"], ["Sample/99"]),
    "stage": (["--assign.thinking", "1"], ["thinking", "planning"]),
    "no model 2": (["--assign.debugging", "2"], ["Model 2 is not configured but was requested"]),
    "not a model number": (["--assign.debugging", "x"], ["--assign.debugging"]),
    "recorded file": (["--model1", "recorded:nowhere.jsonl"], ["nowhere.jsonl"]),
    "recorded model": (["--model1", f"recorded:{SMALL}#huge"], ["huge", "small"]),
    "config": (["--config", "nowhere.toml"], ["nowhere.toml"]),
}


@pytest.mark.parametrize("what", BAD_INPUT)
def test_bad_input_gets_one_line_and_writes_nothing(flow: Run, tmp_path: Path, what: str) -> None:
    given, named = BAD_INPUT[what]
    changed = {given[0].removeprefix("--"): given[1]} if given[0] in ("--dataset", "--model1") else {}
    ended = flow(*solving(tmp_path / "out", *([] if changed else given), large=False, **changed))
    assert_refused(ended, named, tmp_path / "out")


def test_a_row_without_its_field_is_named(flow: Run, tmp_path: Path) -> None:
    path = broken_dataset(tmp_path)
    ended = flow(*solving(tmp_path / "out", dataset=path, large=False))
    assert_refused(ended, [str(path), "line 2", "'entry_point'"], tmp_path / "out")


def test_a_broken_recorded_line_is_named(flow: Run, tmp_path: Path) -> None:
    path = broken_recording(tmp_path)
    ended = flow(*solving(tmp_path / "out", model1=f"recorded:{path}", large=False))
    assert_refused(ended, [str(path), "line 2"], tmp_path / "out")


def test_an_endpoint_that_refuses_connections_is_named(flow: Run, tmp_path: Path) -> None:
    ended = flow(*solving(tmp_path / "out", model1="http://127.0.0.1:9/v1#qwen", large=False))
    assert_refused(ended, ["http://127.0.0.1:9/v1", "start the server"], tmp_path / "out")


def test_a_prefect_server_that_is_not_there_is_named(flow: Run, tmp_path: Path) -> None:
    ended = flow(*solving(tmp_path / "out"), PREFECT_API_URL="http://127.0.0.1:9/api")
    assert_refused(ended, ["http://127.0.0.1:9/api", "PREFECT_API_URL"], tmp_path / "out")


def assert_refused(ended: subprocess.CompletedProcess[str], named: list[str], output: Path) -> None:
    assert ended.returncode == 2, ended.stdout + ended.stderr
    assert len(ended.stderr.splitlines()) == 1, ended.stderr
    for name in named:
        assert name in ended.stderr
    assert not output.exists()


def test_a_call_that_fails_for_good_is_an_error_row(flow: Run, tmp_path: Path) -> None:
    replies = tmp_path / "replies.jsonl"
    failing = {"problem_id": "Sample/0", "stage": "coding", "model": "small", "status": 400}
    failing["body"] = {"error": {"message": "no such thing", "code": "invalid_parameter"}}
    lines = [line for line in SMALL.read_text().splitlines() if json.loads(line)["problem_id"] != "Sample/0"]
    replies.write_text("\n".join([*lines, json.dumps(failing)]) + "\n")
    arguments = ["--strategy", "direct", "--limit", "3"]
    ended = flow(*solving(tmp_path / "out", *arguments, model1=f"recorded:{replies}#small", large=False))
    assert ended.returncode == 1
    assert "attempts that ended in an error: 1" in ended.stderr
    assert "Traceback" not in ended.stdout + ended.stderr
    run = next((tmp_path / "out").glob("problems/direct/small/*/Run-1"))
    summary = summary_of(run)
    assert (summary["problems"], summary["solved"], summary["errors"]) == (3, 2, 1)
    with duckdb.connect(str(tmp_path / "out" / "consort.duckdb"), read_only=True) as store:
        row = store.execute("SELECT outcome, error_kind, error FROM attempts WHERE solved IS NULL").fetchall()
        call = store.execute("SELECT error_kind, status FROM calls WHERE error_kind IS NOT NULL").fetchall()
    assert row[0][:2] == ("error", "bad_request")
    assert "no such thing" in row[0][2]
    assert call == [("bad_request", 400)]


def test_config_files_set_flags_and_the_command_line_wins(flow: Run, tmp_path: Path) -> None:
    config = tmp_path / "solve.toml"
    config.write_text(f"""
dataset = "{SAMPLES}"
model1 = "recorded:{SMALL}"
model2 = "recorded:{LARGE}"
limit = 5
strategy = "CodeSIM"
top_p = 0.5
language = "python3"
output = "{tmp_path / "out"}"

[assign]
debugging = "1,1,2"
""")
    command = [CHECKOUT / "flows" / "solve.py", "--config", config, "--limit", "1", "--model_provider", "openai"]
    ended = flow(*command)
    assert ended.returncode == 0, ended.stderr
    run = tmp_path / "out" / "problems" / "codesim" / "small+large" / "Python3-0.0-0.5-1" / "Run-1"
    assert summary_of(run)["problems"] == 1


def test_one_problem_alone_has_a_task_run_a_stage(flow: Run, tmp_path: Path, environment: dict[str, str]) -> None:
    command = solving(tmp_path)
    command.insert(1, "problem")
    ended = flow(*command, "--id", "Sample/5")
    assert ended.returncode == 0, ended.stderr
    api = environment["PREFECT_API_URL"]
    runs = post(f"{api}/flow_runs/filter", {"flow_runs": {"name": {"any_": ["codesim/Sample/5/small+large"]}}})
    names = [
        run["name"]
        for run in post(
            f"{api}/task_runs/filter",
            {"flow_runs": {"id": {"any_": [runs[0]["id"]]}}, "sort": "EXPECTED_START_TIME_ASC"},
        )
    ]
    assert names[:4] == ["planning 1", "simulation 1", "coding 1", "tests 1"]
    assert names[-1] == "hidden tests 1"
    assert {"debugging 1", "debugging 2", "debugging 3", "tests 4"} <= set(names)


def test_help_waits_for_no_client_of_models() -> None:
    """It takes a second to import, and what answers without a model does not need it."""
    ended = subprocess.run(
        [sys.executable, "-X", "importtime", CHECKOUT / "flows" / "solve.py", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    imported = {line.rpartition("|")[2].strip() for line in ended.stderr.splitlines() if "|" in line}
    assert "tasks.solving" in imported
    assert not imported & {"openai", "pandas", "duckdb"}
    assert "--strategy" in ended.stdout

"""Strategies' parameters, several configurations in one command, and samples until a problem is solved."""

import itertools
import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.attempting import DOUBLE
from tests.conftest import SAMPLES, SMALL, Run
from tests.processes import recorded_server, stats

WRONG = "```python\ndef double(n):\n    return n\n```"
RIGHT = "```python\ndef double(n):\n    return 2 * n\n```"


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Three problems that are one."""
    path = tmp_path / "doubles.jsonl"
    path.write_text("\n".join(json.dumps({**DOUBLE, "task_id": f"Double/{n}"}) for n in range(3)))
    return path


@pytest.fixture
def replies(tmp_path: Path) -> Path:
    """Double/0 is solved by sample 0, Double/1 by sample 2, Double/2 by none."""
    path = tmp_path / "replies.jsonl"
    solved = {("Double/0", 0), ("Double/1", 2)}
    lines = [
        {
            "problem_id": f"Double/{n}",
            "sample": sample,
            "content": RIGHT if (f"Double/{n}", sample) in solved else WRONG,
        }
        for n in range(3)
        for sample in range(3)
    ]
    path.write_text("\n".join(map(json.dumps, lines)))
    return path


def solve(*more: object, dataset: object, model: object, output: Path) -> list[object]:
    return ["flows/solve.py", "--dataset", dataset, "--model1", model, "--workers", 2, "--output", output, *more]


def attempts(output: Path) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(output / "consort.duckdb"), read_only=True) as store:
        return store.execute("SELECT problem_id, sample, solved FROM attempts ORDER BY ALL").fetchall()


def test_until_solved_stops_at_the_first_sample_that_is(flow: Run, tmp_path: Path, dataset: Path, replies: Path):
    output = tmp_path / "results"
    options = ("--strategy", "direct", "--pass-at-k", 3, "--until-solved", "--temperature", 0.8)
    with recorded_server(replies) as url:
        command = solve(*options, dataset=dataset, model=f"{url}#m", output=output)
        ended = flow(*command)
        assert ended.returncode == 0, ended.stderr
        assert stats(url)["total_replies"] == 1 + 3 + 3
        assert flow(*command).returncode == 0
        assert stats(url)["total_replies"] == 1 + 3 + 3
    assert attempts(output) == [
        ("Double/0", 0, True),
        ("Double/1", 0, False),
        ("Double/1", 1, False),
        ("Double/1", 2, True),
        *[("Double/2", sample, False) for sample in range(3)],
    ]
    (folder,) = output.glob("doubles/direct/*/*/Run-1")
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["any_of_k"] == {"1": 33.3, "2": 33.3, "3": 66.7}
    assert set(summary["pass_at_k"].values()) == {None}
    assert "any of" in (folder / "Summary.txt").read_text()
    assert "[3/3]" in ended.stdout


def test_until_solved_is_another_run_than_all_samples(flow: Run, tmp_path: Path, dataset: Path, replies: Path):
    output = tmp_path / "results"
    options = ("--strategy", "direct", "--pass-at-k", 3)
    with recorded_server(replies) as url:
        for more in ((), ("--until-solved",)):
            ended = flow(*solve(*options, *more, dataset=dataset, model=f"{url}#m", output=output))
            assert ended.returncode == 0, ended.stderr
    one, other = sorted(output.glob("doubles/direct/*/*/Run-*/summary.json"))
    assert json.loads(one.read_text())["pass_at_k"] == {"1": 22.2, "2": 44.4, "3": 66.7}
    assert json.loads(one.read_text())["any_of_k"] is None
    assert json.loads(other.read_text())["any_of_k"] is not None


def test_a_matrix_is_a_run_each_and_a_table(flow: Run, tmp_path: Path, dataset: Path):
    good, bad = tmp_path / "good.jsonl", tmp_path / "bad.jsonl"
    plan = {"stage": "simulation", "content": "No Need to Modify Plan"}
    for path, program in ((good, RIGHT), (bad, WRONG)):
        path.write_text("\n".join(map(json.dumps, [{"content": program}, plan])))
    ended = flow(
        *solve(
            *("--strategy", "direct,CodeSIM", "--param.max_plan_try", 1, "--param.max_debug_try", "2"),
            dataset=dataset,
            model=f"recorded:{good}, recorded:{bad}",
            output=tmp_path / "results",
        ),
        COLUMNS="200",
    )
    assert ended.returncode == 0, ended.stderr
    summaries = {
        (summary["strategy"], *summary["models"]): (summary["solved"], summary["api_calls"])
        for path in tmp_path.glob("results/doubles/*/*/*/Run-1/summary.json")
        for summary in [json.loads(path.read_text())]
    }
    assert summaries == {
        ("direct", "good"): (3, 3),
        ("direct", "bad"): (0, 3),
        ("codesim", "good"): (3, 9),
        ("codesim", "bad"): (0, 3 * 5),
    }
    table = ended.stdout[ended.stdout.index("Comparison") :]
    assert "recorded" in table
    for name, model, solved in (("direct", "bad", "0 of 3"), ("codesim", "good", "3 of 3")):
        assert any(line.split()[:5] == [name, model, *solved.split()] for line in table.splitlines())
    assert table.count("results: ") == 4
    written = (tmp_path / "results" / "doubles" / "comparison.md").read_text()
    assert "| direct | bad | 0 of 3 | 0.0 |" in written


def test_one_bad_cell_costs_the_others_nothing(flow: Run, tmp_path: Path, dataset: Path):
    good, broken = tmp_path / "good.jsonl", tmp_path / "broken.jsonl"
    good.write_text(json.dumps({"content": RIGHT}))
    broken.write_text(json.dumps({"status": 400}))
    models = f"recorded:{broken},recorded:{good}"
    ended = flow(*solve("--strategy", "direct", dataset=dataset, model=models, output=tmp_path / "results"))
    assert ended.returncode == 1
    assert "1 of 2 runs are incomplete" in ended.stderr
    (summary,) = tmp_path.glob("results/doubles/direct/good/*/Run-1/summary.json")
    assert json.loads(summary.read_text())["solved"] == 3


def test_the_output_folder_has_a_second_name(flow: Run, tmp_path: Path, dataset: Path, replies: Path):
    command = ["flows/solve.py", "--dataset", dataset, "--model1", f"recorded:{replies}", "--strategy", "direct"]
    ended = flow(*command, "--output_dir", tmp_path / "elsewhere", "--sequential")
    assert ended.returncode == 0, ended.stderr
    assert len(list(tmp_path.glob("elsewhere/doubles/direct/*/*/Run-1/REPORT.txt"))) == 1


def test_sequential_begins_no_attempt_before_the_last_has_ended(
    flow: Run, tmp_path: Path, dataset: Path, replies: Path
):
    ended = flow(
        *solve(
            "--strategy",
            "direct",
            "--sequential",
            dataset=dataset,
            model=f"recorded:{replies}",
            output=tmp_path / "o",
        )
    )
    assert ended.returncode == 0, ended.stderr
    with duckdb.connect(str(tmp_path / "o" / "consort.duckdb"), read_only=True) as store:
        times = store.execute("SELECT started_at, finished_at FROM attempts ORDER BY started_at").fetchall()
    assert len(times) == 3
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(times))


def test_models_of_one_name_are_told_apart(flow: Run, tmp_path: Path, dataset: Path):
    for name, content in (("a", RIGHT), ("b", WRONG)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "small.jsonl").write_text(json.dumps({"content": content}))
    models = [f"recorded:{tmp_path / name / 'small.jsonl'}" for name in "ab"]
    ended = flow(
        *solve("--strategy", "direct", dataset=dataset, model=",".join(models), output=tmp_path / "results"),
        COLUMNS="400",
    )
    assert ended.returncode == 0, ended.stderr
    table = ended.stdout[ended.stdout.index("Comparison") :].splitlines()
    for model, solved in zip(models, ("3 of 3", "0 of 3"), strict=True):
        assert any(model in line and solved in line for line in table)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["--param.rounds", "3"],
            "--param.rounds: strategy codesim has no such parameter; its parameters are max_plan_",
        ),
        (["--param.max_plan_try", "0"], "--param.max_plan_try '0': Input should be greater than or equal to 1"),
        (["--param.verify_plan", "perhaps"], "--param.verify_plan 'perhaps': Input should be a valid boolean"),
        (["--strategy", "direct", "--param.max_round", "3"], "strategy direct has no such parameter; it has none"),
        (
            ["--strategy", "direct,codesim", "--param.x", "3"],
            "--param.x: none of the strategies direct, codesim has it",
        ),
        (["--strategy", "direct,codesim", "--assign.tester", "1"], "--assign.tester: none of the strategies"),
        (["--strategy", "direct,nothing"], "strategy 'nothing': there is none of that name"),
        (["--model1", f"recorded:{SMALL},recorded:nowhere.jsonl"], "there is no file 'nowhere.jsonl'"),
    ],
)
def test_bad_input_is_one_line(flow: Run, tmp_path: Path, arguments: list[str], said: str):
    model = [] if "--model1" in arguments else ["--model1", f"recorded:{SMALL}"]
    ended = flow("flows/solve.py", "--dataset", SAMPLES, *model, *arguments, "--output", tmp_path / "results")
    assert ended.returncode == 2
    assert said in ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "results").exists()

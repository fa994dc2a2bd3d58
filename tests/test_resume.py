"""What an execution finds of those before it, where a program, an id or a neighbour makes it hard."""

import json
from pathlib import Path
from typing import Any

from tests.conftest import Run, Start, solving
from tests.processes import CHECKOUT, recorded_server, stats
from tests.test_solve import summary_of

ROW = {
    "prompt": 'def roll(number):\n    """Return the number."""\n',
    "entry_point": "roll",
    "canonical_solution": "    return number\n",
    "test": "def check(candidate):\n    assert candidate(3) == 3\n",
    "sample_io": ["assert roll(1) == 1"],
}
CHANCE = "```python\nimport random\ndef roll(number):\n    return random.random()\n```"
RIGHT = "```python\ndef roll(number):\n    return number\n```"


def write(path: Path, lines: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def replies(coding: str) -> list[dict[str, Any]]:
    texts = {"planning": "### Plan\n1. Return it.", "simulation": "No Need to Modify Plan", "coding": coding}
    return [
        {"stage": stage, "content": text, "prompt_tokens": 5, "completion_tokens": 5} for stage, text in texts.items()
    ]


def test_a_program_of_chance_is_not_debugged_anew(flow: Run, tmp_path: Path) -> None:
    dataset = write(tmp_path / "rolls.jsonl", [{"task_id": "R/0", **ROW}])
    debugging = [
        {"stage": "debugging", "n": 1, "content": CHANCE, "prompt_tokens": 5, "completion_tokens": 5},
        {"stage": "debugging", "n": 2, "status": 400, "body": "not now"},
        {"stage": "debugging", "n": 2, "content": RIGHT, "prompt_tokens": 5, "completion_tokens": 5},
    ]
    file = write(tmp_path / "replies.jsonl", replies(CHANCE) + debugging)
    with recorded_server(file) as url:
        command = solving(tmp_path / "out", dataset=dataset, model1=f"{url}#recorded", large=False)
        assert flow(*command).returncode == 1
        assert stats(url)["total_replies"] == 4
        assert flow(*command).returncode == 0
        assert stats(url)["total_replies"] == 5
    run = next((tmp_path / "out").glob("rolls/codesim/*/*/Run-1"))
    summary = summary_of(run)
    assert (summary["solved"], summary["errors"], summary["api_calls"]) == (1, 0, 5)
    history = json.loads((run / "problems" / "R_0" / "session_history.json").read_text())
    assert history["solved"] is True  # written again, after the execution that ended in an error


def test_ids_of_any_kind_have_folders_of_their_own(flow: Run, tmp_path: Path) -> None:
    ids = ["a/b", "a_b", "x" * 300, "x" * 299 + "y", "𠀀" * 90, "../up", "é"]
    dataset = write(tmp_path / "names.jsonl", [{"task_id": each, **ROW} for each in ids])
    file = write(tmp_path / "replies.jsonl", replies(RIGHT))
    ended = flow(*solving(tmp_path / "out", dataset=dataset, model1=f"recorded:{file}", large=False))
    assert ended.returncode == 0, ended.stderr
    problems = next((tmp_path / "out").glob("names/codesim/*/*/Run-1/problems"))
    told = [json.loads(path.read_text())["problem_id"] for path in problems.glob("*/session_history.json")]
    assert sorted(told) == sorted(ids)


def test_a_limit_first_and_all_later_is_one_whole_run(flow: Run, tmp_path: Path) -> None:
    for more in (["--limit", "2"], []):
        assert flow(*solving(tmp_path, "--strategy", "direct", *more, large=False)).returncode == 0
    run = next(tmp_path.glob("problems/direct/small/*/Run-1"))
    statements = [path.read_text() for path in run.glob("problems/*/problem_statement.txt")]
    assert len(statements) == 12
    assert all(statements)


def test_two_first_starts_at_once_make_one_run(flow: Run, tmp_path: Path, started: Start) -> None:
    file = write(tmp_path / "replies.jsonl", replies(RIGHT))
    dataset = write(tmp_path / "rolls.jsonl", [{"task_id": f"R/{number}", **ROW} for number in range(3)])
    with recorded_server(file, "--latency", "1") as url:
        command = solving(tmp_path / "out", dataset=dataset, model1=f"{url}#recorded", large=False)
        with started(*command) as one, started(*command) as other:
            codes = sorted(each.wait() for each in (one, other))
    assert codes == [0, 2]
    assert len(list((tmp_path / "out").glob("rolls/codesim/*/*/Run-*"))) == 1


def test_solutions_of_every_kind(flow: Run, tmp_path: Path) -> None:
    dataset = write(tmp_path / "rolls.jsonl", [{"task_id": f"R/{number}", **ROW} for number in range(3)])
    body, whole, wrong = (
        "    return number\n",
        "def roll(number):\n    return number\n",
        "def roll(number):\n    return 0\n",
    )
    rows = [
        {"task_id": "R/0", "completion": body},
        {"task_id": "R/0", "completion": whole},
        {"task_id": "R/1", "completion": wrong},
    ]
    file = write(tmp_path / "mine.jsonl", rows)
    command = [CHECKOUT / "flows" / "grade.py", "--dataset", dataset, "--output", tmp_path / "out"]
    ended = flow(*command, "--solutions", file)
    assert ended.returncode == 0, ended.stderr
    assert "problems without a program, not graded: 1 (R/2)" in ended.stdout
    run = next((tmp_path / "out").glob("rolls/grade/mine/*/Run-1"))
    summary = summary_of(run)
    assert (summary["solved"], summary["unsolved"], summary["accuracy"]) == (1, 1, 66.7)
    results = [json.loads(line) for line in (run / "Results.jsonl").read_text().splitlines()]
    assert [(row["task_id"], row["sample"], row["outcome"]) for row in results] == [
        ("R/0", 0, "passed"),
        ("R/0", 1, "passed"),
        ("R/1", 0, "wrong_answer"),
    ]
    assert results[2]["tests"][0]["outcome"] == "wrong_answer"

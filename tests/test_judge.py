"""`flows/judge.py` and `plan_execute --evaluate` as users run them: samples, resume, pools, agreement, bad input."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from tasks.judging.dimensions import DIMENSIONS, USE
from tests.conftest import Run, Start
from tests.judging.runs import FIRST_STEP, PLAN, STEP, scores
from tests.plans.recordings import SHAPES, Recorded, record, recorded, reply
from tests.processes import CHECKOUT, recorded_server, stats
from tests.test_plan_execute import CONFIG, asked
from tests.test_rotation_flow import register
from tests.test_solve import kill_when, size_of, summary_of

FLOW = CHECKOUT / "flows" / "judge.py"
PLANS = CHECKOUT / "flows" / "plan_execute.py"
SAMPLES = CHECKOUT / "data" / "questions.jsonl"
JUDGE = CHECKOUT / "data" / "recorded" / "plan_execute" / "judge.jsonl"
MODELS = "planner+small+large"
COUNT = 6


def evaluation_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "evaluation_reports" / "evaluation.json").read_text())
    return found


def means(found: dict[str, Any]) -> dict[tuple[str, str | None], float]:
    return {(each["role"], each["dimension"]): each["mean"] for each in found["averages"]}


class Six:
    """Six questions with recorded models, and a recorded judge that gives the questions 1 to 5 in turn."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "six.jsonl"
        numbers = [str(number) for number in range(1, COUNT + 1)]
        self.file.write_text(
            "".join(json.dumps({"id": n, "problem": f"What is {n}?", "answer": "42"}) + "\n" for n in numbers)
        )
        self.replies: Recorded = recorded(folder / "replies", [(n, "42") for n in [*numbers, "query"]])
        lines = []
        for number, id in enumerate([*numbers, "query"]):
            lines.append(reply(id, "judging_planner", scores(PLAN, 1 + number % 5)))
            for step, _, needs in SHAPES[number % len(SHAPES)]:
                lines.append(reply(id, "judging_executor", scores(STEP if needs else FIRST_STEP, 4), step))
        self.lines = lines
        self.judge = record(folder / "judge.jsonl", lines)
        self.calls = COUNT + sum(len(SHAPES[number % len(SHAPES)]) for number in range(COUNT))

    def plans(self, output: Path, *more: object) -> list[object]:
        return [PLANS, "--dataset", self.file, *self.replies.flags(), "--output", output, *more]

    def judging(self, output: Path, *more: object, judge: object | None = None) -> list[object]:
        return [FLOW, "--judge", judge or f"recorded:{self.judge}", "--output", output, *more]


@pytest.fixture
def six(tmp_path: Path) -> Six:
    return Six(tmp_path)


@pytest.fixture
def answered(flow: Run, six: Six, tmp_path: Path) -> Path:
    """An output folder in which the six questions are answered."""
    ended = flow(*six.plans(tmp_path / "out"))
    assert ended.returncode == 0, ended.stderr
    return tmp_path / "out"


# Without any configuration


def test_the_samples_are_judged_by_their_recorded_judge(flow: Run, tmp_path: Path) -> None:
    assert flow(PLANS, "--dataset", SAMPLES, "--output", tmp_path).returncode == 0
    ended = flow(FLOW, "--output", tmp_path)
    assert ended.returncode == 0, ended.stderr
    run = tmp_path / "judge" / "questions" / "judge" / "Run-1"
    assert summary_of(run)["recorded"] is True
    found = evaluation_of(run)
    assert (found["plans"], found["steps"], found["repaired"], found["errors"]) == (12, 49, 1, 1)
    assert (found["questions"], found["without_plan"], found["failed_steps"], found["recorded"]) == (12, 1, 1, True)
    assert means(found)["planner", "decomposition"] == 4.58
    summary = (run / "evaluation_reports" / "summary.md").read_text()
    assert "Recorded replies" in summary
    for name in (*DIMENSIONS["planner"], *DIMENSIONS["executor"], "Scores by model", "| executor | large |"):
        assert name in summary, name
    page = (run / "evaluation_reports" / "committee.md").read_text()
    assert "Four women are possible too" in page
    assert (
        "Four women"
        in asked(tmp_path, "SELECT reason FROM judgements WHERE problem_id = 'committee' AND score = 1")[0][0]
    )


def test_the_sample_question_is_judged_at_the_end_of_its_run(flow: Run, tmp_path: Path) -> None:
    command = [PLANS, "--evaluate", "planner,executor", "--judge", f"recorded:{JUDGE}", "--output", tmp_path]
    ended = flow(*command)
    assert ended.returncode == 0, ended.stderr
    run = tmp_path / "plan_execute" / "single" / f"{MODELS}+judge" / "Run-1"
    assert {path.name for path in (run / "evaluation_reports").iterdir()} == {
        "evaluation.json", "summary.md", "query.md"
    }  # fmt: skip
    report = (run / "report.md").read_text()
    assert "## Scores by dimension" in report
    assert "| planner | decomposition | 1 | 5.0 |" in report
    assert summary_of(run)["api_calls"] == 8
    judging = tmp_path / "judge" / "query" / "judge" / "Run-1"
    assert summary_of(judging)["api_calls"] == 7
    assert flow(*command).returncode == 0
    assert summary_of(judging)["cached_calls"] == 7


def test_samples_of_other_models_need_a_judge_that_is_named(flow: Run, answered: Path) -> None:
    ended = flow(FLOW, "--output", answered)
    assert ended.returncode == 2
    assert "--judge: no model is named" in ended.stderr
    assert not (answered / "judge").exists()


# A dataset


def test_scores_averages_and_rows_of_a_dataset(flow: Run, six: Six, answered: Path) -> None:
    ended = flow(*six.judging(answered))
    assert ended.returncode == 0, ended.stderr
    assert "[6/6] question" in ended.stdout
    run = answered / "judge" / "six" / "judge" / "Run-1"
    found = evaluation_of(run)
    assert means(found) == {
        **{("planner", name): round((1 + 2 + 3 + 4 + 5 + 1) / 6, 2) for name in (*PLAN, None)},
        **{("executor", name): 4.0 for name in (*STEP, None)},
    }
    steps = [step for number in range(COUNT) for step in SHAPES[number % len(SHAPES)]]
    (use,) = [each for each in found["averages"] if each["dimension"] == USE]
    assert (use["scores"], use["counts"]) == (sum(bool(needs) for *_, needs in steps), [0, 0, 0, use["scores"], 0])
    by_model = {(each["role"], each["model"]): each["scores"] for each in found["by_model"] if not each["dimension"]}
    assert by_model.keys() == {("planner", "planner"), ("executor", "small"), ("executor", "large")}
    rows = asked(answered, "SELECT role, count(*), count(DISTINCT judged_run_id) FROM judgements GROUP BY role")
    assert {role: (count, runs) for role, count, runs in rows} == {
        "planner": (4 * COUNT, 1),
        "executor": (sum(4 if needs else 3 for *_, needs in steps), 1),
    }
    assert {path.stem for path in (run / "evaluation_reports").glob("*.md")} == {*"123456", "summary"}


def test_the_same_command_pays_for_nothing_twice_and_more_questions_add(flow: Run, six: Six, answered: Path) -> None:
    with recorded_server(six.judge) as url:
        judge = f"{url}#judge"
        assert flow(*six.judging(answered, "--limit", "2", judge=judge)).returncode == 0
        few = stats(url)["total_replies"]
        assert flow(*six.judging(answered, judge=judge)).returncode == 0
        assert flow(*six.judging(answered, judge=judge)).returncode == 0
        served = stats(url)
    assert 0 < few < six.calls
    assert (served["total_replies"], served["total_errors"]) == (six.calls, 0)
    folders = list((answered / "judge" / "six").glob("*/Run-*"))
    assert len(folders) == 1
    assert evaluation_of(folders[0])["questions"] == COUNT


def test_killed_and_run_again_it_ends_as_if_it_had_not_been(
    flow: Run, six: Six, answered: Path, started: Start
) -> None:
    with recorded_server(six.judge, "--latency", "0.1") as url:
        command = six.judging(answered, "--questions", "1", judge=f"{url}#judge")
        spool = answered / ".consort" / "spool"
        kill_when(started(*command), spool, size_of(spool) + random.Random(3).randrange(20_000, 60_000))
        ended = flow(*command)
        served = stats(url)["total_replies"]
    assert ended.returncode == 0, ended.stderr
    (run,) = (answered / "judge" / "six").glob("*/Run-*")
    found = evaluation_of(run)
    assert (found["plans"], found["steps"], found["errors"]) == (COUNT, six.calls - COUNT, 0)
    assert summary_of(run)["api_calls"] == six.calls
    assert served <= six.calls + 6  # what was in flight when it was killed
    (counted,) = asked(
        answered, "SELECT count(*), count(DISTINCT (problem_id, role, step, dimension)) FROM judgements"
    )
    assert counted[0] == counted[1]


def test_one_role_alone_is_a_run_of_its_own(flow: Run, six: Six, answered: Path) -> None:
    assert flow(*six.judging(answered, "--planner-only")).returncode == 0
    assert flow(*six.judging(answered, "--executor-only")).returncode == 0
    plans, steps = (evaluation_of(answered / "judge/six/judge" / name) for name in ("Run-1", "Run-2"))
    assert (plans["plans"], plans["steps"]) == (COUNT, 0)
    assert (steps["plans"], steps["steps"]) == (0, six.calls - COUNT)


def test_a_pool_as_judge_rotates(flow: Run, six: Six, answered: Path, tmp_path: Path) -> None:
    pool = tmp_path / "pool.jsonl"
    lines = [{"quota": {"one": 5, "two": 99}}, *({**each, "model": None} for each in six.lines)]
    pool.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with recorded_server(pool) as url:
        register(flow, tmp_path, "judges", url, ["one", "two"])
        ended = flow(*six.judging(answered, "--questions", "1", judge="judges"))
        served = stats(url)
    assert ended.returncode == 0, ended.stderr
    assert served["replies"] == {"one": 5, "two": six.calls - 5}
    assert evaluation_of(answered / "judge/six/judges/Run-1")["errors"] == 0


def test_a_dataset_is_judged_at_the_end_of_its_run_and_by_hand_it_costs_nothing_more(
    flow: Run, six: Six, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    with recorded_server(six.judge) as url:
        more = ("--evaluate", "planner,executor", "--judge", f"{url}#judge")
        ended = flow(*six.plans(output, *more))
        assert ended.returncode == 0, ended.stderr
        served = stats(url)["total_replies"]
        assert flow(*six.judging(output, judge=f"{url}#judge")).returncode == 0
        assert stats(url)["total_replies"] == served == six.calls
    run = output / "plan_execute" / "dataset" / "six" / f"{MODELS}+judge" / "Run-1"
    report = (run / "dataset_report.md").read_text()
    assert "## Scores by dimension" in report
    assert "## Scores by model" in report
    assert evaluation_of(run) == evaluation_of(output / "judge" / "six" / "judge" / "Run-1")


def test_a_judge_that_fails_at_the_end_leaves_the_answers_and_exit_code_1(
    flow: Run, six: Six, tmp_path: Path
) -> None:
    broken = [each for each in six.lines if (each["problem_id"], each["stage"]) != ("3", "judging_planner")]
    judge = record(tmp_path / "broken.jsonl", broken, "judge")
    output = tmp_path / "out"
    ended = flow(*six.plans(output, "--evaluate", "planner", "--judge", f"recorded:{judge}"))
    assert ended.returncode == 1
    assert "1 questions are not judged" in ended.stderr
    run = output / "plan_execute" / "dataset" / "six" / f"{MODELS}+broken" / "Run-1"
    assert summary_of(run)["solved"] == COUNT
    assert evaluation_of(run)["plans"] == COUNT - 1


def test_a_configuration_file_of_hybridflow_switches_it_on(flow: Run, six: Six, tmp_path: Path) -> None:
    (tmp_path / "usage").mkdir()
    (tmp_path / "usage" / "key").write_text("sk-not-a-real-key\n")
    config = tmp_path / "config.yaml"
    off = "evaluation: {{enabled: False}}"
    assert off in CONFIG
    with (
        recorded_server(six.replies.planner) as planner,
        recorded_server(six.replies.small) as small,
        recorded_server(six.replies.large) as large,
        recorded_server(six.judge) as judge,
    ):
        on = (
            "evaluation: {{enabled: True, planner_enabled: True, executor_enabled: False, model: judge, "
            f'key_path: usage/key, api_base_url: "{judge}"}}}}'
        )
        text = CONFIG.replace(off, on)
        config.write_text(text.format(planner=planner, small=small, large=large, enabled="True"))
        made = flow("-m", "blocks.register", "--from-hybridflow", config, "--write", tmp_path / "models.toml")
        assert made.returncode == 0, made.stderr
        saved = flow("-m", "blocks.register", tmp_path / "models.toml")
        assert saved.returncode == 0, saved.stderr
        ended = flow(PLANS, "--config", config, "--output", tmp_path / "out")
        assert ended.returncode == 0, ended.stderr
        run = tmp_path / "out/plan_execute/dataset/six" / f"{MODELS}+judge" / "Run-1"
        found = evaluation_of(run)
        assert (found["roles"], found["plans"], found["steps"]) == (["planner"], 4, 0)
        config.write_text(config.read_text().replace("planner_enabled: True", "planner_enabled: False"))
        ended = flow(PLANS, "--config", config, "--output", tmp_path / "out")
        assert ended.returncode == 2
        assert "neither of its parts is" in ended.stderr


# Agreement


def test_agreement_with_people_is_printed_and_written(flow: Run, six: Six, answered: Path, tmp_path: Path) -> None:
    assert flow(*six.judging(answered)).returncode == 0
    gold = [
        {"problem_id": str(n), "role": "planner", "dimension": "difficulty", "score": score}
        for n, score in enumerate((1, 2, 3, 4, 4), start=1)
    ]
    gold.append({"problem_id": "nobody", "role": "planner", "dimension": "difficulty", "score": 3})
    file = tmp_path / "gold.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in gold))
    ended = flow(FLOW, "agreement", "--gold", file, "--output", answered)
    assert ended.returncode == 0, ended.stderr
    assert "difficulty" in ended.stdout
    run = answered / "judge" / "six" / "judge" / "Run-1"
    (measured,) = [each for each in json.loads((run / "agreement.json").read_text())["measured"] if each["dimension"]]
    assert (measured["pairs"], measured["exact"], measured["within_one"]) == (5, 0.8, 1.0)
    assert measured["kappa_linear"] == pytest.approx(1 - (1 / 5) / (37 / 25))
    assert measured["kappa_quadratic"] == pytest.approx(1 - (1 / 5) / (85 / 25))
    assert measured["alpha_ordinal"] == pytest.approx(1 - (8 / 10) / (1580 / 90))
    assert (measured["without_judgement"], measured["without_gold"]) == (1, 1)
    assert "0.865" in (run / "agreement.md").read_text()
    file.write_text(json.dumps([{**gold[0], "problem_id": "nobody"}]))
    ended = flow(FLOW, "agreement", "--gold", file, "--output", answered)
    assert ended.returncode == 2
    assert "none of its 1 scores" in ended.stderr


# Bad input


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ([FLOW], "no store here"),
        ([FLOW, "--planner-only", "--executor-only"], "--planner-only"),
        ([FLOW, "--limit", "0"], "--limit 0"),
        ([FLOW, "--questions", "0"], "--questions 0"),
        ([FLOW, "--timeout", "nan"], "--timeout nan"),
        ([FLOW, "agreement", "--gold", "nowhere.csv"], "nowhere.csv"),
        ([FLOW, "agreement"], "gold"),
        ([PLANS, "--evaluate", "planner"], "give a model reference for --judge"),
        ([PLANS, "--evaluate", "referee", "--judge", "x"], "'referee'"),
        ([PLANS, "--evaluate", ",", "--judge", "x"], "nothing is named"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(
    flow: Run, tmp_path: Path, arguments: list[object], named: str
) -> None:
    output = tmp_path / "out"
    ended = flow(*arguments, "--output", output)
    assert ended.returncode == 2, ended.stderr
    assert len(ended.stderr.splitlines()) == 1, ended.stderr
    assert named in ended.stderr
    assert not output.exists()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--run", "ffff"], "no such run"),
        (["--judge", "recorded:nowhere.jsonl"], "nowhere.jsonl"),
        (["--judge", "http://127.0.0.1:9/v1#m"], "127.0.0.1:9"),
    ],
)
def test_a_run_or_a_judge_that_is_not_there_starts_no_run(
    flow: Run, answered: Path, arguments: list[object], named: str
) -> None:
    ended = flow(FLOW, *arguments, "--output", answered)
    assert ended.returncode == 2, ended.stderr
    assert len(ended.stderr.splitlines()) == 1, ended.stderr
    assert named in ended.stderr
    assert not (answered / "judge").exists()


def test_a_library_that_is_not_installed_is_one_line(flow: Run, tmp_path: Path) -> None:
    (tmp_path / "krippendorff.py").write_text("raise ModuleNotFoundError('no krippendorff')\n")
    ended = flow(FLOW, "agreement", "--gold", tmp_path / "gold.csv", PYTHONPATH=str(tmp_path))
    assert ended.returncode == 2
    assert ended.stderr == (
        "agreement needs krippendorff, which is not installed; pip install 'consort[judging]'\n"
    )  # fmt: skip

"""`flows/build_dataset.py` as users run it: samples, real questions, formats, filters, kills."""

import json
import random
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tasks.planner_data.leaks import leaks
from tasks.plans.parse import plan_of
from tasks.plans.questions import read_questions
from tests.conftest import Run, Start
from tests.planner_data.llama_factory import Seen, described
from tests.plans.recordings import SHAPES, Recorded, plan, record, recorded, reply
from tests.processes import CHECKOUT, recorded_server, stats
from tests.test_solve import kill_when, size_of, summary_of

FLOW = CHECKOUT / "flows" / "build_dataset.py"
SAMPLES = CHECKOUT / "data" / "questions.jsonl"
LETTERS = "ABCD"
BROKEN = (
    '<think>hm</think><Plan><Step ID="1" Task="Try" Difficulty="2" Token="50" Rely=""/>'
    '<Step ID="2" Task="Try" Difficulty="2" Token="50" Rely="9"/></Plan>'
)
REPAIRED = '<think>hm</think><Plan><Step ID="1" Task="Try" Token="50" Rely=""/></Plan>'


def run_of(output: Path, stem: str, models: str = "planner", number: int = 1) -> Path:
    return output / "build_dataset" / stem / models / f"Run-{number}"


def data_of(run: Path) -> dict[str, bytes]:
    """The files of training data, and what is beside them."""
    beside = [run / name for name in ("README.md", "dataset_info.json", "filters.json")]
    return {path.name: path.read_bytes() for path in (*run.glob("*_thinking.json"), *beside)}


def removed_of(run: Path) -> dict[str, int]:
    filters = json.loads((run / "filters.json").read_text())["filters"]
    counts: dict[str, int] = {}
    for each in filters:
        counts[each["filter"]] = counts.get(each["filter"], 0) + each["removed"]
    return counts


def asked(output: Path, query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(output / "consort.duckdb"), read_only=True) as store:
        return store.execute(query).fetchall()


def written(folder: Path, rows: list[dict[str, Any]]) -> Path:
    file = folder / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def split_of(name: str) -> str:
    return name.removesuffix("_wo_thinking").removesuffix("_w_thinking").rpartition("_")[2]


def prompts_by_split(data: dict[str, list[Seen]]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {"train": set(), "validation": set(), "test": set()}
    for name, rows in data.items():
        found[split_of(name)] |= {row.prompt for row in rows}
    return found


# Without any configuration


def test_without_a_flag_the_samples_become_data(flow: Run, tmp_path: Path) -> None:
    ended = flow(FLOW, "--output", tmp_path)
    assert ended.returncode == 0, ended.stderr
    run = run_of(tmp_path, "questions")
    data = described(run)
    count = len(SAMPLES.read_text().splitlines())
    removed = removed_of(run)
    assert sum(map(len, data.values())) == count - sum(removed.values()) > 8
    assert removed["invalid"] == removed["repaired"] == 1
    sheet = (run / "README.md").read_text()
    assert "Recorded replies: no model was asked" in sheet
    for said in ("questions.jsonl", "SHA-256", "near duplicate", "planner", "validation 0.1"):
        assert said in sheet, said
    assert "invalid" in ended.stdout
    assert summary_of(run)["recorded"] is True
    assert asked(tmp_path, "SELECT DISTINCT stage FROM calls") == [("planning",)]


def test_the_samples_carried_out(flow: Run, tmp_path: Path) -> None:
    ended = flow(FLOW, "--execute", "--output", tmp_path)
    assert ended.returncode == 0, ended.stderr
    run = run_of(tmp_path, "questions", "planner+small+large")
    rights = asked(tmp_path, "SELECT question FROM answers WHERE correct AND len(repairs) = 0")
    assert {row.prompt for rows in described(run).values() for row in rows} == {text for (text,) in rights}
    assert removed_of(run)["wrong"] >= 1
    assert not asked(tmp_path, "SELECT 1 FROM calls WHERE stage = 'direct'")


# Real questions


@pytest.fixture(scope="module")
def real(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The real questions and a planner that is refused for every tenth, and repaired for another tenth."""
    file = data / "mmlu_stem_300.json"
    replies = []
    for number, row in enumerate(json.loads(file.read_text()), start=1):
        id, shape = str(number), SHAPES[number % len(SHAPES)]
        text = plan(shape, f"{row['subject']} {number}")
        bare = text.partition("</think>")[2].strip()
        match number % 10:
            case 1:
                replies += [reply(id, "planning", BROKEN, 1), reply(id, "planning", text, 2)]
            case 2:
                replies += [reply(id, "planning", BROKEN, 1), reply(id, "planning", "no plan", 2)]
            case 3:
                replies.append(reply(id, "planning", REPAIRED))
            case 4:
                replies.append(reply(id, "planning", bare, reasoning=f"beside {number}"))
            case 5:
                replies.append(reply(id, "planning", bare))
            case _:
                replies.append(reply(id, "planning", text))
    return file, record(tmp_path_factory.mktemp("real") / "planner.jsonl", replies)


@pytest.fixture(scope="module")
def built(flow: Run, real: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data of the real questions, in all formats that one plan of each gives; the plans are paid for once."""
    file, planner = real
    output = tmp_path_factory.mktemp("built")
    command = [FLOW, "--dataset", file, "--planner", f"recorded:{planner}", "--output", output]
    assert flow(*command).returncode == 0
    ended = flow(*command, "--format", "sharegpt", "--save-thinking")
    assert ended.returncode == 0, ended.stderr
    summary = summary_of(run_of(output, "mmlu_stem_300"))
    assert summary["cached_calls"] == summary["api_calls"] == 360
    return run_of(output, "mmlu_stem_300")


def test_real_questions_keep_the_rules_of_llama_factory(built: Path) -> None:
    data = described(built)
    kinds = {(format, split, kind) for format in ("alpaca", "sharegpt") for split in ("train", "validation", "test")
             for kind in ("wo", "w")}  # fmt: skip
    assert data.keys() == {f"mmlu_stem_300_{format}_{split}_{kind}_thinking" for format, split, kind in kinds}
    for split in ("train", "validation", "test"):
        for kind in ("wo", "w"):
            names = [f"mmlu_stem_300_{format}_{split}_{kind}_thinking" for format in ("alpaca", "sharegpt")]
            assert data[names[0]] == data[names[1]]
    rows = {kind: [row for name, those in data.items() if "alpaca_" in name and name.endswith(f"_{kind}_thinking")
                   for row in those] for kind in ("wo", "w")}  # fmt: skip
    assert (len(rows["wo"]), len(rows["w"])) == (240, 210)
    for row in rows["wo"]:
        assert plan_of(row.responses[0]).repairs == ()
        assert row.responses[0].startswith("<Plan>") and row.responses[0].endswith("</Plan>")
        assert "You plan how" in row.system and row.prompt not in row.system and "# Question" not in row.system
    for row in rows["w"]:
        assert row.responses[0].startswith("<think>\n")
        thinking, _, text = row.responses[0].removeprefix("<think>\n").partition("\n</think>\n\n")
        assert thinking == "hm" or thinking.startswith("beside ")
        assert plan_of(row.responses[0]) == plan_of(text)


def test_no_question_is_in_two_splits(built: Path) -> None:
    found = prompts_by_split(described(built))
    assert {name: len(those) for name, those in found.items()} == {"train": 192, "validation": 24, "test": 24}
    assert not found["train"] & found["validation"] | found["train"] & found["test"]
    assert not found["validation"] & found["test"]


def test_each_filter_is_counted_on_the_terminal_and_in_the_files(built: Path) -> None:
    removed = removed_of(built)
    assert removed == {
        "exact duplicate": 0, "near duplicate": 0, "not done": 0, "invalid": 30, "repaired": 30, "too long": 0,
        "not the best": 0, "no thinking": 30, "too long with thinking": 0,
    }  # fmt: skip
    sheet = (built / "README.md").read_text()
    assert "| invalid | 30 | 270 |" in sheet
    assert "| repaired | 30 | 240 |" in sheet


def test_the_files_load_with_datasets(built: Path) -> None:
    datasets = pytest.importorskip("datasets", reason="the datasets library is not installed")
    cache = str(built.parent / "cache")
    for format in ("alpaca", "sharegpt"):
        for kind in ("wo", "w"):
            loaded = datasets.load_dataset(str(built), f"{format}_{kind}_thinking", cache_dir=cache)
            assert set(loaded) == {"train", "validation", "test"}
            assert sum(each.num_rows for each in loaded.values()) == (240 if kind == "wo" else 210)
    for path in built.glob("*_thinking.json"):
        alone = datasets.load_dataset("json", data_files=str(path), split="train", cache_dir=cache)
        assert alone.to_list() == json.loads(path.read_text())


# Calls


def test_plans_alone_ask_no_executor(flow: Run, tmp_path: Path) -> None:
    answers = [(str(number), "42") for number in range(1, 6)]
    rows = written(tmp_path, [{"problem": f"What is {word}?", "answer": "42"} for word in
                              ("gold", "the speed of light", "a prime", "rain made of", "love")])  # fmt: skip
    files = recorded(tmp_path / "replies", answers)
    one = tmp_path / "one.jsonl"
    one.write_text("".join(file.read_text() for file in files))
    with recorded_server(one) as url:
        command = [FLOW, "--dataset", rows, "--planner", f"{url}#planner", "--output", tmp_path / "out"]
        assert flow(*command).returncode == 0
        assert stats(url)["replies"] == {"planner": 5}
        assert flow(*command).returncode == 0
        assert stats(url)["replies"] == {"planner": 5}, "the same command again pays nothing"
        more = ["--execute", "--small", f"{url}#small", "--large", f"{url}#large"]
        assert flow(*command, *more).returncode == 0
        replies = stats(url)["replies"]
    assert replies["planner"] == 10
    assert replies["small"] and replies["large"]


def sampled(folder: Path) -> tuple[Path, Recorded]:
    """Six questions with three samples each: of the first three a dear right one, a wrong one and a cheap right one.

    All of the fourth are wrong, one of the fifth is right beside replies that are no plans, the sixth has no plan.
    """
    shapes = (SHAPES[1], SHAPES[2], SHAPES[0])
    planner, small, large = list[dict[str, Any]](), list[dict[str, Any]](), list[dict[str, Any]]()
    words = ("gold", "the speed of light", "a prime", "rain made of", "love", "left when all is done")
    for number in range(1, 7):
        id = str(number)
        for sample, shape in enumerate(shapes):
            good = number < 5 or (number == 5 and sample == 1)
            tries = (2 * sample + 1, 2 * sample + 2)
            planner += [reply(id, "planning", plan(shape, f"way{sample}") if good else BROKEN, n) for n in tries]
            right = (number <= 3 and sample != 1) or number == 5
            answer = "42" if right else "41"
            small.append(reply(id, "aggregation", answer, match=f"way{sample}"))
        for step in range(1, 6):
            for size in (small, large):
                size.append(reply(id, "step", f"result {step}", step))
    rows = written(folder, [{"problem": f"What is {word}?", "answer": "42"} for word in words])
    files = (record(folder / f"{name}.jsonl", those)
             for name, those in (("planner", planner), ("small", small), ("large", large)))  # fmt: skip
    return rows, Recorded(*files)


def test_samples_give_the_best_right_plan_and_pairs_against_wrong_ones(flow: Run, tmp_path: Path) -> None:
    rows, files = sampled(tmp_path)
    command = [FLOW, "--dataset", rows, *files.flags(), "--execute", "--samples", "3", "--save-thinking",
               "--splits", "1,0,0", "--output", tmp_path / "out"]  # fmt: skip
    ended = flow(*command)
    assert ended.returncode == 0, ended.stderr
    ended = flow(*command, "--format", "preference")
    assert ended.returncode == 0, ended.stderr
    run = run_of(tmp_path / "out", "rows", "planner+small+large")
    data = described(run)
    assert data.keys() == {f"rows_{format}_train_{kind}_thinking" for format in ("alpaca", "preference")
                           for kind in ("wo", "w")}  # fmt: skip
    best = {row.prompt: row.responses[0] for row in data["rows_alpaca_train_wo_thinking"]}
    assert len(best) == 4
    assert all("way2" in text for prompt, text in best.items() if "love" not in prompt)
    pairs = data["rows_preference_train_wo_thinking"]
    assert [len([row for row in pairs if row.prompt == prompt]) for prompt in best] == [1, 1, 1, 1]
    for row in pairs:
        chosen, rejected = row.responses
        assert chosen == best[row.prompt]
        assert "way1" in rejected if "love" not in row.prompt else 'Rely="9"' in rejected
    for row in data["rows_preference_train_w_thinking"]:
        assert all(response.startswith("<think>\n") for response in row.responses)
    removed = removed_of(run)
    assert (removed["invalid"], removed["wrong"]) == (2 + 3, 3 + 3)
    summary = summary_of(run)
    assert summary["cached_calls"] == summary["api_calls"]


def test_the_same_seed_gives_the_same_files_whatever_the_workers(flow: Run, tmp_path: Path) -> None:
    rows, files = sampled(tmp_path)
    found = []
    for folder, questions, workers in (("one", "1", "1"), ("other", "8", "10"), ("third", "3", "2")):
        ended = flow(
            FLOW, "--dataset", rows, *files.flags(), "--execute", "--samples", "3", "--save-thinking", "--format",
            "preference", "--questions", questions, "--workers", workers, "--splits", "0.5,0.25,0.25", "--output",
            tmp_path / folder, "--seed", "4" if folder != "third" else "5",
        )  # fmt: skip
        assert ended.returncode == 0, ended.stderr
        found.append(data_of(run_of(tmp_path / folder, "rows", "planner+small+large")))
    assert found[0] == found[1]
    assert len(found[0]) > 4
    assert found[0] != found[2]


def test_killed_twice_the_data_is_as_if_it_had_not_been(
    flow: Run, real: tuple[Path, Path], built: Path, tmp_path: Path, started: Start
) -> None:
    file, planner = real
    command = [FLOW, "--dataset", file, "--planner", f"recorded:{planner}", "--output", tmp_path]
    moments = random.Random(11)
    for _ in range(2):
        spool = tmp_path / ".consort" / "spool"
        kill_when(started(*command), spool, size_of(spool) + moments.randrange(100_000, 400_000))
    for more in ([], ["--format", "sharegpt", "--save-thinking"]):
        assert flow(*command, *more).returncode == 0
    assert data_of(run_of(tmp_path, "mmlu_stem_300")) == data_of(built)
    (calls,) = asked(tmp_path, "SELECT count(*), count(DISTINCT call_key) FROM calls")
    assert calls == (360, 360)


# Filters


def test_what_the_planner_was_shown_is_in_no_plan(flow: Run, tmp_path: Path) -> None:
    leaky = [
        "Work out 1,234 at last",
        "Show that 1234.0 is reached",
        "Confirm that it is 1.234 × 10^3",
        "Find the sum",
    ]
    thoughts = ["hm", "hm", "hm", "the answer 1234 is given to me"]
    words = ("gold weigh here", "the speed of light in these units", "a prime near it", "rain made of", "love worth")
    texts = [*zip(leaky, thoughts, strict=True), ("Find the mean", "hm")]
    replies = [
        reply(str(number), "planning", f'<think>{thought}</think><Plan><Step ID="1" Task="{task}" Difficulty="1" '
              'Token="50" Rely=""/></Plan>')
        for number, (task, thought) in enumerate(texts, start=1)
    ]  # fmt: skip
    rows = written(tmp_path, [{"problem": f"How much does {word}?", "answer": "1234"} for word in words])
    planner = record(tmp_path / "planner.jsonl", replies)
    command = [FLOW, "--dataset", rows, "--planner", f"recorded:{planner}", "--save-thinking", "--output", tmp_path]
    ended = flow(*command, "--guide-with-answer")
    assert ended.returncode == 0, ended.stderr
    run = run_of(tmp_path, "rows")
    data = described(run)
    question = {each.text: each for each in read_questions(rows).questions}
    for those in data.values():
        for row in those:
            assert "1234" not in row.system
            assert not any(leaks(question[row.prompt], response) for response in row.responses)
    assert sum(len(those) for name, those in data.items() if name.endswith("wo_thinking")) == 2
    removed = removed_of(run)
    assert (removed["leaked"], removed["leaked in thinking"]) == (3, 1)
    shown = asked(tmp_path, "SELECT count(*) FROM calls WHERE messages::text LIKE '%1234%'")
    assert shown == [(5,)]
    assert flow(*command).returncode == 0
    assert run_of(tmp_path, "rows", number=2).exists(), "plans without the answer are others"
    shown = asked(tmp_path, "SELECT count(*) FROM calls WHERE messages::text LIKE '%1234%'")
    assert shown == [(5,)]


def test_duplicates_are_planned_once_and_long_rows_are_left_out(flow: Run, tmp_path: Path) -> None:
    texts = [
        "A train travels 120 km at 60 km/h. How many hours does it take from one station to the other?",
        "A train travels 120 km at 60 km/h.  How many hours does it take from one station to the other",
        "A train travels 120 km at 60 km/h. How many hours does it take from the one station to the other?",
        "A train travels 180 km at 60 km/h. How many hours does it take from one station to the other?",
        "What is love? " + "Think of it. " * 1500,
    ]
    rows = written(tmp_path, [{"problem": text} for text in texts])
    planner = record(tmp_path / "planner.jsonl", [{"content": plan(SHAPES[0]), "model": "planner"}])
    ended = flow(FLOW, "--dataset", rows, "--planner", f"recorded:{planner}", "--splits", "0.5,0.5,0", "--output",
                 tmp_path)  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    run = run_of(tmp_path, "rows")
    removed = removed_of(run)
    assert (removed["exact duplicate"], removed["near duplicate"], removed["too long"]) == (1, 1, 1)
    assert summary_of(run)["api_calls"] == 3
    found = prompts_by_split(described(run))
    assert sorted(map(len, found.values())) == [0, 0, 2], "those that are nearly alike stay together"


# Configuration


def test_a_configuration_file_of_hybridflow_builds(flow: Run, tmp_path: Path) -> None:
    rows = written(
        tmp_path, [{"problem": f"What is {word}?", "answer": "42"} for word in ("gold", "a prime", "love")]
    )
    replies = recorded(tmp_path / "replies", [(str(number), "42") for number in range(1, 4)])
    with recorded_server(replies.planner) as url:
        config = tmp_path / "config.yaml"
        config.write_text(
            "models: {small_model: small, large_model: large, router_model: planner, enable_threshold: True}\n"
            "api: {small_key_path: key, large_key_path: key, router_key_path: key,\n"
            f'  small_api_base_url: "{url}", large_api_base_url: "{url}", router_api_base_url: "{url}"}}\n'
            f"dataset: {{enabled: True, path: {rows.name}, limit: 2,\n"
            "  build: {enabled: True, save_thinking: True}}\n"
        )
        (tmp_path / "key").write_text("sk-not-a-real-key\n")
        models = tmp_path / "models.toml"
        made = flow("-m", "blocks.register", "--from-hybridflow", config, "--write", models)
        assert made.returncode == 0, made.stderr
        assert flow("-m", "blocks.register", models).returncode == 0
        ended = flow(FLOW, "--config", config, "--output", tmp_path / "out")
        assert ended.returncode == 0, ended.stderr
        (run,) = (tmp_path / "out" / "build_dataset" / "rows").glob("*/Run-1")
    data = described(run)
    assert sum(map(len, data.values())) == 4
    assert any(name.endswith("_w_thinking") for name in data)


# Bad input


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--dataset", "no/such.jsonl", "--planner", "{down}"], "no/such.jsonl"),
        (["--dataset", "{rows}", "--planner", "{down}"], "row 2: no `problem`"),
        (["--dataset", "{good}"], "--planner"),
        (["--planner", "{down}"], "--dataset"),
        (["--dataset", "{good}", "--planner", "{down}"], "127.0.0.1:9"),
        (["--dataset", "{good}", "--planner", "{down}", "--execute"], "--small"),
        (["--dataset", "{good}", "--planner", "{down}", "--small", "{down}"], "--small"),
        (["--dataset", "{good}", "--planner", "{down}", "--judge", "{down}"], "--judge"),
        (["--dataset", "{bare}", "--planner", "{down}", "--guide-with-answer"], "--guide-with-answer"),
        (["--dataset", "{bare}", "--planner", "{down}", "--execute", "--small", "{down}", "--large", "{down}"],
         "--execute"),
        (["--format", "csv"], "--format"),
        (["--format", "preference"], "--samples 2"),
        (["--samples", "0"], "--samples 0"),
        (["--limit", "0"], "--limit 0"),
        (["--questions", "0"], "--questions 0"),
        (["--longest", "0"], "--longest 0"),
        (["--timeout", "nan"], "--timeout nan"),
        (["--splits", "0.8,0.2"], "--splits '0.8,0.2'"),
        (["--splits", "0.8,0.1,0.2"], "--splits"),
        (["--splits", "0,0.5,0.5"], "--splits"),
        (["--splits", "a,b,c"], "--splits"),
        (["--splits", "nan,0,1"], "--splits"),
        (["--threshold", "11", "--execute"], "--threshold 11"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line_and_writes_nothing(
    flow: Run, tmp_path: Path, arguments: list[str], named: str
) -> None:
    files = {"rows": '{"problem": "a"}\n{"question": "c"}\n', "good": '{"problem": "a", "answer": "b"}\n',
             "bare": '{"problem": "a"}\n'}  # fmt: skip
    paths = {name: tmp_path / f"{name}.jsonl" for name in files}
    for name, text in files.items():
        paths[name].write_text(text)
    given = [each.format(**paths, down="http://127.0.0.1:9/v1#m") for each in arguments]
    output = tmp_path / "out"
    ended = flow(FLOW, *given, "--output", output)
    assert ended.returncode == 2, ended.stderr
    assert len(ended.stderr.splitlines()) == 1, ended.stderr
    assert named in ended.stderr
    assert not output.exists()
